"""The metered usage equals the service's count, kind by kind, and nothing is requested before it is reserved."""

import json
from collections.abc import Sequence

import pytest

from scheduler.state import keys, views
from scheduler.state.costs import ServiceBill, read_costs
from scheduler.state.store import Store
from sweeps.cost import Rates, Usage
from sweeps.stage import Stage
from tests.tinker_offline.process import Control, Server
from tests.worker.results import count_at_service, read_usage, watch_reservation
from tests.worker.workshop import SPEC, Workshop
from worker.maintenance import bills
from worker.maintenance.housekeeping import Housekeeping
from worker.outcome import Stopped, Succeeded
from worker.sdk.rest import AccountClient

LOOKING = SPEC.replace("holdout: 6", "holdout: 6, validation: 4").replace("steps: 20", "steps: 20, eval_every: 7")


def stages(workshop: Workshop, spec: str) -> tuple[Stage, Stage]:
    """The training, and the evaluation of it."""
    train, evaluate = sorted(workshop.submit(spec).plan.stages, key=lambda stage: stage.kind, reverse=True)[:2]
    return train, evaluate


def row(store: Store, stage: Stage) -> dict[str, str]:
    return store.client.hgetall(keys.stage(stage.id))


def test_tokens_of_every_kind_are_those_that_the_service_counted(workshop: Workshop) -> None:
    plan = workshop.submit(LOOKING).plan
    train = next(stage for stage in plan.stages if stage.kind == "train")
    assert isinstance(workshop.attempt(train), Succeeded)
    assert read_usage(workshop, *plan.stages) == count_at_service(workshop)
    assert count_at_service(workshop).tokens == plan.totals.tokens == plan.totals.low_tokens
    kinds = read_costs(workshop.store, "one").kinds
    assert [kind.low for kind in kinds] == [kind.metered for kind in kinds] == [kind.high for kind in kinds]
    assert [(kind.reserved, kind.unreconciled) for kind in kinds] == [(0, 0), (0, 0)]


def test_a_forward_pass_is_metered_as_what_the_service_bills_it_as(workshop: Workshop) -> None:
    train, evaluate = stages(workshop, SPEC)
    rates = Rates(400_000, 130_000, forward="prefill")
    workshop.store.client.hset(keys.stage(evaluate.id), "rates", json.dumps(rates.document()))
    assert isinstance(workshop.attempt(train), Succeeded)
    assert read_usage(workshop, evaluate) == Usage(prefill=evaluate.tokens)
    assert row(workshop.store, evaluate)["micro_usd"] == str(rates.price(Usage(prefill=evaluate.tokens)))


def too_small(workshop: Workshop, stage: Stage, *, share: float) -> int:
    """An estimate that is a part of what is right, in micro-dollars."""
    estimate = round((stage.micro_usd or 0) * share)
    workshop.store.client.hset(keys.stage(stage.id), "estimate", estimate)
    return estimate


@pytest.mark.parametrize("spec", [SPEC, LOOKING])
def test_a_training_stops_at_a_checkpoint_before_its_budget_is_crossed(workshop: Workshop, spec: str) -> None:
    """Its estimate is too small, and the budget holds no more: it goes as far as it can pay for, and keeps that."""
    train, evaluate = stages(workshop, spec)
    limit = too_small(workshop, train, share=0.6)
    workshop.store.scripts.run("set_budget", "one", limit)
    outcome = workshop.attempt(train)
    assert isinstance(outcome, Stopped)
    assert outcome.cause.startswith("budget: ")
    assert " $0." in outcome.cause
    rates = workshop.store.read_assignment(train.id).rates
    checkpoint = workshop.store.read_assignment(train.id).checkpoint or {}
    view = views.read_sweep(workshop.store, "one")
    assert Usage.read(checkpoint["usage"]) == count_at_service(workshop), "all that was paid for is in the checkpoint"
    assert 0.4 * limit < rates.price(count_at_service(workshop)) == view.spent <= limit
    assert (view.gate, view.reserved, view.unreconciled, workshop.state(train)) == ("budget", 0, 0, "ready")
    assert workshop.store.dispatch(train.id, sweep="one", patience=9).refused == "budget"
    enough = (train.micro_usd or 0) + (evaluate.micro_usd or 0) + 30  # of an attempt each amount is rounded up
    workshop.store.scripts.run("set_budget", "one", enough)
    assert isinstance(workshop.attempt(train), Succeeded)
    assert read_usage(workshop, train).tokens == train.tokens, "no step was paid for twice"
    assert views.read_sweep(workshop.store, "one").spent <= enough


