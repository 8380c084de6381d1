"""One measurement in a process of its own: `python -m benchmarks.measure bare|mirror|drain|presses`. Prints one JSON object."""

import json
import re
import resource
import sys
import time
from collections import Counter

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


def presses() -> dict:
    """Check the largest file, start it and cancel it; nothing is sent. Seconds until each call of the room returns."""
    from django.utils import timezone

    from softphones import imports
    from softphones.configuration import account_from_environment
    from softphones.imports.reading import MOST_ROWS
    from softphones.models import Owner

    account = account_from_environment()
    emails = [f"person{number}@example.com" for number in range(MOST_ROWS)]
    owners = [Owner(account=account, audian_id=f"{n:032x}", email=mail, email_folded=mail) for n, mail in enumerate(emails)]
    Owner.objects.bulk_create(owners, batch_size=1000)
    rows = "".join(f"Phone {number},{mail},{10_000 + number},password-{number}\n" for number, mail in enumerate(emails))
    file = f"name,owner_email,extension,sip_password\n{rows}".encode()
    asked, seconds = {"by": None, "now": timezone.now()}, {}

    def timed(what, press):
        begun = time.perf_counter()
        batch = press()
        seconds[what] = time.perf_counter() - begun
        return batch

    batch = timed("check", lambda: imports.check(file=file, name="phones.csv", account=account, **asked))
    batch = timed("start", lambda: imports.start(batch=batch, **asked))
    imports.go_on(batch=batch, now=asked["now"])
    timed("cancel", lambda: imports.cancel(batch=batch, **asked))
    return {"rows": batch.will} | seconds


def _calls(url: str) -> Counter:
    """The calls that the sandbox counted, by status."""
    return Counter(requests.get(url.removesuffix("/v2") + "/sandbox", timeout=5).json()["calls_by_status"])


def peak_megabytes() -> float:
    """The most memory this process ever held; Linux counts it in kibibytes, macOS in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


if __name__ == "__main__":
    django.setup()
    measured = {"bare": bare, "mirror": mirror, "drain": drain, "presses": presses}[sys.argv[1]]()
    print(json.dumps(measured | {"peak": peak_megabytes()}))
