"""What an attempt does with the service's signals, and what a canary finds, with the real SDK, service and verbs."""

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from scheduler.engine.breaker import Timing
from scheduler.state import keys
from scheduler.state.keeping.packing import unpack
from sweeps.stage import Stage
from tests.support import wait_until
from tests.tinker_offline.process import KEY, Control, Server
from tests.worker.workshop import SPEC, Workshop
from worker import held_lease as timings
from worker.leases import Leases
from worker.maintenance import canary
from worker.maintenance.canary import Canaries, try_service
from worker.open_model import ALL_LAYERS
from worker.outcome import Outcome, Stopped, Succeeded
from worker.sdk.endpoints import Endpoint
from worker.sdk.session import Session

LEASE = 3.0  # renewed twice a second
PARKING = 0.8
POOL = "offline/training"
MODEL = "offline/ngram-s"


@pytest.fixture
def brisk(workshop: Workshop, moody: Server) -> Iterator[Workshop]:
    """A worker that learns soon what is wanted of it, at a service that can have a bad night."""
    endpoint = Endpoint(base_url=moody.url, api_key=KEY)
    leases = Leases(workshop.store, worker="w2", threads=4, seconds=LEASE, grace=3, about={}, parking=PARKING)
    leases.start()
    yield replace(workshop, context=replace(workshop.context, leases=leases, endpoint=lambda _: endpoint), tinker=moody)
    leases.stop()


def training(brisk: Workshop, steps: int) -> Stage:
    spec = SPEC.replace("steps: 20", f"steps: {steps}").replace("every_steps: 6", "every_steps: 10")
    return next(stage for stage in brisk.submit(spec).plan.stages if stage.kind == "train")


def beside(brisk: Workshop, stage: Stage) -> tuple[threading.Thread, list[Outcome]]:
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(brisk.attempt(stage)), daemon=True)
    thread.start()
    return thread, outcomes


def pool(brisk: Workshop) -> dict[str, Any]:
    pool_facts: dict[str, Any] = json.loads(brisk.store.scripts.run("read_service", "offline", 60_000, POOL))["pools"][
        POOL
    ]
    return pool_facts


def row(brisk: Workshop, stage: Stage) -> dict[str, str]:
    return brisk.store.client.hgetall(keys.stage(stage.id))


def charged(brisk: Workshop, stage: Stage) -> list[str]:
    return [field for field in row(brisk, stage) if field.startswith("failed:")]


def test_a_slot_is_held_from_the_dispatch_until_the_client_is_closed(brisk: Workshop) -> None:
    stage = training(brisk, 40)
    thread, outcomes = beside(brisk, stage)
    wait_until(lambda: pool(brisk)["signals"] == {"active": 1}, "the store to know that the client is there")
    assert pool(brisk)["taken"] == 1
    thread.join(30)
    assert isinstance(outcomes[0], Succeeded)
    wait_until(lambda: pool(brisk)["taken"] == 0, "the slot to be given back")


