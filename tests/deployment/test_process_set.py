"""The processes of docker-compose.yml, started as it says, on real PostgreSQL and Redis behind the real proxy.

First a round trip; then each of them is killed in turn, and the portal recovers. One set for all of it, so the tests are
in order.
"""

import csv
import json
import re
import shlex
import shutil
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import requests
from dotenv import dotenv_values
from ruamel.yaml import YAML

from softphones import second_factor
from softphones.demo import round_trip
from softphones.demo.phones import phones_of
from softphones.demo.place import Place
from softphones.demo.processes import Child
from softphones.demo.round_trip import Browser, Page
from softphones.demo.stage import Stage
from tests.deployment.compose import ROOT
from tests.deployment.engine import PATIENCE, steady_port
from tests.deployment.outside import From, certificate, got, newest_address, passwords_at_audian, upload

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def place(running) -> Place:
    """Where the demo keeps its own: the sign-ins that it printed, and where its sandbox is."""
    return Place(running.folder / "volumes" / "state" / "demo")


@pytest.fixture(scope="module")
def sign_in(running, place):
    """A browser of somebody, let in by the password that was printed."""

    def sign_in(who: str) -> Browser:
        address = f"{who}@acme.example"
        browser = Browser(running.url)
        browser.open("/sign-in/password/")
        browser.send(r"/sign-in/password/$", email=address, password=json.loads(place.passwords.read_text())[address])
        assert browser.page.url == f"{running.url}/"
        return browser

    return sign_in


@pytest.fixture(scope="module")
def alice(sign_in) -> Browser:
    return sign_in("alice")


@pytest.fixture(scope="module")
def adam(sign_in, place) -> Browser:
    """The admin, who has shown his second factor."""
    browser = sign_in("adam")
    secret = json.loads(place.second_factors.read_text())["adam@acme.example"]
    browser.open("/account/second-factor/enter/")
    browser.send(r"/second-factor/enter/$", code=second_factor.app_code(secret, time.time()))
    return browser


@pytest.fixture
def sandbox(place):
    """Asks the sandbox: GET, or POST with a body."""

    def ask(path: str = "", **body):
        url = f"{place.running()['sandbox']}/sandbox{path}"
        answer = requests.post(url, json=body, timeout=5) if body else requests.get(url, timeout=5)
        answer.raise_for_status()
        return answer.json()

    return ask


@pytest.fixture(scope="module")
def alices_first(place) -> str:
    """The id of Alice's first phone at Audian."""
    return phones_of(place, "alice")[0]["id"]


@pytest.fixture
def name_at_audian(sandbox, alices_first):
    """What Alice's first phone is called at Audian now. Asked past the API, whose rate limit is the portal's alone."""
    return lambda: sandbox(f"/devices/{alices_first}")["name"]


@pytest.fixture(scope="module")
def rename(alice, alices_first):
    """Gives Alice's first phone another name, as she does on its page. Any answer that is an error fails."""
    page = alice.follow(r"/softphones/\d+/$").url

    def rename(name: str) -> None:
        alice.open(page)
        alice.send(r"/name/$", name=name)

    return rename


def ready(running) -> dict:
    """What /readyz says; nothing while it can't be reached."""
    try:
        return requests.get(f"{running.url}/readyz", timeout=30).json()
    except (requests.ConnectionError, requests.JSONDecodeError):
        return {}


def test_a_round_trip_through_all_of_it(running, place):
    said = []
    round_trip.walk(Stage(place, running.url, place.running()["sandbox"]), say=said.append)
    assert len(said) == 5
    told = ready(running)
    assert {name: told[name] for name in ("database", "broker", "worker", "mirror")} == dict.fromkeys(
        ("database", "broker", "worker", "mirror"), "ok"
    )


def test_the_first_start_prints_a_sign_in_for_each_role(running, place):
    told = running.logs("people")
    assert f"The portal is at {running.url}\n" in told
    for address, password in json.loads(place.passwords.read_text()).items():
        assert re.search(rf"^  {address} +{re.escape(password)} ", told, re.MULTILINE)
    said = running.run("web", "python", "manage.py", "demo", "--code", "helen")
    assert re.match(r"\d{3} \d{3} \(new in", said.stdout), said.stderr