def test_an_estimate_that_was_too_small_stops_nothing_that_can_be_paid_for(workshop: Workshop) -> None:
    train, evaluate = stages(workshop, LOOKING)
    too_small(workshop, train, share=0.3)
    too_small(workshop, evaluate, share=0.3)
    assert isinstance(workshop.attempt(train), Succeeded)
    assert workshop.state(evaluate) == "succeeded"
    assert read_usage(workshop, train, evaluate).tokens == train.tokens + evaluate.tokens


def test_an_estimate_that_is_right_is_never_asked_to_grow(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    train, evaluate = stages(workshop, LOOKING)
    monkeypatch.setattr(Store, "reserve_more", lambda *_: "budget")
    assert isinstance(workshop.attempt(train), Succeeded)
    assert workshop.state(evaluate) == "succeeded"


def test_an_evaluation_that_cannot_be_paid_for_whole_asks_for_nothing(workshop: Workshop) -> None:
    train, evaluate = stages(workshop, SPEC)
    too_small(workshop, evaluate, share=0.5)
    workshop.store.scripts.run("set_budget", "one", (train.micro_usd or 0) + (evaluate.micro_usd or 0) - 1)
    assert isinstance(workshop.attempt(train), Succeeded)
    assert workshop.state(evaluate) == "ready"
    assert count_at_service(workshop).tokens == train.tokens
    assert views.read_sweep(workshop.store, "one").gate == "budget"
    assert workshop.store.dispatch(evaluate.id, sweep="one", patience=9).refused == "budget"


def test_nothing_is_submitted_that_the_reservation_does_not_cover(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked at right where it is submitted: what the attempt holds is never less than what it will have used."""
    train, _ = stages(workshop, LOOKING)
    too_small(workshop, train, share=0.6)
    beyond = watch_reservation(monkeypatch, workshop, train.id)
    assert isinstance(workshop.attempt(train), Succeeded)
    assert max(beyond) <= 0


def ask_always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bills, "BILLS", 0.0)
    monkeypatch.setattr(bills, "SOONEST", 0.0)


def test_what_the_service_bills_stands_beside_what_was_metered(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offline it counts, and names no amounts: nothing costs anything. The worker itself never holds the list."""
    plan = workshop.submit(LOOKING).plan
    assert read_costs(workshop.store, "one").billed == ()
    train = next(stage for stage in plan.stages if stage.kind == "train")
    assert isinstance(workshop.attempt(train), Succeeded)
    ask_always(monkeypatch)
    monkeypatch.setattr(AccountClient, "read_usage", None)
    Housekeeping(workshop.context, period=0, lag=0).round()
    (billed,) = read_costs(workshop.store, "one").billed
    assert (billed.service, billed.tokens, billed.micro_usd) == ("offline", plan.totals.tokens, None)


def test_the_end_of_a_sweep_asks_for_the_bill_once_more(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it is asked every hour."""
    monkeypatch.setattr(bills, "SOONEST", 0.0)
    plan = workshop.submit(LOOKING).plan
    keeper = Housekeeping(workshop.context, period=0, lag=0)

    def ask() -> Sequence[ServiceBill]:
        keeper.round()
        return read_costs(workshop.store, "one").billed

    assert ask() == ()
    assert isinstance(workshop.attempt(next(stage for stage in plan.stages if stage.kind == "train")), Succeeded)
    assert views.read_sweep(workshop.store, "one").state == "finished"
    (after,) = ask()
    assert (after.tokens, after.is_after_end) == (plan.totals.tokens, True)
    assert ask() == (after,), "once is enough until the hour is over"


def test_a_key_that_may_not_read_bills_leaves_what_is_known(
    workshop: Workshop,
    moody: Server,
    control: Control,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ask_always(monkeypatch)
    odd = workshop.at(moody)
    odd.submit(SPEC)
    control.set(rules=[{"on": "billing/usage/events", "answer": {"status": 403}}])
    keeper = Housekeeping(odd.context, period=0, lag=0)
    for _ in range(2):
        keeper.round()
    assert read_costs(odd.store, "one").billed == ()
    assert [record.name for record in caplog.records].count("worker.maintenance.service_actions") == 1
