"""A stage of two sweeps: the payer may change while it runs, and it stops only when no sweep wants it."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from scheduler.state import keys, views
from sweeps.stage import Stage
from tests.support import wait_until
from tests.worker.workshop import SPEC, Workshop
from worker.leases import Leases
from worker.outcome import Outcome, Stopped, Succeeded

LONG = SPEC.replace("steps: 20", "steps: 400")


@pytest.fixture
def quick(workshop: Workshop) -> Iterator[Workshop]:
    """Leases of 3 seconds, so that what is asked of an attempt reaches it in half a second."""
    leases = Leases(workshop.store, worker="quick", threads=4, seconds=3, grace=3, about={})
    leases.start()
    yield Workshop(replace(workshop.context, leases=leases), workshop.tinker, workshop.folder)
    leases.stop()


def shared(workshop: Workshop) -> tuple[Stage, int]:
    """The training that sweeps `one` and `two` both want, and what it costs in tokens."""
    plan = workshop.submit(LONG).plan
    workshop.submit(LONG.replace("sweep: one", "sweep: two"))
    stage = next(stage for stage in plan.stages if stage.kind == "train")
    return stage, stage.tokens


def cancelled_in_its_midst(workshop: Workshop, stage: Stage, sweeps: list[str], payer: str = "one") -> Outcome:
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(workshop.attempt(stage, payer)))
    thread.start()
    wait_until(lambda: bool(workshop.store.client.exists(keys.checkpoints(stage.id))), "it trains")
    for sweep in sweeps:
        workshop.store.scripts.run("cancel_sweep", sweep)
    workshop.spread()
    thread.join(30)
    return outcomes[0]


def test_the_other_sweep_pays_on_from_the_next_checkpoint_and_gets_its_result(quick: Workshop) -> None:
    stage, tokens = shared(quick)
    stopped = cancelled_in_its_midst(quick, stage, ["one"])
    assert isinstance(stopped, Stopped)
    assert not stopped.cancelled
    assert quick.state(stage) == "ready"
    paid = views.read_sweep(quick.store, "one")
    assert 0 < paid.tokens < tokens
    assert paid.reserved == paid.unreconciled == 0
    assert isinstance(quick.attempt(stage, "two"), Succeeded)
    first, two = views.read_sweep(quick.store, "one"), views.read_sweep(quick.store, "two")
    assert first.tokens == paid.tokens, "it pays no more"
    trained = int(quick.store.client.hget(keys.stage(stage.id), "tokens") or 0)
    assert trained == tokens, "and nothing was paid for twice"
    assert two.state == "finished"
    assert [run.state for run in views.read_results(quick.store, "two")] == ["succeeded"]


def test_it_stops_when_both_are_cancelled(quick: Workshop) -> None:
    stage, tokens = shared(quick)
    stopped = cancelled_in_its_midst(quick, stage, ["one", "two"])
    assert isinstance(stopped, Stopped)
    assert stopped.cancelled
    assert quick.state(stage) == "cancelled"
    assert 0 < views.read_sweep(quick.store, "one").tokens < tokens
    assert views.read_sweep(quick.store, "two").tokens == 0