def test_a_visitor_is_known_by_the_address_that_the_proxy_saw_and_by_no_other(running, place):
    adam = Browser(running.url)
    adam.session.mount("http://", From("127.0.0.2"))
    adam.session.headers["X-Forwarded-For"] = "203.0.113.9"
    adam.open("/sign-in/password/")
    password = json.loads(place.passwords.read_text())["adam@acme.example"]
    adam.send(r"/sign-in/password/$", email="adam@acme.example", password=password)
    assert adam.page.url == f"{running.url}/"
    assert newest_address(running) == "127.0.0.2"


def test_without_redis_nobodys_act_becomes_an_error_and_it_is_done_once_redis_is_back(
    running, alice, rename, sandbox, name_at_audian
):
    before = sandbox()["devices"]
    with running.without("broker"):
        assert ready(running)["broker"] == "unreachable"
        rename("Renamed without a broker")
        alice.open("/")
        alice.send(r"/softphones/new/$")
        bob = Browser(running.url)
        bob.send(r"/sign-in/$", email="bob@acme.example")
        assert bob.page.url == f"{running.url}/sign-in/code/"
    running.wait(lambda: name_at_audian() == "Renamed without a broker")
    running.wait(lambda: sandbox()["devices"] == before + 1)
    running.wait(lambda: "bob@acme.example" in bob.get("/mail/").text)
    assert running.services["web"].starts == 1


def test_a_change_outlives_the_worker_that_was_sending_it_and_is_not_made_twice(running, sign_in, sandbox):
    before, starts = sandbox()["devices"], running.services["worker"].starts
    # The sandbox carries it out, and the worker dies before it hears of it.
    sandbox("/faults", name="slow", match="PUT /devices", seconds=2, after=True)
    helen = sign_in("helen")
    helen.send(r"/softphones/new/$")
    running.wait(lambda: sandbox()["devices"] > before)
    running.kill("worker")
    running.wait(lambda: "path" in Page(helen.get(helen.page.url)).by_id)
    assert sandbox()["devices"] == before + 1
    assert running.services["worker"].starts > starts


def test_an_import_outlives_a_kill_of_the_worker_and_the_web_server_without_a_touch_and_nothing_is_doubled(
    running, adam, sandbox
):
    before, names = sandbox()["devices"], [f"Bulk {number:02}" for number in range(1, 61)]
    adam.open("/acme/imports/")
    upload(adam, r"/imports/$", "phones.csv", "\n".join(["name", *names]))
    # Audian makes each at once, and says so late: some are in doubt whenever the worker dies.
    sandbox("/faults", name="slow", match="PUT /devices", seconds=0.5, times=40, after=True)
    page = adam.send(r"/start/$").url
    running.wait(lambda: sandbox()["devices"] >= before + 15)
    killed = [running.services[name] for name in ("worker", "web")]
    starts = [service.starts for service in killed]
    for service in killed:
        running.kill(service.name)
    assert sandbox()["devices"] < before + len(names)
    running.wait(lambda: all(each.starts > start and each.is_healthy() for each, start in zip(killed, starts, strict=True)))
    running.wait(lambda: 'id="how-far">Finished<' in adam.get(page).text, seconds=3 * PATIENCE)
    result = list(csv.DictReader(adam.get(f"{page}csv/").content.decode("utf-8-sig").splitlines()))
    assert [(row["name"], row["status"]) for row in result] == [(name, "made") for name in names]
    # Each row has a device of its own, and there is no other.
    assert [sandbox(f"/devices/{row['device_id']}")["name"] for row in result] == names
    assert sandbox()["devices"] == before + len(names)


def test_a_beat_that_is_gone_is_told_by_its_own_probe_and_by_readyz_while_the_workers_is_well(running):
    beat, worker = running.services["beat"], running.services["worker"]
    soon = {"WORKER_SILENT_AFTER": "10"}
    assert running.wait(lambda: beat.probe(**soon).returncode == 0 and ready(running)["beat"] == "ok")
    with running.without("beat"):
        running.wait(lambda: beat.probe(**soon).returncode == 1)
        (running.folder / "silent_after").write_text("10\n")
        in_a_file = {"WORKER_SILENT_AFTER": " ", "WORKER_SILENT_AFTER_FILE": str(running.folder / "silent_after")}
        assert beat.probe(**in_a_file).stderr == "Beat has sent nothing for 5 seconds.\n"
        assert beat.probe(**soon).stderr == "Beat has sent nothing for 5 seconds.\n"
        assert worker.probe().returncode == 0
    running.wait(lambda: beat.probe(**soon).returncode == 0)


