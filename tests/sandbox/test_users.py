"""Users and the account (audian-api.md section 7)."""

ANNA = {"first_name": "Anna", "last_name": "Nowak", "email": "anna@acme.example", "username": "anna"}


def created(api, **more):
    answer = api.put("/users", {**ANNA, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()["data"]["id"]


def test_the_account_tells_its_realm(api):
    answer = api.get("")
    data = answer.json()["data"]
    assert answer.status_code == 200
    assert (data["id"], data["realm"], data["enabled"]) == (api.sandbox.account_id, "acme.sip.audian.com", True)
    assert {"name", "timezone", "language", "caller_id"} <= set(data)


def test_create_fills_defaults_and_keeps_no_password(api):
    answer = api.put("/users", {**ANNA, "password": "sign-in-secret"})
    data = answer.json()["data"]
    assert answer.status_code == 201
    assert answer.headers["Location"].endswith(f"/users/{data['id']}")
    assert "sign-in-secret" not in answer.text
    assert (data["enabled"], data["priv_level"], data["verified"]) == (True, "user", False)


def test_a_row_tells_who_but_not_whether_enabled(api):
    id_ = created(api, presence_id="1001", enabled=False)
    (row,) = api.get("/users").json()["data"]
    assert row == {
        "id": id_,
        **ANNA,
        "presence_id": "1001",
        "priv_level": "user",
        "features": [],
        "flags": [],
    }
    with_fields = api.get("/users", fields='["enabled","email"]').json()["data"]
    assert with_fields == [{"id": id_, "enabled": False, "email": ANNA["email"]}]


def test_users_are_listed_in_pages_with_filters(town):
    everyone = town.get("/users", paginate="false").json()["data"]
    first = town.get("/users", page_size=10).json()
    assert (len(first["data"]), first["page_size"]) == (10, 10)
    assert "next_start_key" in first
    shared = town.get("/users", filter_email="frontdesk@acme.example").json()["data"]
    assert [row["last_name"] for row in sorted(shared, key=lambda row: row["last_name"])] == ["Desk A", "Desk B"]
    disabled = town.get("/users", filter_enabled="false").json()["data"]
    assert {row["id"] for row in disabled} < {row["id"] for row in everyone}
    assert [row["first_name"] for row in disabled] == ["Gus"]


def test_what_a_user_must_have(api):
    answer = api.put("/users", {"email": "no-at-sign", "username": "has space", "priv_level": "god"})
    assert answer.status_code == 400
    errors = answer.json()["data"]
    assert {(path, rule) for path, rules in errors.items() for rule in rules} == {
        ("first_name", "required"),
        ("last_name", "required"),
        ("email", "wrong_format"),
        ("username", "pattern"),
        ("priv_level", "enum"),
    }


def test_a_username_is_unique_and_an_address_is_not(api):
    created(api)
    answer = api.put("/users", {**ANNA, "username": "ANNA"})
    assert answer.status_code == 400
    assert "unique" in answer.json()["data"]["username"]
    assert created(api, username="anna2")


def test_read_change_replace_and_delete(api):
    id_ = created(api, presence_id="1001")
    assert api.get(f"/users/{id_}").json()["data"]["email"] == "anna@acme.example"
    patched = api.patch(f"/users/{id_}", {"enabled": False}).json()["data"]
    assert (patched["enabled"], patched["presence_id"]) == (False, "1001")
    replaced = api.post(f"/users/{id_}", {"first_name": "Anna", "last_name": "Kowalska"}).json()["data"]
    assert "presence_id" not in replaced
    stale = api.call("PATCH", f"/users/{id_}", {"last_name": "X"}, headers={"If-Match": '"1-old"'})
    assert (stale.status_code, stale.content) == (412, b"")
    deleted = api.delete(f"/users/{id_}")
    assert (deleted.status_code, deleted.json()["metadata"]["deleted"]) == (200, True)
    assert api.get(f"/users/{id_}").status_code == 404


def test_deleting_a_user_leaves_the_phones_with_a_dangling_owner(api):
    owner = created(api)
    phone = api.created(owner_id=owner)
    api.sandbox.register(phone)
    api.delete(f"/users/{owner}")
    assert api.get(f"/devices/{phone}").json()["data"]["owner_id"] == owner
    assert api.get("/registrations/count").json()["data"] == {"count": 1}


def test_deleting_a_user_with_their_devices(api):
    for types in ("all", ["device"]):
        owner = created(api)
        phone = api.created(owner_id=owner)
        assert api.delete(f"/users/{owner}", data={"object_types": types}).status_code == 200
        assert api.get(f"/devices/{phone}").status_code == 404


def test_the_phones_of_one_user(api):
    owner = created(api)
    phone = api.created(owner_id=owner)
    api.created("somebody_else")
    (row,) = api.get(f"/users/{owner}/devices").json()["data"]
    assert (row["id"], row["username"], row["hotdesked"]) == (phone, "alice", False)
    assert api.get(f"/users/{'0' * 32}/devices").status_code == 404
