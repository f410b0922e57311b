"""One attempt through every real part: what it leaves behind, what it costs, and how each ending is reported."""

import json
import re
import time
from typing import Any

import httpx
import pytest

from scheduler.artefacts import decode_rows
from scheduler.engine.retry import Fault
from scheduler.state import keys, views
from scheduler.state.bug_log import read_bugs
from tests.tinker_offline.process import KEY
from tests.worker.workshop import SPEC, Workshop
from worker.attempt import Attempt
from worker.leases import Leases
from worker.outcome import Failed, Lost, Succeeded
from worker.sdk.endpoints import Endpoint
from worker.sdk.session import Session
from worker.training.training_loop import Training


def test_the_worker_that_trained_goes_straight_on_with_the_evaluation(workshop: Workshop) -> None:
    """One message, one session, two stages: each with its own attempt, result and cost."""
    plan = workshop.submit().plan
    train, evaluate = sorted(plan.stages, key=lambda stage: stage.kind, reverse=True)
    assert isinstance(workshop.attempt(train), Succeeded)
    assert (workshop.state(train), workshop.state(evaluate)) == ("succeeded", "succeeded")
    (run,) = views.read_results(workshop.store, "one")
    assert run.state == "succeeded"
    assert run.tokens == plan.totals.tokens
    assert run.micro_usd == plan.totals.micro_usd
    result: Any = workshop.store.read_result(evaluate.id)
    items = decode_rows(workshop.artefacts.read(result["items"]))
    assert len(items) == 6
    assert sum(float(str(row["nll"])) for row in items) / sum(
        float(str(row["tokens"])) for row in items
    ) == pytest.approx(run.metrics["nll"])


def test_the_ledger_is_what_the_service_counted(workshop: Workshop) -> None:
    """Tokens by session, as the billing endpoint gives them, joined by the metadata that we tag sessions with."""
    plan = workshop.submit(SPEC.replace("sweep: one", "sweep: ledger") + "reuse: sweep\n").plan
    train = next(stage for stage in plan.stages if stage.kind == "train")
    workshop.attempt(train, "ledger")
    window = {"starting_on": "2020-01-01T00:00:00Z", "ending_before": "2100-01-01T00:00:00Z"}
    usage = httpx.get(
        f"{workshop.tinker.url}/api/v1/billing/usage/events", params=window, headers={"X-API-Key": KEY}
    ).json()
    mine = {name for name, session in usage["sessions"].items() if session["user_metadata"].get("sweep") == "ledger"}
    counted = sum(event["event_info"]["token_count"] for event in usage["data"] if event["session_id"] in mine)
    assert counted == plan.totals.tokens == views.read_sweep(workshop.store, "ledger").tokens


def test_a_diverged_loss_fails_the_stage_at_once_with_its_cause(workshop: Workshop) -> None:
    plan = workshop.submit(SPEC.replace("learning_rate: 0.02", "learning_rate: 1e38")).plan
    train = next(stage for stage in plan.stages if stage.kind == "train")
    outcome = workshop.attempt(train)
    assert isinstance(outcome, Failed)
    assert outcome.fault is Fault.STAGE
    assert workshop.state(train) == "failed"
    assert "diverged" in (workshop.store.client.hget(keys.stage(train.id), "cause") or "")
    assert [stage.state for stage in views.read_stages(workshop.store, "one")].count("skipped") == 1


def test_a_loss_above_the_bound_is_as_good_as_none(workshop: Workshop) -> None:
    """It fails alone and quickly; its cause and its last numbers are recorded."""
    spec = SPEC.replace("learning_rate: 0.02", "learning_rate: 0.02, diverged_above: 1.2")
    train = next(stage for stage in workshop.submit(spec).plan.stages if stage.kind == "train")
    outcome = workshop.attempt(train)
    assert isinstance(outcome, Failed)
    row = workshop.store.client.hgetall(keys.stage(train.id))
    assert (row["state"], row["attempt"]) == ("failed", "1")
    assert row["cause"].startswith("diverged: ")
    assert " 1.2" in row["cause"]
    assert re.search(r"learning rate.* 0\.00", row["cause"])
    (run,) = (row for row in views.read_results(workshop.store, "one") if row.stage == train.id)
    (at,) = map(int, re.findall(r"at step (\d+)", row["cause"]))
    assert run.steps == at < train.steps, "those that went well, and not those that were planned"


