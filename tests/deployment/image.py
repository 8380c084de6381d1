"""Builds the portal's image as far as that goes without an engine: the files that the Dockerfile copies, what .dockerignore
lets through, its variables, and its RUN step in the project's folder.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

from tests.deployment.compose import ROOT

APP = "/app"


def instructions(stage: str) -> list[tuple[str, str]]:
    """What stands in one stage of the Dockerfile: (`COPY`, `static static`), in order."""
    lines = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if not line.lstrip().startswith("#")]
    found, inside = [], False
    for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines():
        word, _, rest = line.partition(" ")
        if word == "FROM":
            inside = rest.endswith(f" AS {stage}")
        if inside and word:
            found.append((word, rest))
    return found


def variables(stage: str = "portal") -> dict[str, str]:
    """The image's own environment."""
    pairs = [pair for word, rest in instructions(stage) if word == "ENV" for pair in shlex.split(rest)]
    return dict(pair.split("=", 1) for pair in pairs)


def copy_files(stage: str, folder: Path) -> None:
    """Put into `folder` what this stage copies from the project, as .dockerignore lets it through."""
    for word, rest in instructions(stage):
        if word != "COPY" or rest.startswith("--from"):
            continue
        *sources, target = rest.split()
        for source in sources:
            assert (ROOT / source).exists(), f"The Dockerfile copies {source}, which is not there."
            _copy(ROOT / source, folder, target, several=target.endswith(("/", ".")))


def build(folder: Path, env: dict[str, str]) -> None:
    """The portal's /app in `folder`: its files, then the RUN step that works on them, in `env`."""
    folder.mkdir()
    copy_files("portal", folder)
    (step,) = [rest for word, rest in instructions("portal") if word == "RUN" and "manage.py" in rest]
    done = subprocess.run(["sh", "-c", step], cwd=folder, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def path() -> str:
    """Where this machine has what the image has: the portal's packages first."""
    return f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}:/usr/sbin"


def _copy(source: Path, folder: Path, target: str, *, several: bool) -> None:
    there = folder / target.lstrip("/")
    if source.is_file():
        to = there / source.name if several else there
        if let_through(source):
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, to)
        return
    for path in sorted(source.rglob("*")):
        if path.is_file() and let_through(path):
            to = there / path.relative_to(source)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, to)


def let_through(path: Path) -> bool:
    """The last line of .dockerignore that names the path or a folder above it decides."""
    inside = path.relative_to(ROOT)
    names = [str(inside), *(str(parent) for parent in inside.parents if parent.name)]
    allowed = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!")
        if any(_names(pattern, name) for name in names):
            allowed = line.startswith("!")
    return allowed


def _names(pattern: str, name: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch(name.rpartition("/")[2], pattern.removeprefix("**/"))
    return fnmatch(name, pattern) and name.count("/") == pattern.count("/")
