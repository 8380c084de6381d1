"""No log line holds a one-time token, whoever writes it."""

import io
import json
import logging
import logging.config
from datetime import timedelta

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger

from portal import gunicorn as gunicorn_settings
from portal.logs import configuration
from tests.links.conftest import LINPHONE, UNKNOWN

TOKEN = "Zk3-t_oken" * 4 + "abc"


@pytest.fixture
def written():
    """What our log handler writes, as configured, from any logger of this process."""
    stream = io.StringIO()
    ours = configuration(line="text", level="INFO")
    configurator = logging.config.DictConfigurator(ours)
    configurator.config["filters"] = {"secrets": configurator.configure_filter(ours["filters"]["secrets"])}
    configurator.config["formatters"] = {"line": configurator.configure_formatter(ours["formatters"]["line"])}
    handler = configurator.configure_handler(dict(ours["handlers"]["stderr"]))
    handler.setStream(stream)
    logging.getLogger().addHandler(handler)
    yield stream.getvalue
    logging.getLogger().removeHandler(handler)


@pytest.mark.django_db
@pytest.mark.parametrize("path", [f"/s/{TOKEN}", f"/zoiper?id={TOKEN}", f"/zoiper?x=1&id={TOKEN}", f"/s/{TOKEN}/"])
def test_django_warns_of_dead_links_without_their_tokens(client, softphone_app, written, path):
    client.get(path)
    softphone_app.get(path, headers=LINPHONE)
    softphone_app.delete(path)
    assert "Not Found: /" in written()
    assert TOKEN not in written()


@pytest.mark.django_db
def test_a_press_without_a_form_token_is_refused_without_naming_the_link(written):
    from django.test import Client

    Client(enforce_csrf_checks=True).post(f"/s/{UNKNOWN}")
    assert "Forbidden" in written()
    assert UNKNOWN not in written()


def test_djangos_own_server_writes_requests_without_them(written):
    logging.getLogger("django.server").info('"%s" %s %s', f"GET /s/{TOKEN} HTTP/1.1", "200", "1234")
    assert '"GET /s/… HTTP/1.1" 200 1234' in written()


@pytest.mark.parametrize("path", [f"/S/{TOKEN}", f"/sign-in/?next=/zoiper/%3Fid%3D{TOKEN}", f"/x?next=%2Fzoiper%3fid={TOKEN}"])
def test_an_address_that_was_mangled_on_its_way_is_no_exception(written, path):
    logging.getLogger("django.server").info('"%s" %s %s', f"GET {path} HTTP/1.1", "404", "1234")
    assert '… HTTP/1.1" 404 1234' in written()
    assert TOKEN not in written()


def test_a_path_forges_no_line_of_its_own(written):
    logging.getLogger("gunicorn.access").info('"GET %s" 404', "/x\n2026-11-23 08:00:00,000 INFO softphones\x1b[2K\u2028")
    assert '"GET /x\\n2026-11-23 08:00:00,000 INFO softphones\\x1b[2K\\u2028" 404' in written()
    assert written().count("\n") == 1


def test_so_does_urllib3_with_the_address_of_zoipers_picture(written):
    line = '%s://%s:%s "%s %s %s" %s %s'
    path = f"/qr.php?provider_id=0123&u=&t={TOKEN}&tr=0"
    logging.getLogger("urllib3.connectionpool").warning(line, "https", "oem.zoiper.com", 443, "GET", path, "HTTP/1.1", 200, 999)
    assert "/qr.php?provider_id=0123&u=&t=…&tr=0" in written()


def test_a_traceback_is_written_without_them(written):
    try:
        raise OSError(f"no answer from https://phones.acme.example/s/{TOKEN}")
    except OSError:
        logging.getLogger("softphones").exception("It failed")
    assert "no answer from https://phones.acme.example/s/…" in written()
    assert TOKEN not in written()


@pytest.mark.parametrize("line", ["text", "json"])
@pytest.mark.parametrize("format", [None, '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'])
def test_gunicorns_access_lines_are_written_without_them(capsys, format, line):
    """With our configuration, and with a log format that also names the whole request line and the referrer."""
    config = Config()
    config.set("accesslog", "-")
    config.set("logconfig_dict", configuration(line=line, level="INFO", own=("gunicorn.access",)))
    config.set("access_log_format", format or gunicorn_settings.access_log_format)
    logger = Logger(config)
    environ = {
        "REQUEST_METHOD": "GET",
        "RAW_URI": f"/zoiper?id={TOKEN}",
        "PATH_INFO": f"/s/{TOKEN}",
        "QUERY_STRING": f"id={TOKEN}",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.7",
        "HTTP_REFERER": f"https://phones.acme.example/s/{TOKEN}",
    }
    answer = type("Answer", (), {"status": "200 OK", "sent": 10, "headers": [("Content-Type", "text/html")]})
    request = type("Request", (), {"headers": [("REFERER", environ["HTTP_REFERER"])]})
    logger.access(answer, request, environ, timedelta(milliseconds=3))
    written = capsys.readouterr().err
    told = json.loads(written)["message"] if line == "json" else written
    assert "/s/…" in told
    assert TOKEN not in written