def test_a_refused_key_costs_the_stage_nothing_and_tells_no_key(workshop: Workshop) -> None:
    refused = Endpoint(base_url=workshop.tinker.url, api_key="tml-refused")
    context = workshop.context.__class__(**{**vars(workshop.context), "endpoint": lambda _: refused})
    plan = workshop.submit().plan
    train = next(stage for stage in plan.stages if stage.kind == "train")
    outcome = Workshop(context, workshop.tinker, workshop.folder).attempt(train)
    assert isinstance(outcome, Failed)
    assert outcome.fault is Fault.ACCOUNT
    row = workshop.store.client.hgetall(keys.stage(train.id))
    assert (row["state"], [field for field in row if field.startswith("failed:")]) == ("ready", [])
    assert "tml-refused" not in json.dumps(row) + outcome.cause


def test_a_message_that_is_not_the_current_one_does_nothing(workshop: Workshop) -> None:
    from tests.worker.workshop import Silent
    from worker.pipeline import attempt_stages

    plan = workshop.submit().plan
    train = next(stage for stage in plan.stages if stage.kind == "train")
    assert attempt_stages(workshop.context, train.id, 1, Silent()) is None  # never dispatched
    workshop.attempt(train)
    before = workshop.store.client.hgetall(keys.stage(train.id))
    assert attempt_stages(workshop.context, train.id, 1, Silent()) is None  # delivered again, after the end
    assert workshop.store.client.hgetall(keys.stage(train.id)) == before


def test_a_lease_counts_from_when_it_was_asked_for(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer to a claim may come when the lease is over: then nothing is begun, and nothing opened."""
    stage = next(stage for stage in workshop.submit().plan.stages if stage.kind == "train")
    claim, now, late = type(workshop.store).claim, time.monotonic, 0.0

    def answered_late(*words: Any, **more: Any) -> Any:
        nonlocal late
        lease = claim(*words, **more)
        late = workshop.context.leases.seconds
        return lease

    opened: list[object] = []
    monkeypatch.setattr(type(workshop.store), "claim", answered_late)
    monkeypatch.setattr(time, "monotonic", lambda: now() + late)
    monkeypatch.setattr(Leases, "_renew", lambda _: None)  # the server would say so as well, but some seconds later
    monkeypatch.setattr(Session, "create", lambda *_, **__: opened.append(1))
    assert (workshop.attempt(stage), opened) == (Lost(), [])


def test_a_checkpoint_that_comes_too_late_ends_the_attempt_at_once(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the next renewal says so: what the service does from here on is paid for nothing."""
    stage = next(stage for stage in workshop.submit().plan.stages if stage.kind == "train")
    submitted: list[int] = []
    submit, keep = Training._submit, Attempt.write_artefact

    def counted(training: Training, step: int) -> None:
        submitted.append(step)
        submit(training, step)

    def kept(this: Attempt, name: str, content: bytes) -> str:
        if name.startswith("metrics-000006"):
            workshop.store.client.zadd(keys.state("running"), {stage.id: 0})
        return keep(this, name, content)

    monkeypatch.setattr(Training, "_submit", counted)
    monkeypatch.setattr(Attempt, "write_artefact", kept)
    monkeypatch.setattr(Leases, "_renew", lambda _: None)
    assert isinstance(workshop.attempt(stage), Lost)
    assert submitted == list(range(6))


@pytest.mark.parametrize(("verb", "state"), [("claim", "dispatched"), ("continue_on_client", "ready")])
def test_a_claim_that_a_failover_lost_is_a_lost_lease_and_no_bug(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, verb: str, state: str
) -> None:
    """The new Redis has the stage as it was before the claim: nothing is trained or evaluated for it, or recorded."""
    train, evaluation = sorted(workshop.submit().plan.stages, key=lambda stage: stage.kind, reverse=True)
    lost = train if verb == "claim" else evaluation
    client, claim = workshop.store.client, getattr(workshop.store, verb)

    def claim_and_lose(stage: str, **how: Any) -> Any:
        before = client.hgetall(keys.stage(stage))
        lease = claim(stage, **how)
        client.delete(keys.stage(stage))
        client.hset(keys.stage(stage), mapping=before)
        return lease

    monkeypatch.setattr(workshop.store, verb, claim_and_lose)
    outcome = workshop.attempt(train)
    assert isinstance(outcome, Lost if verb == "claim" else Succeeded)
    assert workshop.state(lost) == state
    assert read_bugs(workshop.store) == []
