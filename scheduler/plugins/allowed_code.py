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

OUR_CODE = "sweeps."  # its version identifies it


def refuse_unlisted(name: str, folder: Path) -> None:
    """Raise CodeUnusable unless the module of a name may be imported.

    Built-in environments have names of their own, and entry points are installed for us.
    """
    kind, colon, rest = name.partition(":")
    if not colon or kind == "offline" or name.startswith(OUR_CODE):
        return
    module = rest.partition("?")[0].replace("-", "_") if kind == "verifiers" else kind
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names:
        raise CodeUnusable(f"{name}: {top} is a module of Python; name a module of your own")
    if kind == "verifiers" or (folder / top).is_dir() or (folder / f"{top}.py").is_file():
        return
    if any(fnmatchcase(module, pattern) for pattern in os.environ.get(MODULES, "").replace(",", " ").split()):
        return
    file = find_file(module)
    if file is not None and INSTALLED & {*file.parts}:
        raise CodeUnusable(f"{name}: {module} is installed, and not listed; add it to {MODULES} on every machine")


def is_trusted_folder(folder: Path) -> bool:
    """May code be taken from this folder? It exists, and nobody else can put a file into it."""
    try:
        facts = folder.stat()
    except (OSError, ValueError):
        return False
    return folder.is_dir() and facts.st_uid in (os.getuid(), 0) and not facts.st_mode & 0o002
