"""docs/sandbox.md names the test of each behaviour and every fault; both lists stay true."""

import ast
import re
from pathlib import Path

from softphones.audian.sandbox.faults import KINDS

HERE = Path(__file__).parent
PAGE = (HERE.parent.parent / "docs" / "sandbox.md").read_text(encoding="utf-8")


def functions_of(name):
    tree = ast.parse((HERE / name).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_test_that_the_page_names_exists():
    table = PAGE[PAGE.index("| behaviour | test |") :]
    rows = [line for line in table.splitlines()[2:] if line.startswith("|")]
    assert len(rows) > 40
    for row in rows:
        named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", row)
        assert named, f"no test in: {row}"
        for file, function in named:
            assert function in functions_of(file), f"{file} has no {function}"


def test_the_page_names_every_fault_and_no_other():
    faults = PAGE[PAGE.index("| fault | what happens |") : PAGE.index("With `after=True`")]
    named = {
        name for line in faults.splitlines()[2:] for name in re.findall(r"`(\w+)`", line.split("|")[1] if "|" in line else "")
    }
    assert named == set(KINDS)
