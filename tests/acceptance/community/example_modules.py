"""Import the modules of an example, and say when its longer tests run.

COMMUNITY=short runs what takes a quarter of a minute to two minutes, COMMUNITY=all everything; `make test` tiny forms.
"""

import importlib
import os
import sys
from types import ModuleType

import pytest

from tests.acceptance.community.example_runs import EXAMPLES

LENGTH = os.environ.get("COMMUNITY", "")
IN_FULL = pytest.mark.skipif(LENGTH != "all", reason="minutes of training: COMMUNITY=all")
IN_SHORT = pytest.mark.skipif(LENGTH not in ("short", "all"), reason="up to two minutes of training: COMMUNITY=short")


def import_module(patch: pytest.MonkeyPatch, name: str, module: str) -> ModuleType:
    """Import a module of an example's folder for one test: examples may have modules of the same name."""
    patch.syspath_prepend(EXAMPLES / name)
    for other in (path.stem for path in (EXAMPLES / name).glob("*.py")):
        patch.delitem(sys.modules, other, raising=False)
    return importlib.import_module(module)
