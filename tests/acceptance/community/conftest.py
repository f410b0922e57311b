"""Examples may have modules of the same name: a test that plans in this process forgets those of the one before."""

import sys

import pytest

from tests.acceptance.community.example_runs import EXAMPLES

MODULES = {path.stem for path in EXAMPLES.glob("*/*.py")}


@pytest.fixture(autouse=True)
def _own_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))  # a plan puts the folder of its spec there
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
