"""The names of all variables that portal/settings.py reads from the environment."""

import ast
from pathlib import Path

SETTINGS = Path(__file__).parent.parent / "portal" / "settings.py"


def variables() -> set[str]:
    calls = (node for node in ast.walk(ast.parse(SETTINGS.read_text())) if isinstance(node, ast.Call))
    return {
        call.args[0].value
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "environment"
        and call.args
        and isinstance(call.args[0], ast.Constant)
    }
