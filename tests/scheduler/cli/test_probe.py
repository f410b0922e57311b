"""How `sweep doctor --live` asks, and what of the answers it keeps; the asking itself is the worker's."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from scheduler.cli import probe
from scheduler.errors import SchedulerError, ServiceRefused
from scheduler.settings import read_settings
from scheduler.state.service_facts import ProbeAnswer, ProbeReport, read_facts, record_facts
from scheduler.state.store import Store
from tests.scheduler.night import Night
from tests.scheduler.plans import single
from tests.support import FakeClock
from tests.wording import naming

MODELS = ["offline/ngram-l", "offline/ngram-s", "other/free"]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """The words of each inquiry; its answers stand in ANSWERS."""
    words: list[Sequence[str]] = []

    def run(command: Sequence[str], environment: Mapping[str, str]) -> ProbeReport:
        assert environment["SWEEP_OFFLINE_URL"] == "http://there"
        words.append(command[len(probe.PROBE_COMMAND) :])
        return ANSWERS

    monkeypatch.setattr(probe, "_run_probe", run)
    monkeypatch.setattr(probe, "list_served_models", lambda _url, _key: MODELS)
    return words


ANSWERS = ProbeReport(
    [ProbeAnswer("moments", "unknown", ""), ProbeAnswer("forward", "pending", ""), ProbeAnswer("clients", "2", "")],
    "s m",
    360,
    0.01,
)


def ask(store: Store, folder: Path, model: str = "offline/ngram-s") -> probe.ProbeResult:
    settings = read_settings({"SWEEP_HOME": str(folder), "SWEEP_OFFLINE_URL": "http://there"})
    return probe.probe_service(store, settings, model=model, clients=7)


def test_what_was_told_is_kept_and_what_was_not_leaves_what_was_known(
    store: Store, asked: list[Sequence[str]], tmp_path: Path
) -> None:
    record_facts(store, "offline", {"moments": "no"})
    ask(store, tmp_path)
    known = read_facts(store, "offline")
    assert (known.moments, known.forward, known.clients, known.capped) == (False, None, 2, True)
    assert known.models == tuple(MODELS)
    assert asked == [["offline/ngram-s", "--clients", "7"]]


def test_a_bill_that_is_waited_for_is_named_and_keeps_its_time(
    store: Store, clock: FakeClock, asked: list[Sequence[str]], tmp_path: Path
) -> None:
    """By its time it is found in the bills."""
    ask(store, tmp_path)
    first = read_facts(store, "offline").pending
    assert first is not None
    clock.pass_seconds(7200)
    ask(store, tmp_path)
    assert asked[1][3:] == ["--pending", "s", "m", first.since.isoformat()]
    assert read_facts(store, "offline").pending == first
    assert read_facts(store, "offline").times["clients"] - first.since == timedelta(hours=2)


def test_while_stages_run_no_clients_are_opened_in_their_way(
    night: Night, asked: list[Sequence[str]], tmp_path: Path
) -> None:
    night.submit(single("s", 1))
    night.start("train-0000", "s")
    assert ask(night.store, tmp_path).busy
    assert asked == [["offline/ngram-s", "--clients", "0"]]


@pytest.mark.usefixtures("asked")
def test_a_model_that_is_not_served_is_not_asked(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ServiceRefused, match=naming("offline/ngram-m", "offline/ngram-s")):
        ask(store, tmp_path, "offline/ngram-m")


def test_the_cheapest_model_that_has_a_price_is_asked() -> None:
    settings = read_settings({})
    assert probe._find_cheapest(MODELS, settings) == "offline/ngram-s"
    with pytest.raises(SchedulerError, match="SWEEP_PRICES"):
        probe._find_cheapest(["other/free"], settings)


@pytest.mark.parametrize(
    ("printed", "message"), [('{"error": "why"}', "why"), ("", "status 3")], ids=["told", "silent"]
)
def test_an_inquiry_that_fails_is_one_plain_error(printed: str, message: str) -> None:
    program = f"import sys; print({printed!r}); sys.exit(3)"
    with pytest.raises(SchedulerError, match=message):
        probe._run_probe([probe.PROBE_COMMAND[0], "-c", program], {})
