"""Code of whoever asks, by its name `package.module:attribute`: found, imported, and known by its source.

Whatever it does when it is imported or looked at comes out as CodeUnusable. Little is imported here, for the processes
in which such code runs begin with this module.
"""

import hashlib
import importlib
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from scheduler.errors import CodeUnusable
from scheduler.plugins.user_imports import find_own_files

DIGITS = 16


def make_importable(folder: Path) -> None:
    """Behind everything else, so that a file of somebody's takes the place of no module of ours or of Python's."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
        importlib.invalidate_caches()


def import_user_module(name: str, module_name: str) -> ModuleType:
    """The module of something that has this name. Raises CodeUnusable."""
    try:
        return importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        looked = "in the installed packages and where the command stands (or in the folder SWEEP_ENVIRONMENTS)"
        where = f"; it was looked for {looked}" if error.name and module_name.startswith(error.name) else ""
        raise CodeUnusable(f"{name}: there is no module {error.name!r}{where}") from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - an import runs anything
        raise CodeUnusable(f"{name}: to import {module_name} {describe_error(error)}") from None


def get_attribute(name: str, module: ModuleType, attribute: str) -> Any:
    """What the module has under a dotted name. Raises CodeUnusable."""
    found: Any = module
    for step in attribute.split("."):
        if not hasattr(found, step):
            offered = ", ".join(each for each in vars(module) if not each.startswith("_")) or "nothing"
            where = module.__file__ or module.__name__
            raise CodeUnusable(f"{name}: {where} has no {attribute!r}; it has {offered}")
        found = getattr(found, step)
    return found


def describe_error(error: BaseException) -> str:
    """An exception of other people's code in a few words, with the place where it arose."""
    try:
        message = make_printable(str(error)[:1000])
    except Exception:  # noqa: BLE001 - theirs as well
        message = ""
    text = f"raised {type(error).__name__}" + (f": {message[:300]}" if message else "")
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return text
    return f"{text} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"


def make_printable(text: str) -> str:
    """On one line, without what would steer a terminal or cannot be written as UTF-8."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def shorten_value(value: object) -> str:
    """A value of theirs, shortened where it is long."""
    text = make_printable(repr(value))
    return text if len(text) <= 80 else text[:77] + "…"


def digest_modules(version: str, modules: set[str]) -> str:
    """Of the files that were named or hold what was found, and of all that they import of their owner's."""
    digest = hashlib.sha256(f"version {version}".encode())
    for name, file in sorted(find_own_files(modules).items()):
        digest.update(b"\0" + name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:DIGITS]
