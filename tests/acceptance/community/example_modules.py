"""Import the modules of an example, and say when its long tests run."""

import importlib
import os
import sys
from types import ModuleType

import pytest

from tests.acceptance.community.example_runs import EXAMPLES

IN_FULL = pytest.mark.skipif(os.environ.get("COMMUNITY") != "all", reason="minutes of training: COMMUNITY=all")
NULL_RUNS, FALSE_CLAIMS = 20, 2  # how often a null twin runs, and how often it may claim something: chance, at .05


def import_module(patch: pytest.MonkeyPatch, name: str, module: str) -> ModuleType:
    """Import a module of an example's folder for one test: examples may have modules of the same name."""
    patch.syspath_prepend(EXAMPLES / name)
    for other in (path.stem for path in (EXAMPLES / name).glob("*.py")):
        patch.delitem(sys.modules, other, raising=False)
    return importlib.import_module(module)