def test_a_creation_that_has_to_queue_is_seen_at_once_and_turned_away_at_no_cost(
    brisk: Workshop, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = training(brisk, 20)
    other = Session(lambda: brisk.context.endpoint(MODEL), {})
    other.create(MODEL, rank=8, seed=0, layers=ALL_LAYERS).wait(lambda: None)
    control.set(max_clients=1)
    monkeypatch.setattr(timings, "TURNED_AWAY", 3.0)
    thread, outcomes = beside(brisk, stage)
    wait_until(lambda: pool(brisk)["signals"] == {"queued": 1}, "the store to know that it queues")
    thread.join(20)
    assert isinstance(outcomes[0], Stopped)
    assert re.search(r"client.* \d+ s$", outcomes[0].cause)
    assert (row(brisk, stage)["state"], charged(brisk, stage), row(brisk, stage)["micro_usd"]) == ("ready", [], "0")
    wait_until(lambda: pool(brisk)["taken"] == 0, "its slot to be given back")
    other.close("success")
    assert isinstance(brisk.attempt(stage), Succeeded), "and its old requests block nothing at the service"


def test_a_pause_for_want_of_capacity_is_seen_and_keeps_client_and_work(brisk: Workshop, control: Control) -> None:
    stage = training(brisk, 60)
    thread, outcomes = beside(brisk, stage)
    wait_until(lambda: pool(brisk)["signals"] == {"active": 1}, "it trains")
    control.set(pause={"from": 0, "for": 4})
    wait_until(lambda: pool(brisk)["signals"] == {"starved": 1}, "the store to know of the pause", seconds=5)
    thread.join(60)
    assert isinstance(outcomes[0], Succeeded)
    assert row(brisk, stage)["attempt"] == "1"


def test_at_a_service_that_is_down_an_attempt_is_parked_and_goes_on_from_its_checkpoint(
    brisk: Workshop, control: Control
) -> None:
    stage = training(brisk, 150)
    thread, outcomes = beside(brisk, stage)
    wait_until(lambda: bool(brisk.store.client.exists(keys.checkpoints(stage.id))), "a checkpoint")
    control.set(rules=[{"on": "*", "answer": {"status": 503}}])
    brisk.store.scripts.run("suspect_service", "offline", "nothing gets on")
    canaries = Canaries(brisk.context, Timing(silence=4))
    for _ in range(Timing().tries):
        verdict = canaries.run_due_canary("offline")
        assert verdict is not None
        assert verdict.word == "down"
    thread.join(LEASE + PARKING + 10)
    assert isinstance(outcomes[0], Stopped)
    assert "parked" in outcomes[0].cause
    assert (row(brisk, stage)["state"], charged(brisk, stage)) == ("ready", [])
    assert brisk.store.dispatch(stage.id, sweep="one", patience=9).refused == "breaker"
    control.clear()
    wait_until(
        lambda: (verdict := canaries.run_due_canary("offline")) is not None and verdict.word == "healthy", "its return"
    )
    assert isinstance(brisk.attempt(stage), Succeeded)
    assert unpack(row(brisk, stage)["result"])["resumed_at"] >= 10, "no more than one interval is done again"


@pytest.mark.parametrize(
    ("document", "word", "words"),
    [
        ({}, "healthy", ""),
        ({"pause": {"from": 0, "for": 60}}, "healthy", "starved"),
        ({"rules": [{"on": "*", "answer": {"status": 503}}]}, "down", ""),
        ({"rules": [{"on": "get_server_capabilities", "delay": 9}]}, "down", " 2 s"),
        ({"rules": [{"on": "*", "answer": {"status": 401}}]}, "stopped", "401"),
        ({"rules": [{"on": "optim_step", "never": True}]}, "down", " 6 s"),
        ({"rules": [{"on": "create_session", "answer": {"status": 401}}]}, "stopped", ""),
        ({"rules": [{"on": "forward_backward", "answer": {"status": 402}}]}, "stopped", ""),
    ],
    ids=["well", "paused", "away", "silent", "the key at once", "stuck", "the key", "the bill"],
)
def test_a_canary_finds(control: Control, moody: Server, document: dict[str, Any], word: str, words: str) -> None:
    control.set(**document)
    verdict = try_service(lambda: Endpoint(moody.url, KEY), MODEL, {"canary": "c"}, 6.0)
    assert verdict.word == word
    assert words in verdict.cause
    assert KEY not in verdict.cause


def test_a_canary_whose_model_the_service_refuses_has_been_answered(moody: Server, control: Control) -> None:
    control.set(rules=[{"on": "create_model", "answer": {"status": 400}}])
    verdict = try_service(lambda: Endpoint(moody.url, KEY), MODEL, {"canary": "c"}, 6.0)
    assert (verdict.word, "400" in verdict.cause) == ("healthy", True), "no other model is ever tried while it is open"


def test_canaries_outlive_an_error_of_our_own(brisk: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = [True]

    def endpoint(model: str) -> Endpoint:
        if broken:
            broken.clear()
            raise RuntimeError("can't start new thread")
        return brisk.context.endpoint(model)

    monkeypatch.setattr(canary, "LOOK_EVERY", 0.05)
    brisk.store.client.hset(keys.breaker("offline"), mapping={"model": MODEL, "rates": ""})
    brisk.store.scripts.run("suspect_service", "offline", "nothing gets on")
    canaries = Canaries(replace(brisk.context, endpoint=endpoint), Timing(silence=4))
    canaries.start()
    wait_until(lambda: brisk.store.client.hget(keys.breaker("offline"), "state") == "closed", "a second try")
    canaries.stop()
