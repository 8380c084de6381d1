"""docker-compose.yml, the Dockerfile and the example settings, read as they stand."""

import re
import subprocess
import sys
from ast import literal_eval

import pytest

from tests.deployment import compose, image

pytestmark = pytest.mark.once

DOCS = compose.ROOT / "docs" / "operating.md"
WATCHING = compose.ROOT / "docs" / "monitoring.md"
EXAMPLE = compose.ROOT / "deploy" / "example"
FILE = compose.load({})
SERVICES = FILE["services"]
ONE_SHOT = {"keys", "migrate", "people"}
LONG_RUNNING = SERVICES.keys() - ONE_SHOT
FOR_A_LOOK = {"sandbox", "people"}
PORTAL = {"migrate", "web", "worker", "beat", "people"}


def against_the_schema(path) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_file_holds_against_the_schema_of_the_compose_specification(tmp_path):
    answer = against_the_schema(compose.FILE)
    assert answer.returncode == 0, answer.stdout
    misspelt = tmp_path / "docker-compose.yml"
    misspelt.write_text(compose.text().replace("stop_grace_period", "stop_grace"))
    assert against_the_schema(misspelt).returncode == 1


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_has_no_more_rights_than_it_needs(name):
    service = SERVICES[name]
    assert service["user"].split(":")[0] not in {"", "0", "root"}
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service.get("cap_add", []) == (["NET_BIND_SERVICE"] if name == "proxy" else [])
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    assert bool(service.get("ports")) == (name == "proxy")


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - {"keys"}))
def test_what_a_service_writes_for_itself_is_not_in_its_image(name):
    """It is read-only; each takes /tmp for granted, and the official images their own places."""
    own = {"database": {"/var/run/postgresql"}, "broker": {"/data"}}.get(name, set())
    assert set(SERVICES[name]["tmpfs"]) == {"/tmp"} | own


def test_each_service_has_a_first_process_that_ends_what_others_left():
    assert all(service["init"] is True for service in SERVICES.values())


def test_the_database_has_the_shared_memory_that_it_works_with_and_the_broker_less_than_it_may_take():
    assert SERVICES["database"]["shm_size"] == "256m"
    broker = SERVICES["broker"]
    most = broker["command"][broker["command"].index("--maxmemory") + 1]
    assert int(most.removesuffix("mb")) < int(broker["mem_limit"].removesuffix("m"))


@pytest.mark.parametrize("name", sorted(LONG_RUNNING))
def test_a_service_that_stays_is_probed_restarted_and_given_time_to_end(name):
    service = SERVICES[name]
    assert service["restart"] == "unless-stopped"
    check = service["healthcheck"]
    assert check["test"][0] == "CMD"
    assert compose.seconds(check["timeout"]) <= compose.seconds(check["interval"])
    assert compose.seconds(check["start_period"]) > 0
    assert compose.seconds(service["stop_grace_period"]) >= 10


@pytest.mark.parametrize("name", sorted(ONE_SHOT))
def test_what_runs_once_is_not_restarted(name):
    assert SERVICES[name]["restart"] == "no"


