"""Decide which modules a name of a user's code may lead to, before anything is imported.

A name may come from a spec of somebody else, or from whoever can write to Redis. `os:abort` and `torch.hub:load` are
names like any other. So a name leads to a module of the user's own, or to an installed one that this machine lists.
"""

import os
import sys
from fnmatch import fnmatchcase
from pathlib import Path

from scheduler.errors import CodeUnusable
from scheduler.plugins.user_imports import INSTALLED, find_file
from scheduler.settings import MODULES

VERIFIERS = "verifiers:"  # before the name of an environment of that library
OUR_CODE = "sweeps."  # its version identifies it


def refuse_unlisted(name: str, folder: Path) -> None:
    """Raise CodeUnusable unless the module of a name may be imported.

    Built-in environments have names of their own, and entry points are installed for us.
    """
    module = _find_module(name)
    if module is None or name.startswith(VERIFIERS) or _is_in(module, folder) or _is_listed(module):
        return
    file = find_file(module)
    if file is not None and INSTALLED & {*file.parts}:
        raise CodeUnusable(f"{name}: {module} is installed, and not listed; add it to {MODULES} on every machine")


def refuse_uninstalled(name: str, folder: Path) -> None:
    """Raise CodeUnusable unless a spec that was sent may name this: it is in the operator's `folder`, or listed."""
    module = _find_module(name)
    if module is None or name.startswith(VERIFIERS) or _is_in(module, folder) or _is_listed(module):
        return
    raise CodeUnusable(
        f"{name}: a spec that is sent names only code that the operator of the server installed; "
        f"ask for {module} in the folder SWEEP_ENVIRONMENTS, or in {MODULES}"
    )


def _find_module(name: str) -> str | None:
    """Return the module of a name, or None for what comes with this program. Raises CodeUnusable for one of Python."""
    kind, colon, rest = name.partition(":")
    if not colon or kind == "offline" or name.startswith(OUR_CODE):
        return None
    module = rest.partition("?")[0].replace("-", "_") if name.startswith(VERIFIERS) else kind
    if module.partition(".")[0] in sys.stdlib_module_names:
        raise CodeUnusable(f"{name}: {module.partition('.')[0]} is a module of Python; name a module of your own")
    return module


def _is_in(module: str, folder: Path) -> bool:
    top = module.partition(".")[0]
    return (folder / top).is_dir() or (folder / f"{top}.py").is_file()


def _is_listed(module: str) -> bool:
    patterns = os.environ.get(MODULES, "").replace(",", " ").split()
    return any(fnmatchcase(module, pattern) for pattern in patterns)


def is_trusted_folder(folder: Path) -> bool:
    """May code be taken from this folder? It exists, and nobody else can put a file into it."""
    try:
        facts = folder.stat()
    except (OSError, ValueError):
        return False
    return folder.is_dir() and facts.st_uid in (os.getuid(), 0) and not facts.st_mode & 0o002