def test_while_the_database_is_away_the_web_server_says_so(running):
    with running.without("database"):
        assert requests.get(f"{running.url}/healthz", timeout=5).json() == {"status": "ok"}
        answer = requests.get(f"{running.url}/readyz", timeout=20)
        assert (answer.status_code, answer.json()["status"]) == (503, "down")
    running.wait(lambda: ready(running).get("database") == "ok")


def test_what_was_told_to_be_accepted_outlives_a_kill_of_the_database_at_that_moment(running, rename, name_at_audian):
    with running.without("worker"):
        rename("Committed, then killed")
        running.kill("database")
    running.wait(lambda: name_at_audian() == "Committed, then killed")


def test_a_visitor_waits_while_the_web_server_is_started_again(running):
    with ThreadPoolExecutor() as elsewhere:
        running.kill("web")
        visit = elsewhere.submit(requests.get, f"{running.url}/sign-in/", timeout=30)
        running.wait(visit.done)
    assert visit.result().status_code == 200


def test_the_proxys_log_names_no_one_time_address_and_no_query(running):
    asked = [
        "/s/t0ken-a",
        "/zoiper?id=t0ken-b",
        "/S/t0ken-c?x=1",
        "/s%2Ft0ken-d",
        "/%53/t0ken-e",
        "/s;/t0ken-f",
        "/s%5ct0ken-g",
        "/zoiper;id=t0ken-j",
    ]
    logged = ["/s/…", "/zoiper?…", "/S/…", "/s%2F…", "/%53/…", "/s;…", "/s%5c…", "/zoiper;…", "/sign-in/?…"]

    def addresses() -> list[str]:
        # The last one may be half written.
        lines = [line for line in running.logs("proxy").splitlines() if '"status":' in line and line.endswith("}")]
        return [json.loads(line)["request"]["uri"] for line in lines]

    before = len(addresses())
    for address in [*asked, "/sign-in/?next=/s/t0ken-h"]:
        # As it stands: some libraries tidy an address up before they ask for it.
        with closing(HTTPConnection("localhost", int(running.variables["HTTP_PORT"]), timeout=20)) as connection:
            connection.request("GET", address, headers={"Referer": f"{running.url}/s/t0ken-i"})
            connection.getresponse().read()
    # A line is written once its answer has gone, so they may stand in another order.
    running.wait(lambda: Counter(logged) <= Counter(addresses()[before:]))
    assert "t0ken" not in running.logs("proxy")


def test_who_pastes_far_too_much_reads_so(running):
    with requests.Session() as browser:
        browser.trust_env = False
        page = browser.get(f"{running.url}/sign-in/", timeout=20)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
        for _ in range(15):  # where the page is sent too soon, some of them read an error
            answer = browser.post(page.url, {"csrfmiddlewaretoken": token, "email": "x" * 10_000_000}, timeout=30)
            assert answer.status_code == 413
            assert "Go back, split it, and try again." in answer.text


def test_another_name_is_told_where_the_portal_is(running):
    answer = requests.get(running.url.replace("localhost", "127.0.0.1"), timeout=20)
    assert (answer.status_code, answer.text) == (421, f"The portal is not at this address. It is at {running.url}")


def test_prometheus_is_let_in_as_the_monitoring_page_says(running):
    page = (ROOT / "docs" / "monitoring.md").read_text()
    (job,) = YAML(typ="safe", pure=True).load(re.search(r"```yaml\n(scrape_configs:.*?)```", page, re.DOTALL)[1])[
        "scrape_configs"
    ]
    example = urlsplit(dotenv_values(ROOT / "deploy" / "example" / "address.env")["PUBLIC_URL"])
    assert (job["scheme"], job["static_configs"]) == (example.scheme, [{"targets": [example.netloc]}])
    token = running.services["web"].env["METRICS_TOKEN"]
    answer = requests.get(f"{running.url}/metrics", headers={"Authorization": f"Bearer {token}"}, timeout=20)
    assert answer.status_code == 200
    assert "softphone_portal_sweep_age_seconds" in answer.text


