"""Reads docker-compose.yml as Compose does, as far as the file goes: variables, merged maps, env files.

The schema: the one of the Compose specification, as check-jsonschema brings it along.
"""

import re
from pathlib import Path

from dotenv import dotenv_values
from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent.parent
FILE = ROOT / "docker-compose.yml"
_VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?:(?P<how>:[-+])(?P<word>[^}]*))?\}")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


def text() -> str:
    return FILE.read_text()


def load(variables: dict[str, str], path: Path = FILE) -> dict:
    """The whole file with these variables of the project (.env and shell) put in."""
    return _put_in(YAML(typ="safe", pure=True).load(path.read_text()), variables)


def variables_of(source: str) -> dict[str, str]:
    """Each variable that can be set from outside, and its default ("" for none)."""
    return {match["name"]: match["word"] for match in _VARIABLE.finditer(source) if match["how"] == ":-"}


def environment_of(service: dict, variables: dict[str, str]) -> dict[str, str]:
    """What the container finds in its environment, beside what its image brings: the env files, then `environment`."""
    found = {}
    for name in service.get("env_file", []):
        values = dotenv_values(ROOT / name, interpolate=False)
        found |= {key: _interpolated(value or "", variables) for key, value in values.items()}
    return found | service.get("environment", {})


def seconds(duration: str) -> float:
    """A duration such as `15s` or `1m30s`."""
    return sum(float(number) * _SECONDS[unit] for number, unit in re.findall(r"(\d+)(ms|s|m|h)", duration))


def _put_in(value, variables: dict[str, str]):
    match value:
        case dict():
            return {key: _put_in(each, variables) for key, each in value.items()}
        case list():
            return [_put_in(each, variables) for each in value]
        case str():
            return _interpolated(value, variables)
        case _:
            return value


def _interpolated(value: str, variables: dict[str, str]) -> str:
    def found(match: re.Match) -> str:
        given, how, word = variables.get(match["name"], ""), match["how"], match["word"]
        if how == ":+":
            return word if given else ""
        return given or (word if how else "")

    return _VARIABLE.sub(found, value)
