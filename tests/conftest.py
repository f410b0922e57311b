"""What holds for every test: the SDK sends no telemetry, and asks no hub."""

import atexit
import functools
import gc
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import certifi
import pytest
from hypothesis import settings

# One thread for each process, as in production: two streams whose matrix products spin for each
# other's cores take three times as long. It is set before anything imports numpy.
for threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(threads, "1")

# Nothing here speaks TLS, and reading all certificates takes 40 ms of every client that is opened: one will do, but one
# there must be.
ONE = Path(tempfile.gettempdir()) / f"one-certificate-{os.getpid()}.pem"
END = "-----END CERTIFICATE-----\n"
ONE.write_text(Path(certifi.where()).read_text().partition(END)[0] + END)
atexit.register(ONE.unlink, missing_ok=True)
os.environ["SSL_CERT_FILE"] = str(ONE)

# The same examples each time, so that a run can be repeated; others with HYPOTHESIS=random, which found what it found.
settings.register_profile("suite", derandomize=os.environ.get("HYPOTHESIS") != "random")
settings.load_profile("suite")

# Processes are started by the dozen: what each of them would compile anew is compiled once.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Fleets are started by the dozen, and few of them are looked at in a browser.
os.environ.setdefault("SWEEP_PAGE", "off")
os.environ.setdefault("SWEEP_FLOWER_PORT", "off")

# How full this machine is is no test's business: an alert about it would be one notice more for everybody.
os.environ.setdefault("SWEEP_ALERTS", "disk=off memory=off")

# A shell starts what it runs in the background deaf to Ctrl-C, and children inherit that; ours are to hear it.
signal.signal(signal.SIGINT, signal.default_int_handler)

FLEETS = {
    "acceptance",
    "chaos",
    "deploy",
}  # folders whose tests bring up whole fleets: one at a time, or they starve each other
# Of these, what computes in the test's own process, or brings up one fleet and looks at no clock.
ALONE = {
    f"test_{name}.py"
    for name in (
        *("offline_science", "offline_changes", "doctor", "money", "pause"),
        *("new_parts", "every_server", "streams_of_a_command", "files_of_settings"),
        *("compose", "units_and_manifests"),
    )
}

# Beside the fleets, which compute, comes what mostly waits; what computes comes when they are done, and what is short
# last, so that whoever is free has something left.
ORDER = ("worker", "tinker_offline", "nights", "acceptance", "chaos", "deploy", "scheduler", "sweeps")
HERE = Path(__file__).parent


@functools.cache
def _folder(path: Path) -> str:
    """The folder of `tests/` that a file is in, however deep."""
    return path.relative_to(HERE).parts[0]


def _brings_up_fleets(path: Path) -> bool:
    return _folder(path) in FLEETS and path.name not in ALONE and path.parent.name != "community"


def _choose_streams(items: list[pytest.Item]) -> dict[Path, str]:
    """The stream in which a file's tests are one after the other with those of other files, if there is one."""
    streams = {item.path: "fleets" for item in items if _brings_up_fleets(item.path)}
    # Whoever asks for the shared fleet is where it is: tests/acceptance/conftest.py brings it up.
    shared = {item.path: "shared fleet" for item in items if "shared_fleet" in getattr(item, "fixturenames", ())}
    return streams | shared


def _place(path: Path, stream: str | None) -> int:
    """Of a file, among all: the lowest comes first."""
    if stream:
        return -2 if stream == "fleets" else -1
    return ORDER.index(_folder(path)) if _folder(path) in ORDER else len(ORDER)


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups in this hook, too
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """For `pytest -n 3 --dist loadgroup`: two streams of fleets, and every other file is a unit."""
    streams = _choose_streams(items)
    items.sort(key=lambda item: _place(item.path, streams.get(item.path)))
    for item in items:
        item.add_marker(pytest.mark.xdist_group(streams.get(item.path) or item.nodeid.partition("::")[0]))


def pytest_collection_finish() -> None:
    """What is loaded by now stays: a collection of garbage need not look at these million objects again."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _quiet_sdk() -> Iterator[None]:
    patch = pytest.MonkeyPatch()
    patch.setitem(os.environ, "TINKER_TELEMETRY", "0")
    patch.setitem(os.environ, "HF_HUB_OFFLINE", "1")
    yield
    patch.undo()
