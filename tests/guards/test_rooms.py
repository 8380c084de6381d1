"""Imports point one way: the API client and the softphone apps could be lifted out as libraries tomorrow."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
FRAMEWORKS = ("django", "celery", "portal", "softphones", "allauth")
# Translation is Django's, but needs neither database nor request.
MAY_IMPORT = {"softphones/audian": set(), "softphones/clients": {"django.utils.translation"}}


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module)
    return names


def imports_of(room: str, wrong) -> dict[str, set[str]]:
    """For each module of `room` that imports something `wrong`, what that is."""
    modules = sorted((ROOT / room).rglob("*.py"))
    assert modules, f"{room} is empty"
    found = {str(path.relative_to(ROOT)): {name for name in imported(path) if wrong(name)} for path in modules}
    return {path: names for path, names in found.items() if names}


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_library_knows_nothing_of_the_portal(room):
    own = room.replace("/", ".")

    def wrong(name: str) -> bool:
        return name.split(".")[0] in FRAMEWORKS and not f"{name}.".startswith(f"{own}.") and name not in MAY_IMPORT[room]

    assert imports_of(room, wrong) == {}


def test_the_tables_know_no_room_above_them():
    allowed = ("softphones.models", "portal.fields")
    assert imports_of("softphones/models", lambda n: n.startswith(("softphones", "portal")) and not n.startswith(allowed)) == {}


def test_who_locks_a_row_lets_others_point_at_it():
    """FOR UPDATE without NO KEY waits for each row that is about to name the locked one: audit, mails, wishes. Two such
    locks in one moment are a deadlock on PostgreSQL."""
    paths = [path for path in (ROOT / "softphones").rglob("*.py") if "select_for_update" in path.read_text()]
    calls = [(path, node) for path in paths for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    locks = [(path, call) for path, call in calls if getattr(call.func, "attr", "") == "select_for_update"]
    assert locks
    wrong = [(path, call) for path, call in locks if "no_key" not in {each.arg for each in call.keywords}]
    assert [f"{path.relative_to(ROOT)}:{call.lineno}" for path, call in wrong] == []
