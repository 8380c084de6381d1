"""One measurement in a process of its own: `python -m benchmarks.measure bare|mirror|drain|...`. Prints one JSON object."""

import csv
import json
import re
import resource
import sys
import time
from collections import Counter
from pathlib import Path

import django
import requests

# Writes of the tables that an unchanged run leaves alone.
_TABLES = re.compile(r'(INSERT INTO|UPDATE|DELETE FROM) "?softphones_(softphone|owner|searchword)\b')


def bare() -> dict:
    """Download the pages that a mirror run downloads, and do nothing with them."""
    from django.conf import settings

    from softphones.audian.documents import DEVICE_FIELDS, USER_FIELDS

    base = f"{settings.AUDIAN_API_URL}/accounts/{settings.AUDIAN_ACCOUNT_ID}"
    pages = rows = 0
    begun = time.perf_counter()
    with requests.Session() as session:
        session.trust_env = False
        key = {"data": {"api_key": settings.AUDIAN_API_KEY}}
        session.headers["X-Auth-Token"] = session.put(f"{settings.AUDIAN_API_URL}/api_auth", json=key).json()["auth_token"]
        session.get(base).json()
        softphones_only = {"filter_device_type": "softphone"}
        for what, fields, query in (("users", USER_FIELDS, {}), ("devices", DEVICE_FIELDS, softphones_only)):
            query = query | {"fields": json.dumps(fields), "page_size": settings.API_PAGE_SIZE}
            while True:
                answer = session.get(f"{base}/{what}", params=query).json()
                pages, rows = pages + 1, rows + len(answer["data"])
                if not answer.get("next_start_key"):
                    break
                query["start_key"] = answer["next_start_key"]
    return {"seconds": time.perf_counter() - begun, "pages": pages, "rows": rows}


def mirror() -> dict:
    """One run of the mirror, as the worker does it."""
    from django.db import connection
    from django.utils import timezone

    from softphones import mirror
    from softphones.configuration import account_from_environment

    written = 0

    def count(execute, sql, parameters, many, context):
        nonlocal written
        result = execute(sql, parameters, many, context)
        if _TABLES.match(sql):
            written += max(0, context["cursor"].rowcount)
        return result

    account = account_from_environment()
    with connection.execute_wrapper(count):
        begun = time.perf_counter()
        run = mirror.run(account, timezone.now())
        seconds = time.perf_counter() - begun
    numbers = {name: getattr(run, name) for name in ("state", "message", "pages", "created", "updated", "unchanged")}
    return {"seconds": seconds, "written": written} | numbers


def drain() -> dict:
    """Half creates, half renamings of what is there: queued as an import does it, then sent with one drain after the other."""
    from django.conf import settings
    from django.utils import timezone

    from softphones import changes
    from softphones import mirror as room
    from softphones.configuration import account_from_environment
    from softphones.models import Softphone

    account = account_from_environment()
    room.run(account, timezone.now())
    time.sleep(settings.API_BUCKET_SIZE / settings.API_TOKENS_PER_SECOND)  # until the buckets are full again
    phones = list(Softphone.objects.present())
    for number, phone in enumerate(phones):
        wish = {"by": None, "urgent": False, "now": timezone.now()}
        changes.create(account=account, name=f"New phone {number}", **wish)
        changes.update(softphone=phone, values={"name": f"Name {number}"}, seen={"name": phone.name}, **wish)
    before, begun, done = _calls(settings.AUDIAN_API_URL), time.perf_counter(), 0
    while (drained := changes.drain(account=account)).left:
        done += drained.done
    done += drained.done
    seconds = time.perf_counter() - begun
    calls = _calls(settings.AUDIAN_API_URL) - before
    return {"seconds": seconds, "wishes": 2 * len(phones), "done": done, "calls": calls.total(), "refused": calls["429"]}


def said() -> dict:
    """What the page of an import of the file that is named says before its start: seconds, and in words. Then it is dropped."""
    from django.utils import timezone

    from softphones import imports
    from softphones.configuration import account_from_environment
    from softphones.views.import_page import lasts

    file, asked = Path(sys.argv[2]), {"by": None, "now": timezone.now()}
    batch = imports.check(file=file.read_bytes(), name=file.name, account=account_from_environment(), **asked)
    seconds = imports.summary(batch, now=asked["now"]).seconds
    imports.cancel(batch=batch, **asked)
    return {"seconds": seconds, "words": str(lasts(seconds))}


def sent() -> dict:
    """Seconds from the start of the newest import to the end of its last row."""
    from django.db.models import Max

    from softphones.models import Change, Import

    batch = Import.objects.latest("pk")
    last = Change.objects.filter(batch=batch.batch).aggregate(at=Max("finished_at"))["at"]
    return {"seconds": (last - batch.started_at).total_seconds()}


def presses() -> dict:
    """Write the largest file, for people of the mirror, as .xlsx and as CSV. Returns their paths, and an admin's `cookie`."""
    import openpyxl
    from django.conf import settings

    from benchmarks.company import staff
    from softphones.configuration import account_from_environment
    from softphones.imports.columns import NAMES
    from softphones.imports.reading import MOST_ROWS

    account, workbook = account_from_environment(), openpyxl.Workbook()
    table = [NAMES, *_rows(account, MOST_ROWS)]
    files = {kind: settings.VAR_DIR / f"phones{kind}" for kind in (".xlsx", ".csv")}
    for row in table:
        workbook.active.append(row)
    workbook.save(files[".xlsx"])
    with files[".csv"].open("w", newline="") as out:
        csv.writer(out).writerows(table)
    made = {"slug": account.slug, "cookie": staff(account)["cookie"], "rows": len(table) - 1}
    return made | {"files": {kind: str(path) for kind, path in files.items()}}


def go_on() -> dict:
    """Write what was started into the outbox, as the worker does. Nothing is sent."""
    from django.utils import timezone

    from softphones import imports
    from softphones.models import Change, Import

    for batch in Import.objects.filter(state=Import.State.STARTING):
        imports.go_on(batch=batch, now=timezone.now())
    return {"queued": Change.objects.count()}


def _rows(account, count: int) -> list[tuple[str, ...]]:
    """A row with all its cells for each of so many people whose address is theirs alone."""
    from softphones.models import Owner

    people = {}
    for owner in Owner.objects.filter(account=account, enabled=True, gone_at=None).exclude(email_folded="").order_by("pk"):
        people.setdefault(owner.email_folded, owner)
    rows = []
    for number, each in enumerate(list(people.values())[:count]):
        caller_id, password = (f"{10_000 + number}", each.name[:35].strip()), f"password-of-{number}"
        rows.append((f"Phone {number}", each.email, each.audian_id, *caller_id, f"bulk.{number}", password, "yes"))
    return rows


def _calls(url: str) -> Counter:
    """The calls that the sandbox counted, by status."""
    return Counter(requests.get(url.removesuffix("/v2") + "/sandbox", timeout=5).json()["calls_by_status"])


def peak_megabytes() -> float:
    """The most memory this process ever held; Linux counts it in kibibytes, macOS in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


if __name__ == "__main__":
    django.setup()
    measurements = (bare, mirror, drain, said, sent, presses, go_on)
    measured = {each.__name__: each for each in measurements}[sys.argv[1]]()
    print(json.dumps(measured | {"peak": peak_megabytes()}))
