"""What the documents say about settings and commands is what there is."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class
from django.core.management.base import BaseCommand

from tests.variables import variables

DOCS = Path(__file__).parent.parent.parent / "docs"
OURS = sorted(name for name, app in get_commands().items() if app == "softphones")


def test_every_setting_is_documented_and_every_documented_one_exists():
    documented = re.findall(r"^\| `([A-Z_]+)` \|", (DOCS / "settings.md").read_text(), re.MULTILINE)
    assert sorted(documented) == sorted(variables())


def test_every_command_is_documented_and_every_documented_one_exists():
    documented = re.findall(r"^## `manage\.py (\w+)", (DOCS / "commands.md").read_text(), re.MULTILINE)
    assert sorted(documented) == OURS


@pytest.mark.parametrize("name", OURS)
def test_every_option_of_a_command_is_documented_and_every_documented_one_exists(name):
    section = re.search(rf"^## `manage\.py {name}.*?(?=^## |\Z)", (DOCS / "commands.md").read_text(), re.MULTILINE | re.DOTALL)
    documented = re.findall(r"^\| `([^` ]+)", section[0], re.MULTILINE)
    own = arguments(load_command_class("softphones", name)) - arguments(BaseCommand())
    assert sorted(documented) == sorted(own)


def arguments(command: BaseCommand) -> set[str]:
    """Long options, and positional arguments by the name that --help shows."""
    actions = command.create_parser("manage.py", "x")._actions
    return {action.option_strings[-1] if action.option_strings else (action.metavar or action.dest) for action in actions}
