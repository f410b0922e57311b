"""A failure around a stage is not charged to it, and ends its attempt in time."""

import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from scheduler.artefacts import locate_probe
from scheduler.engine.retry import BUDGETS, Fault
from scheduler.errors import ServiceRefused
from scheduler.state import keys
from sweeps.stage import Stage
from tests.support import wait_until
from tests.tinker_offline.process import Server
from tests.worker.conftest import GRACE
from tests.worker.workshop import SPEC, Workshop
from worker import examples
from worker.open_model import ALL_LAYERS
from worker.outcome import Failed, Outcome, Stopped
from worker.sdk.endpoints import Endpoint
from worker.sdk.failures import ServiceError
from worker.sdk.session import Session


def training(workshop: Workshop, *, steps: int = 20) -> Stage:
    plan = workshop.submit(SPEC.replace("steps: 20", f"steps: {steps}")).plan
    return next(stage for stage in plan.stages if stage.kind == "train")


def beside(action: Callable[[], Outcome]) -> tuple[threading.Thread, list[Outcome]]:
    outcomes: list[Outcome] = []
    thread = threading.Thread(target=lambda: outcomes.append(action()))
    thread.start()
    return thread, outcomes


def charged(row: dict[str, str]) -> dict[str, str]:
    """The failures that count against the stage."""
    return {kind: row[f"failed:{kind}"] for kind in BUDGETS if f"failed:{kind}" in row}


def uncharged(workshop: Workshop, stage: Stage, cause: str) -> None:
    row = workshop.store.client.hgetall(keys.stage(stage.id))
    assert (row["state"], row.get("reserved"), charged(row)) == ("ready", None, {}), row
    assert cause in row["cause"]


def test_a_worker_that_leaves_gives_back_even_what_waits_for_a_service_that_hangs(
    workshop: Workshop, tinker: Server
) -> None:
    stage = training(workshop, steps=2000)
    assert tinker._process is not None
    thread, outcomes = beside(lambda: workshop.attempt(stage))
    wait_until(lambda: bool(workshop.store.client.exists(keys.checkpoints(stage.id))), "it trains")
    tinker._process.send_signal(signal.SIGSTOP)
    try:
        workshop.context.leases.leave()
        thread.join(GRACE)
        assert not thread.is_alive()
    finally:
        tinker._process.send_signal(signal.SIGCONT)
        thread.join(60)
    assert isinstance(outcomes[0], Stopped)
    uncharged(workshop, stage, "the worker is stopping")


def test_a_service_that_hangs_ends_the_attempt_and_is_not_charged(workshop: Workshop, tinker: Server) -> None:
    """The server lives and keeps its connections, and never answers: the SDK alone would wait forever."""
    stage = training(workshop, steps=2000)
    workshop.context.leases._stall = 1.5
    assert tinker._process is not None
    thread, outcomes = beside(lambda: workshop.attempt(stage))
    wait_until(lambda: bool(workshop.store.client.exists(keys.checkpoints(stage.id))), "it trains")
    tinker._process.send_signal(signal.SIGSTOP)
    try:
        thread.join(20)
        assert not thread.is_alive()
    finally:
        tinker._process.send_signal(signal.SIGCONT)
        thread.join(60)
    assert outcomes == [Failed(Fault.OUTAGE, "no answer from the service in 1.5 s")]
    uncharged(workshop, stage, "no answer from the service")


def test_a_disk_that_keeps_nothing_is_found_before_anything_is_paid_for(workshop: Workshop) -> None:
    stage = training(workshop)
    folder = Path(workshop.artefacts.url) / "stages"
    shutil.rmtree(folder, ignore_errors=True)
    folder.write_text("in the way")
    outcome = workshop.attempt(stage)
    assert isinstance(outcome, Failed)
    uncharged(workshop, stage, locate_probe(workshop.context.fleet, socket.gethostname()))
    assert workshop.store.client.hget(keys.stage(stage.id), "tokens") in (None, "0")


def test_data_that_vanished_wait_for_a_person(workshop: Workshop) -> None:
    stage = training(workshop)
    shutil.rmtree(Path(workshop.artefacts.url) / "data")
    outcome = workshop.attempt(stage)
    assert isinstance(outcome, Failed)
    assert outcome.fault is Fault.MACHINE
    uncharged(workshop, stage, " data/")


def test_a_tokenizer_that_cannot_be_had_is_waited_for(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that is away must not fail every stage that a new worker begins."""

    def away(recipe: Mapping[str, Any], _: object) -> Any:
        raise ServiceRefused(f"the tokenizer of {recipe['model']} cannot be loaded")

    stage = training(workshop)
    monkeypatch.setattr(examples, "load_recipe_tokenizer", away)
    outcome = workshop.attempt(stage)
    assert isinstance(outcome, Failed)
    assert outcome.fault is Fault.MACHINE
    uncharged(workshop, stage, "the tokenizer of offline/ngram-s")


def test_a_redis_that_is_full_costs_the_stage_nothing(workshop: Workshop) -> None:
    """The attempt ends, and says so as soon as there is room again."""
    stage = training(workshop, steps=2000)
    client: Any = workshop.store.client  # our protocol of a client lists only what our own code calls
    thread, outcomes = beside(lambda: workshop.attempt(stage))
    wait_until(lambda: bool(client.exists(keys.checkpoints(stage.id))), "it trains")
    client.config_resetstat()
    client.config_set("maxmemory", "1")
    try:
        wait_until(lambda: client.info("errorstats").get("errorstat_OOM", {}).get("count", 0) > 3, "it is refused")
        assert thread.is_alive()
    finally:
        client.config_set("maxmemory", "0")
        thread.join(60)
    assert isinstance(outcomes[0], Failed)
    uncharged(workshop, stage, "maxmemory")


def test_a_worker_that_knows_no_service_for_a_model_parks_it(workshop: Workshop) -> None:
    def nowhere(model: str) -> Endpoint:
        raise ServiceError(Fault.MACHINE, f"{model} is served nowhere")

    context = replace(workshop.context, endpoint=nowhere)
    stage = training(workshop)
    outcome = Workshop(context, workshop.tinker, workshop.folder).attempt(stage)
    assert isinstance(outcome, Failed)
    uncharged(workshop, stage, "is served nowhere")


def test_a_worker_without_a_key_waits_for_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("TINKER")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    session = Session(lambda: Endpoint(base_url=None, api_key=None), {})
    with pytest.raises(ServiceError, match="api_key") as refused:
        session.create("Qwen/Qwen3-8B", rank=8, seed=0, layers=ALL_LAYERS).wait(lambda: None)
    assert refused.value.fault is Fault.MACHINE
