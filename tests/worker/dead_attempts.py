"""Kill the worker of a training, run housekeeping, and read what is booked."""

from concurrent.futures import Future

import httpx
import pytest

from scheduler.state import keys
from sweeps.stage import Stage
from tests.tinker_offline.process import KEY
from tests.worker.workshop import SPEC, Workshop
from worker.attempt import Attempt
from worker.held_lease import LeaseLost
from worker.maintenance.housekeeping import Housekeeping
from worker.outcome import Lost, Stopped
from worker.sdk.session import Session

SHORT = SPEC.replace("steps: 20", "steps: 8").replace("every_steps: 6", "every_steps: 2") + "reuse: sweep\n"


def make_housekeeping(workshop: Workshop, *, lag: float = 0) -> Housekeeping:
    return Housekeeping(workshop.context, period=0, lag=lag)


def submit_training(workshop: Workshop) -> Stage:
    return next(stage for stage in workshop.submit(SHORT).plan.stages if stage.kind == "train")


def kill_training(workshop: Workshop, monkeypatch: pytest.MonkeyPatch, *, at: int = 5) -> Stage:
    """A training whose worker dies at a step, by then behind two checkpoints, and leaves its session open."""
    stage, steps = submit_training(workshop), iter(range(at + 1))

    def asked(this: Attempt) -> Stopped | None:  # noqa: ARG001 - takes the place of a method
        if next(steps) == at:
            raise LeaseLost
        return None

    with monkeypatch.context() as patch:
        patch.setattr(Attempt, "stop_if_asked", asked)
        patch.setattr(Session, "close", lambda _session, _status: Future())
        assert isinstance(workshop.attempt(stage), Lost)
    workshop.store.client.zadd(keys.state("running"), {stage.id: 0})
    assert workshop.store.scripts.run("expire_attempts", 10, 10**9, 10, 5, 3) == [stage.id]
    workshop.spread()
    return stage


def read_ledger(workshop: Workshop) -> dict[str, int]:
    row = workshop.store.client.hgetall(keys.sweep("one"))
    return {name: int(row.get(name, 0)) for name in ("tokens", "spent", "unreconciled", "reserved")}


def count_tokens(workshop: Workshop) -> int:
    """Count the tokens of this installation, by the service."""
    window = {"starting_on": "2020-01-01T00:00:00Z", "ending_before": "2100-01-01T00:00:00Z"}
    url = f"{workshop.tinker.url}/api/v1/billing/usage/events"
    usage = httpx.get(url, params=window, headers={"X-API-Key": KEY}).json()
    mine = {
        name
        for name, session in usage["sessions"].items()
        if session["user_metadata"].get("fleet") == workshop.context.fleet
    }
    return sum(event["event_info"]["token_count"] for event in usage["data"] if event["session_id"] in mine)
