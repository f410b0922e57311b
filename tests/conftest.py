"""What holds for every test: the SDK sends no telemetry, and asks no hub."""

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _quiet_sdk() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setitem(os.environ, "TINKER_TELEMETRY", "0")
    patch.setitem(os.environ, "HF_HUB_OFFLINE", "1")
    yield
    patch.undo()
