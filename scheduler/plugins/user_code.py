"""Import user code by its name `package.module:attribute`, and compute the digest of its source.

Whatever the code does when it is imported or inspected, the error is CodeUnusable. This module imports little, because
the sandbox processes start with it.
"""

import hashlib
import importlib
import sys
import sysconfig
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from scheduler.errors import CodeUnusable
from scheduler.plugins.user_imports import INSTALLED, OURS, find_own_files

DIGITS = 16
ROOT = Path(__file__).parents[2]  # the folder of our packages


def make_importable(folder: Path) -> None:
    """Add a folder to the end of the path, so that its files hide no module of ours or of Python."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
        importlib.invalidate_caches()


def choose_folder(name: str, *folders: Path) -> Path:
    """Choose the first of some folders that has the module of a name `package.module:attribute`; else the last one."""
    module_name = name.partition(":")[0]
    return next((folder for folder in folders if _find_file(folder, module_name)), folders[-1])


def _find_file(folder: Path, module_name: str) -> Path | None:
    path = folder.joinpath(*module_name.split("."))
    return next((file for file in (path.with_name(f"{path.name}.py"), path / "__init__.py") if file.is_file()), None)


def import_user_module(name: str, module_name: str, folder: Path) -> ModuleType:
    """Import the module of a name; `folder` is searched last. Raises CodeUnusable."""
    make_importable(folder)
    try:
        return _refuse_other_file(name, importlib.import_module(module_name), _find_file(folder, module_name))
    except CodeUnusable:
        raise
    except ModuleNotFoundError as error:
        where = "; searched the installed packages, the folder of the sweep file, and SWEEP_ENVIRONMENTS"
        where += " (by default the current folder)"
        missing = error.name and module_name.startswith(error.name)
        raise CodeUnusable(f"{name}: there is no module {error.name!r}{where if missing else ''}") from None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - an import runs anything
        raise CodeUnusable(f"{name}: importing {module_name} {describe_error(error)}") from None


def _refuse_other_file(name: str, module: ModuleType, expected: Path | None) -> ModuleType:
    """Refuse a module of another folder that Python finds first (PYTHONPATH): it is not the one beside the file."""
    file = Path(module.__file__) if module.__file__ else None
    if expected and file and _is_own(str(file)) and not file.samefile(expected):
        raise CodeUnusable(
            f"{name}: expected the module in {expected}, but Python finds {file} first; rename one of them"
        )
    return module


def get_attribute(name: str, module: ModuleType, attribute: str) -> Any:
    """Return the attribute of a module with a dotted name. Raises CodeUnusable."""
    value: Any = module
    for step in attribute.split("."):
        if not hasattr(value, step):
            offered = ", ".join(name for name in vars(module) if not name.startswith("_")) or "nothing"
            where = module.__file__ or module.__name__
            raise CodeUnusable(f"{name}: {where} has no {attribute!r}, only {offered}")
        value = getattr(value, step)
    return value


def describe_error(error: BaseException) -> str:
    """Describe an exception in a few words, with the last file and line of the user's own code on its way."""
    try:
        message = make_printable(str(error)[:1000])
    except Exception:  # noqa: BLE001 - `str` is user code, too
        message = ""
    text = f"raised {type(error).__name__}" + (f": {message[:300]}" if message else "")
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return text
    own = next((frame for frame in reversed(frames) if _is_own(frame.filename)), frames[-1])
    place = f"{Path(own.filename).name}, line {own.lineno}"
    deeper = "" if own is frames[-1] else f", in {Path(frames[-1].filename).name}, line {frames[-1].lineno}"
    return f"{text} ({place}{deeper})"


def _is_own(file: str) -> bool:
    """Say whether a file is neither Python's, nor an installed package's, nor ours."""
    path = Path(file)
    python = sysconfig.get_path("stdlib") or ""
    installed = INSTALLED & {*path.parts} or file.startswith("<")
    return not installed and not path.is_relative_to(python) and not (path.is_relative_to(ROOT) and _is_ours(path))


def _is_ours(path: Path) -> bool:
    return path.relative_to(ROOT).parts[0] in OURS


def make_printable(text: str) -> str:
    """Put a text on one line, without characters that steer a terminal or are not UTF-8."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def shorten_value(value: object) -> str:
    """Return the repr of a value of user code, shortened."""
    text = make_printable(repr(value))
    return text if len(text) <= 80 else text[:77] + "…"


def digest_source(name: str, module_name: str, folder: Path, planned: str | None) -> str:
    """Hash what a module runs when it is imported, without importing it; `folder` is searched last.

    Raises CodeUnusable if it is not what was `planned`, the whole digest `SOURCE-LOADED`; None is not compared.
    """
    make_importable(folder)
    source = digest_modules("source", {module_name})
    if planned is not None:
        refuse_other_code(name, source, planned.partition("-")[0])
    return source


def refuse_other_code(name: str, code: str, planned: str) -> None:
    """Raise CodeUnusable if code is not what was planned."""
    if code != planned:
        raise CodeUnusable(
            f"{name}: its code changed since the plan (expected {planned or 'no code'}, got {code}); put the old code "
            "back, or submit the sweep again under another name"
        )


def digest_modules(version: str, modules: set[str]) -> str:
    """Hash these modules and everything of the same owner that they import."""
    digest = hashlib.sha256(f"version {version}".encode())
    for name, file in sorted(find_own_files(modules).items()):
        digest.update(b"\0" + name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:DIGITS]
