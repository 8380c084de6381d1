"""What a log line tells, as text and as JSON, and what it belongs to."""

import io
import json
import logging
import re
from datetime import timedelta
from types import SimpleNamespace
from urllib.parse import unquote

import pytest
from django.test import Client
from django.utils import timezone
from gunicorn.config import Config
from gunicorn.glogging import Logger, SafeAtoms

from portal.gunicorn import access_log_format
from portal.logs import CLIENT, JsonLine, SecretsFilter, TextLine, belonging_to
from softphones import changes, mirror

TOKEN = "Zk3-t_oken" * 4 + "abc"


@pytest.fixture
def lines():
    """Writes lines as configured: `lines(TextLine())` attaches a handler and returns what it has written so far."""
    attached = []

    def written_by(formatter):
        handler = logging.StreamHandler(io.StringIO())
        handler.addFilter(SecretsFilter())
        handler.setFormatter(formatter)
        logging.getLogger().addHandler(handler)
        attached.append(handler)
        return lambda: handler.stream.getvalue().splitlines()

    yield written_by
    for handler in attached:
        logging.getLogger().removeHandler(handler)


@pytest.fixture
def objects(lines):
    """The lines in JSON, parsed."""
    written = lines(JsonLine())
    return lambda: [json.loads(line) for line in written()]


def test_a_line_in_json_tells_when_what_and_who(objects):
    logging.getLogger("softphones.audian").warning("%s took %d s", "GET /devices", 3)
    line = objects()[-1]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line.pop("time"))
    assert line == {"level": "WARNING", "logger": "softphones.audian", "message": "GET /devices took 3 s"}


def test_an_exception_is_a_field_of_one_line_and_holds_no_token(lines):
    written = lines(JsonLine())
    try:
        raise OSError(f"no answer from https://phones.acme.example/s/{TOKEN}")
    except OSError:
        logging.getLogger("softphones").exception("It failed:\nagain")
    assert len(written()) == 1
    line = json.loads(written()[0])
    assert line["message"] == "It failed:\\nagain"
    assert line["exception"].startswith("Traceback (most recent call last):\n")
    assert line["exception"].endswith("OSError: no answer from https://phones.acme.example/s/…")


def test_a_line_is_ascii_whatever_it_tells():
    # Not through a logger: pytest keeps what is logged, and half a character can't be sent from a worker to who reports.
    line = JsonLine().format(logging.makeLogRecord({"msg": "Zoë’s phone \udc80"}))
    assert line.isascii()
    assert json.loads(line)["message"] == "Zoë’s phone \udc80"


@pytest.mark.django_db
def test_each_line_of_a_request_bears_the_id_that_its_answer_names(client, objects):
    first, second = client.get("/s/not-a-link"), client.get("/s/not-a-link")
    ids = [first["X-Request-ID"], second["X-Request-ID"]]
    assert len(set(ids)) == 2
    warned = [line for line in objects() if line["logger"] == "django.request"]
    assert [line["request_id"] for line in warned] == ids


@pytest.mark.django_db
def test_in_plain_text_it_stands_at_the_end(client, lines):
    written = lines(TextLine())
    answer = client.get("/s/not-a-link")
    assert written()[-1].endswith(f"WARNING django.request Not Found: /s/… [{answer['X-Request-ID']}]")
    logging.getLogger("softphones").warning("Nobody asked.")
    assert written()[-1].endswith("Nobody asked.")


@pytest.fixture
def gunicorns_logger():
    """One that leaves the loggers of this process as they were."""
    loggers = [logging.getLogger(name) for name in ("gunicorn.error", "gunicorn.access")]
    before = [dict(vars(each), handlers=list(each.handlers)) for each in loggers]
    logger = Logger(Config())
    for each, state in zip(loggers, before, strict=True):
        vars(each).update(state)
    return logger