def test_web_worker_and_beat_start_only_when_the_tables_are_there():
    for name in ("web", "worker", "beat"):
        assert SERVICES[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


def test_only_what_is_there_for_a_look_has_to_be_asked_for():
    assert {name for name, service in SERVICES.items() if "profiles" in service} == FOR_A_LOOK
    assert all(SERVICES[name]["profiles"] == ["sandbox"] for name in FOR_A_LOOK)


def test_a_web_process_serves_others_while_one_visitor_is_slow():
    from portal import gunicorn

    assert gunicorn.worker_class == "gthread"
    assert gunicorn.threads == 8, "the pages for operators name the number"
    assert all("8 threads each" in page or "8 in each" in page for page in (DOCS.read_text(), WATCHING.read_text()))


def test_each_request_goes_to_a_process_that_is_free_and_no_process_is_told_anything_by_a_file():
    from portal import gunicorn

    assert gunicorn.keepalive == 0
    assert gunicorn.control_socket_disable is True
    assert gunicorn.timeout >= 30, "a hung process is ended, a slow page is not"


def test_a_web_process_does_not_search_what_it_imported_for_garbage():
    show = "import gc; from portal import gunicorn; gunicorn.post_worker_init(None)"
    show += "; print(gc.get_freeze_count(), *gc.get_threshold())"
    env = {"PATH": image.path()}
    done = subprocess.run([sys.executable, "-c", show], cwd=compose.ROOT, env=env, capture_output=True, text=True, timeout=60)
    frozen, *thresholds = map(int, done.stdout.split())
    assert frozen > 10_000
    assert thresholds == [50_000, 20, 20]


def test_no_request_is_cut_off_by_the_end_of_a_web_server():
    from portal.gunicorn import graceful_timeout

    assert compose.seconds(SERVICES["web"]["stop_grace_period"]) > graceful_timeout


def test_what_has_to_stay_is_in_a_named_volume_and_each_volume_is_used():
    used = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert used - {"./deploy/sandbox/proxy"} == set(FILE["volumes"])
    assert "./deploy/sandbox/proxy:/etc/portal-proxy:ro" in SERVICES["proxy"]["volumes"]
    assert any(volume.startswith("database:/var/lib/postgresql/data") for volume in SERVICES["database"]["volumes"])
    assert any(volume.endswith(":/data") for volume in SERVICES["proxy"]["volumes"])


def test_the_database_and_the_broker_are_reached_by_the_portal_alone():
    assert FILE["networks"]["inside"] == {"internal": True}
    assert SERVICES["database"]["networks"] == SERVICES["broker"]["networks"] == ["inside"]
    assert {name for name, service in SERVICES.items() if "inside" in service.get("networks", [])} == PORTAL | {
        "database",
        "broker",
    }


def test_the_portal_and_the_database_mean_the_same_user_password_and_database():
    portal, database = SERVICES["web"]["environment"], SERVICES["database"]["environment"]
    user, name = database["POSTGRES_USER"], database["POSTGRES_DB"]
    assert portal["DATABASE_URL"] == f"postgres://{user}@database:5432/{name}"
    assert (portal["PGPASSFILE"], database["POSTGRES_PASSWORD_FILE"]) == (
        "/run/keys/portal/pgpass",
        "/run/keys/database/password",
    )
    assert {f"--username={user}", f"--dbname={name}"} <= set(SERVICES["database"]["healthcheck"]["test"])


def test_the_proxy_listens_on_the_ports_that_are_published():
    proxy = compose.load({"HTTP_PORT": "8000", "HTTPS_PORT": "8443", "PUBLISH": "192.0.2.1"})["services"]["proxy"]
    assert proxy["environment"] == {"HTTP_PORT": "8000", "HTTPS_PORT": "8443"}
    assert proxy["ports"] == ["192.0.2.1:8000:8000", "192.0.2.1:8443:8443", "192.0.2.1:8443:8443/udp"]


def test_without_a_word_of_the_operator_only_this_machine_reaches_it():
    """Then it is the sandbox, with mails for all to read."""
    assert SERVICES["proxy"]["ports"] == ["127.0.0.1:80:80", "127.0.0.1:443:443", "127.0.0.1:443:443/udp"]
    told = [line for page in (DOCS, compose.ROOT / "README.md") for line in page.read_text().splitlines() if "> .env" in line]
    assert len(told) == 2
    assert all("PORTAL_CONFIG=./config" in line and "PUBLISH=0.0.0.0" in line for line in told)


def test_a_proxy_of_ones_own_asks_web_and_ours_stays_out():
    path = compose.ROOT / "deploy" / "own-proxy.yml"
    assert against_the_schema(path).returncode == 0
    over = compose.load({"HTTP_PORT": "8000"}, path)["services"]
    assert over["web"] == {"ports": ["127.0.0.1:8000:8000"]}
    assert "0.0.0.0:8000" in SERVICES["web"]["command"]
    assert over["proxy"] == {"profiles": ["left-out"]}
    assert not any("proxy" in service.get("depends_on", {}) for service in SERVICES.values())


def test_how_many_proxies_are_believed_is_the_operators_to_say():
    assert SERVICES["web"]["environment"]["TRUSTED_PROXIES"] == "1"
    assert compose.load({"TRUSTED_PROXIES": "2"})["services"]["web"]["environment"]["TRUSTED_PROXIES"] == "2"


def test_no_service_can_take_all_processes_and_the_small_ones_not_all_memory():
    assert all(service["pids_limit"] <= 1024 for service in SERVICES.values())
    assert {name for name, service in SERVICES.items() if "mem_limit" in service} == {"proxy", "beat", "broker"}


def test_logs_do_not_fill_the_disk():
    assert all({"max-size", "max-file"} <= service["logging"]["options"].keys() for service in SERVICES.values())


@pytest.mark.parametrize("config", ["sandbox", "example"])
def test_no_secret_stands_in_the_file_or_in_an_environment(config):
    variables = {"PORTAL_CONFIG": f"./deploy/{config}"}
    for service in compose.load(variables)["services"].values():
        for name, value in compose.environment_of(service, variables).items():
            secret = re.search("KEY|PASSWORD|TOKEN|SECRET|EMAIL_URL|PASS", name)
            assert not secret or value.startswith("/run/"), name
            assert not re.search("://[^/]*:[^/]*@", value), name


def test_each_secret_of_the_operator_has_a_file_in_both_folders_which_the_portal_alone_is_given():
    names = {"audian_api_key", "audian_auth_token", "email_url", "metrics_token"}
    assert set(FILE["secrets"]) == names
    assert {name for name, service in SERVICES.items() if service.get("secrets")} == PORTAL
    assert {f"{name.upper()}_FILE" for name in names} <= SERVICES["web"]["environment"].keys()
    for folder in (EXAMPLE, compose.ROOT / "deploy" / "sandbox"):
        assert all((folder / name).is_file() for name in names)


def test_the_proxy_is_told_the_address_and_its_ports_and_no_more():
    assert compose.environment_of(SERVICES["proxy"], {}).keys() == {"PUBLIC_URL", "HTTP_PORT", "HTTPS_PORT"}


def test_images_of_others_are_named_by_version():
    dockerfile = (compose.ROOT / "Dockerfile").read_text()
    others = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    others += [service["image"] for service in SERVICES.values() if "build" not in service]
    assert len(others) >= 5
    assert [name for name in others if not re.search(r":\d+(\.\d+)?-", name)] == []


def test_the_images_are_locked_and_run_as_somebody():
    for stage in ("portal", "proxy"):
        assert [rest for word, rest in image.instructions(stage) if word == "USER"][-1].split(":")[0] == SERVICES[
            {"portal": "web", "proxy": "proxy"}[stage]
        ]["user"].split(":")[0]
    (install,) = [rest for word, rest in image.instructions("packages") if word == "RUN"]
    assert "--require-hashes" in install
    assert "--only-binary :all:" in install


def test_the_lock_is_installed_before_the_portals_own_files_are_copied():
    """So that a change of the portal alone builds in seconds."""
    assert [rest for word, rest in image.instructions("packages") if word == "COPY"] == ["requirements.lock ."]


def test_an_image_holds_the_portal_and_nothing_beside_it(tmp_path):
    image.copy_files("portal", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"deploy", "manage.py", "portal", "softphones", "static", "templates"}
    assert {path.name for path in (tmp_path / "deploy").iterdir()} == {"keys.py", "probe.py"}
    assert not list(tmp_path.rglob("*.pyc"))


def test_the_image_is_a_portal_for_real_unless_it_is_told_otherwise():
    assert image.variables()["DEBUG"] == "false"


@pytest.mark.parametrize("name", ["web", "worker", "beat"])
def test_systemd_runs_the_same_processes(name):
    unit = (compose.ROOT / "deploy" / "systemd" / f"portal-{name}.service").read_text()
    (command,) = re.findall(r"^ExecStart=/opt/portal/.venv/bin/(.*)$", unit, re.MULTILINE)
    assert command.replace("127.0.0.1:8000", "0.0.0.0:8000").split() == SERVICES[name]["command"]
    grace = compose.seconds(SERVICES[name]["stop_grace_period"])
    assert f"\nTimeoutStopSec={grace:.0f}\nRestart=always\n" in unit


# --- What an operator fills in


def test_every_variable_of_the_file_is_in_the_operators_page_and_the_other_way_round():
    documented = dict(re.findall(r"^\| `([A-Z_]+)` \| `?([^|`]*)`? \|", DOCS.read_text(), re.MULTILINE))
    assert documented == compose.variables_of(compose.text())


def production(folder, **filled: str) -> dict[str, str]:
    """The environment of `web` for somebody who has followed the operator's page, with these lines of portal.env changed."""
    for file in ("address.env", "portal.env"):
        text = (EXAMPLE / file).read_text()
        for name in list(filled):
            text, found = re.subn(rf"(?m)^{name}=.*$", f"{name}={filled[name]}", text)
            if found:
                del filled[name]
        (folder / file).write_text(text)
    assert not filled
    (folder / "audian_auth_token").write_text("")
    (folder / "audian_api_key").write_text("k" * 64 + "\n")
    (folder / "email_url").write_text("smtp://portal:secret@mail.example.com:587?tls=True\n")
    (folder / "metrics_token").write_text(SHOWN["METRICS_TOKEN"])
    subprocess.run([sys.executable, "deploy/keys.py", "make"], cwd=compose.ROOT, env={"KEYS_DIR": str(folder)}, check=True)
    variables = {"PORTAL_CONFIG": str(folder)}
    service = compose.load(variables)["services"]["web"]
    env = image.variables() | compose.environment_of(service, variables)
    there = {"/run/keys": folder, "/run/secrets": folder, "/var/lib/portal": folder, "/app": folder}
    for inside, outside in there.items():
        env = {name: re.sub(rf"^{inside}\b", str(outside), value) for name, value in env.items()}
    return env | {"PATH": image.path()}


def manage(*arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=compose.ROOT, env=env, capture_output=True, text=True, timeout=60)


SHOWN = {
    "PUBLIC_URL": "https://phones.acme.example",
    "AUDIAN_ACCOUNT_ID": "a" * 32,
    "AUDIAN_API_KEY": "k" * 64,
    "AUDIAN_API_URL": "https://api.audian.com:8443/v2",
    "COMPANY_NAME": "Acme",
    "HELPDESK_EMAIL": "helpdesk@example.com",
    "HELPDESK_PHONE": "+1 555 0100",
    "DEFAULT_FROM_EMAIL": "Acme Phones <phones@example.com>",
    "EMAIL_HOST": "mail.example.com",
    "EMAIL_HOST_PASSWORD": "secret",
    "EMAIL_USE_TLS": True,
    "METRICS_TOKEN": "only-Prometheus-knows-it",
    "ZOIPER_PROVIDER_ID": "b" * 32,
    "REDIS_URL": "redis://broker:6379/0",
    "TRUSTED_PROXIES": 1,
    "DEBUG": False,
    "DEMO": False,
}


def test_the_example_filled_in_is_a_portal_for_real_and_djangos_deploy_check_is_clean(tmp_path):
    filled = {name: SHOWN[name] for name in ("PUBLIC_URL", "AUDIAN_ACCOUNT_ID", "HELPDESK_PHONE", "ZOIPER_PROVIDER_ID")}
    env = production(tmp_path, **filled)
    show = f"from django.conf import settings; print({{name: getattr(settings, name) for name in {list(SHOWN)}}})"
    assert literal_eval(manage("shell", "--no-imports", "-c", show, env=env).stdout) == SHOWN
    checked = manage("check", "--deploy", "--fail-level", "WARNING", env=env)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_the_example_as_it_comes_is_no_portal_that_anybody_could_take_for_real(tmp_path):
    env = production(tmp_path)
    assert env["AUDIAN_ACCOUNT_ID"] == ""
    assert {path.read_text() for path in EXAMPLE.iterdir() if path.is_file() and path.suffix != ".env"} == {""}


def test_the_sandboxs_settings_never_reach_a_portal_for_real():
    """They stand in a folder of their own, and one variable chooses between the two folders."""
    for name in PORTAL:
        assert SERVICES[name]["env_file"] == ["./deploy/sandbox/address.env", "./deploy/sandbox/portal.env"]
    assert SERVICES["proxy"]["env_file"] == ["./deploy/sandbox/address.env"]
    text = compose.text()
    assert len(re.findall("deploy/sandbox", text)) == text.count("${PORTAL_CONFIG:-./deploy/sandbox}/")


def test_the_operators_files_are_kept_out_of_git_and_out_of_the_image():
    ignored = (compose.ROOT / ".gitignore").read_text().splitlines()
    assert {"/config/", ".env", "/docker-compose.override.yml", "/portal.dump", "/portal.keys"} <= set(ignored)
    assert not image.let_through(compose.ROOT / "config" / "portal.env")
    assert not image.let_through(compose.ROOT / ".env")