@pytest.fixture
def start_proxy(running, tmp_path):
    """Starts another reverse proxy with its own ports, folders and `changes` to its environment and its Caddyfile."""
    started = []

    def start(*, changes: dict[str, str], **env: str) -> Child:
        service = running.services["proxy"]
        folder = Path(service.command[-1]).parent
        shutil.copytree(folder, tmp_path / "caddy")
        caddyfile = tmp_path / "caddy" / "Caddyfile"
        for old, new in ({running.ports["proxy"]: steady_port(), str(folder): str(caddyfile.parent)} | changes).items():
            assert old in caddyfile.read_text()
            caddyfile.write_text(caddyfile.read_text().replace(old, new))
        env = service.env | {"XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)} | env
        started.append(Child("proxy", [*service.command[:-1], str(caddyfile)], log=tmp_path / "proxy.log", env=env))
        return started[-1]

    yield start
    for proxy in started:
        proxy.stop()


def test_without_a_web_server_visitors_read_that_it_comes_back_and_the_log_still_names_nothing(running, start_proxy):
    url = f"http://localhost:{steady_port()}"
    nobody = {f"127.0.0.1:{running.ports['web']}": f"127.0.0.1:{steady_port()}", "lb_try_duration 10s": "lb_try_duration 1s"}
    proxy = start_proxy(changes=nobody, PUBLIC_URL=url)
    running.wait(lambda: got(f"{url}/s/t0ken-g") is not None or not proxy.alive())
    answer = got(f"{url}/s/t0ken-g")
    assert answer.status_code == 502
    assert "Back in a moment" in answer.text
    assert (answer.headers["Retry-After"], answer.headers["Cache-Control"]) == ("10", "no-store")
    running.wait(lambda: '"status":502' in proxy.tail(50))
    assert "t0ken" not in proxy.log.read_text()


def test_with_https_the_proxy_has_a_certificate_and_sends_everybody_there(running, start_proxy, tmp_path):
    secure, plain = steady_port(), steady_port()
    url = f"https://localhost:{secure}"
    proxy = start_proxy(changes={}, PUBLIC_URL=url, HTTPS_PORT=secure, HTTP_PORT=plain)
    root = tmp_path / "caddy" / "pki" / "authorities" / "local" / "root.crt"
    running.wait(lambda: (root.exists() and got(f"{url}/healthz", verify=str(root)) is not None) or not proxy.alive())
    sent_on = requests.get(f"http://localhost:{plain}/sign-in/", allow_redirects=False, timeout=20)
    assert sent_on.headers["Location"] == "https://localhost/sign-in/"
    # Django asks more of a form that came by TLS: it has to say from where. So it was told, and believes it.
    for address, status in ((running.url, 200), (url, 403)):
        with requests.Session() as browser:
            browser.verify, browser.trust_env = str(root), False
            page = browser.get(f"{address}/sign-in/", timeout=20)
            token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]
            sent = browser.post(page.url, data={"email": "", "csrfmiddlewaretoken": token}, timeout=20)
            assert sent.status_code == status


def test_the_proxy_takes_a_certificate_of_the_operators_own_as_the_page_says(running, start_proxy, tmp_path):
    page = (ROOT / "docs" / "operating.md").read_text()
    (line,) = re.findall(r"echo '(tls .*)' > config/proxy/tls.caddy", page)
    own = tmp_path / "own"
    own.mkdir()
    root = certificate(own / "portal.crt", own / "portal.key")
    (own / "tls.caddy").write_text(line.replace("/etc/portal-proxy", str(own)) + "\n")
    secure, plain = steady_port(), steady_port()
    url = f"https://localhost:{secure}"
    changes = {str(running.folder / "config" / "proxy"): str(own)}
    proxy = start_proxy(changes=changes, PUBLIC_URL=url, HTTPS_PORT=secure, HTTP_PORT=plain)
    running.wait(lambda: got(f"{url}/healthz", verify=str(root)) is not None or not proxy.alive())
    assert got(f"{url}/healthz", verify=str(root)).json() == {"status": "ok"}
    sent_on = requests.get(f"http://localhost:{plain}/sign-in/?next=/", allow_redirects=False, timeout=20)
    assert (sent_on.status_code, sent_on.headers["Location"]) == (308, f"{url}/sign-in/?next=/")
    assert requests.get(f"http://127.0.0.1:{plain}/", timeout=20).status_code == 421