def test_a_line_of_the_access_log_has_its_parts_as_fields(objects, caplog, gunicorns_logger):
    caplog.set_level(logging.INFO, "gunicorn.access")
    asked = {"REQUEST_METHOD": "GET", "RAW_URI": "/s/x", "PATH_INFO": f"/s/{TOKEN}", "QUERY_STRING": "", "SERVER_PROTOCOL": ""}
    answer = SimpleNamespace(status="404 Not Found", sent=512, headers=[("X-Request-ID", "abc")])
    write_access(gunicorns_logger, answer, asked | {CLIENT: "192.0.2.7"})
    line = objects()[-1]
    assert line["message"] == '192.0.2.7 "GET /s/…" 404 512 bytes 12 ms'
    parts = {"client": "192.0.2.7", "method": "GET", "path": "/s/…", "status": 404, "bytes": 512, "milliseconds": 12}
    assert line == line | parts | {"request_id": "abc"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    "before",
    [
        *("/s//", "/s/%20", "/s/%27", "/s/&", "/s%5C", "/s/x/", "/s/%22", "/s;/", "/s.", "/S/%0A", "/%2573/", "/%252fs/"),
        *("/zoiper;id=", "/zoiper&id=", "/zoiper%3Bid%3D"),
    ],
)
def test_a_one_time_address_that_is_slightly_mistyped_is_still_good_and_stands_in_no_line(
    client, lines, caplog, gunicorns_logger, before
):
    address = f"{before}{TOKEN}"
    caplog.set_level(logging.INFO, "gunicorn.access")
    as_text, as_json = lines(TextLine()), lines(JsonLine())
    client.get(address)
    asked = {"REQUEST_METHOD": "GET", "RAW_URI": address, "PATH_INFO": unquote(address), "SERVER_PROTOCOL": ""}
    write_access(gunicorns_logger, SimpleNamespace(status="404 Not Found", sent=512, headers=[]), asked)
    assert [sum(words in line for line in as_text()) for words in ("Not Found: /", '"GET /')] == [1, 1]
    assert TOKEN not in "".join(as_text() + as_json())


@pytest.mark.parametrize(("proxies", "client"), [(0, "172.18.0.2"), (1, "192.0.2.7"), (2, "203.0.113.9")])
def test_its_client_is_the_visitor_and_no_proxy_of_ours(settings, objects, caplog, gunicorns_logger, proxies, client):
    settings.TRUSTED_PROXIES = proxies
    caplog.set_level(logging.INFO, "gunicorn.access")
    visitor = Client(REMOTE_ADDR="172.18.0.2")
    answer = visitor.get("/healthz", headers={"X-Forwarded-For": "203.0.113.9, 192.0.2.7"})
    told = SimpleNamespace(status="200 OK", sent=15, headers=answer.headers)
    write_access(gunicorns_logger, told, answer.wsgi_request.META | {"RAW_URI": "/healthz"})
    line = objects()[-1]
    assert line["client"] == client
    assert line["message"].startswith(f'{client} "GET /healthz" 200 ')


def write_access(logger: Logger, answer: SimpleNamespace, environ: dict) -> None:
    """The line that gunicorn writes once this was answered."""
    atoms = SafeAtoms(logger.atoms(answer, [], environ, timedelta(milliseconds=12)))
    logging.getLogger("gunicorn.access").info(access_log_format, atoms)


def test_the_id_that_a_proxy_gave_is_kept(settings):
    settings.TRUSTED_PROXIES = 1
    assert Client().get("/healthz", headers={"X-Request-ID": "edge-4711"})["X-Request-ID"] == "edge-4711"


@pytest.mark.parametrize(("proxies", "given"), [(0, "edge-4711"), (1, "x" * 65), (1, "a b"), (1, "é"), (1, "")])
def test_an_id_of_anybody_else_or_that_is_none_is_not(settings, proxies, given):
    settings.TRUSTED_PROXIES = proxies
    named = Client().get("/healthz", headers={"X-Request-ID": given})["X-Request-ID"]
    assert re.fullmatch(r"[0-9a-f]{32}", named)


@pytest.mark.django_db(transaction=True)
def test_what_the_threads_of_a_task_write_belongs_to_it_too(sandbox_account, settings, caplog, objects):
    settings.API_BUCKET_SIZE = 0
    caplog.set_level(logging.INFO, "softphones.audian")
    changes.create(account=sandbox_account, name="Desk", by=None, now=timezone.now())
    with belonging_to(request_id="of-the-page", task="push_changes"):
        changes.drain(account=sandbox_account, seconds=5)
    with belonging_to(request_id="of-the-clock", task="mirror_account"):
        mirror.run(sandbox_account, timezone.now())
    calls = [line for line in objects() if line["logger"] == "softphones.audian"]
    story = [(line["request_id"], line["task"], line["message"].split()[0]) for line in calls]
    assert ("of-the-page", "push_changes", "PUT") in story
    assert {(id, task) for id, task, _method in story} == {("of-the-page", "push_changes"), ("of-the-clock", "mirror_account")}