@pytest.mark.parametrize(("proxies", "status"), [("0", 301), ("1", 200)])
def test_what_proxies_say_is_believed_only_if_there_are_any(running, tmp_path, proxies, status):
    """A visitor that claims to have come by TLS is sent there all the same, where nobody stands in front.

    Another host than the request's own is believed from nobody.
    """
    port, service = steady_port(), running.services["web"]
    env = service.env | {"TRUSTED_PROXIES": proxies, "PUBLIC_URL": "https://localhost"}
    command = [word.replace(running.ports["web"], port) for word in service.command]
    web = Child("web", command, log=tmp_path / "log", env=env, cwd=running.home("web"))
    try:
        running.wait(lambda: got(f"http://localhost:{port}/healthz") is not None)
        claims = {"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "on", "X-Forwarded-Protocol": "ssl"}
        claims["X-Forwarded-Host"] = "evil.example"
        answer = requests.get(f"http://localhost:{port}/sign-in/", headers=claims, allow_redirects=False, timeout=20)
        assert answer.status_code == status
        assert "evil.example" not in f"{answer.headers} {answer.text}"
        claims |= {"Host": "evil.example", "X-Forwarded-Host": "localhost"}
        answer = requests.get(f"http://localhost:{port}/sign-in/", headers=claims, allow_redirects=False, timeout=20)
        assert answer.status_code == 400
    finally:
        web.stop()


def test_a_backup_as_the_operators_page_makes_it_restores_every_row(running):
    env = running.services["web"].env | {"PGHOST": "127.0.0.1", "PGPORT": running.ports["database"]}
    page = (ROOT / "docs" / "operating.md").read_text()
    (dump,) = re.findall(r"^docker compose exec -T database (pg_dump .*) > portal.dump$", page, re.MULTILINE)
    (restore,) = re.findall(r"^docker compose exec -T database (pg_restore .*) < portal.dump$", page, re.MULTILINE)
    with psycopg.connect(env["DATABASE_URL"], passfile=env["PGPASSFILE"], autocommit=True) as connection:
        connection.execute("CREATE DATABASE elsewhere")
    saved = subprocess.run(shlex.split(dump), env=env, check=True, capture_output=True).stdout
    # Twice: the second time, everything is there already.
    for _ in range(2):
        put_back = shlex.split(restore.replace("--dbname=portal", "--dbname=elsewhere"))
        done = subprocess.run(put_back, env=env, input=saved, capture_output=True)
        assert done.returncode == 0, done.stderr
    there = env["DATABASE_URL"].rpartition("/")[0] + "/elsewhere"
    with psycopg.connect(there, passfile=env["PGPASSFILE"]) as connection:
        phones = connection.execute("SELECT count(*) FROM softphones_softphone").fetchone()[0]
        events = connection.execute("SELECT count(*) FROM softphones_auditevent").fetchone()[0]
    assert phones >= 25
    assert events > 0


@pytest.mark.parametrize("name", ["beat", "worker", "broker", "database", "sandbox", "web", "proxy"])
def test_each_that_is_killed_comes_back_and_the_portal_with_it(running, rename, name_at_audian, name):
    service = running.services[name]
    starts, killed_at = service.starts, time.monotonic()
    running.kill(name)
    running.wait(lambda: service.starts > starts and service.is_healthy())

    def has_swept_since() -> bool:
        age = ready(running).get("worker_age_seconds")
        return age is not None and age + 1 < time.monotonic() - killed_at

    running.wait(has_swept_since)
    rename(f"After the {name} was killed")
    running.wait(lambda: name_at_audian() == f"After the {name} was killed")


def test_no_log_holds_a_secret(running, sandbox):
    keys = running.folder / "volumes" / "keys"
    secrets = {path.name: path.read_text().strip() for path in keys.glob("*/*") if path.is_file()}
    assert sorted(secrets) == ["field_encryption_keys", "password", "pgpass", "secret_key"]
    secrets["API key"] = sandbox()["api_key"]
    secrets["token"] = sandbox()["static_token"]
    secrets["metrics token"] = running.services["web"].env["METRICS_TOKEN"]
    passwords = passwords_at_audian(sandbox)
    assert passwords
    secrets |= passwords
    logs = running.logs(*(name for name in running.services if name != "sandbox"))
    assert [name for name, secret in secrets.items() if secret in logs] == []


def test_nothing_is_written_into_the_image_and_all_end_well_within_their_grace(running):
    before = running.built
    statuses = running.stop()
    assert running.files_of_the_image() == before
    assert statuses == dict.fromkeys(["web", "worker", "beat", "proxy", "database", "broker", "sandbox"], 0)
