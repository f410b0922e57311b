"""The weights that a training by acting is held to live as long as somebody may go on with them, and no longer."""

from collections.abc import Sequence
from concurrent.futures import Future

import numpy as np
import pytest

from scheduler.engine.tick import take_back
from scheduler.state import keys
from scheduler.state.reconciliation import Reconciliation
from sweeps.stage import Stage
from sweeps.training.rollouts import Floats, Group, weigh_tokens
from tests.worker.specs import PENALTY, submit_rl, train_the_first_of_two
from tests.worker.workshop import Workshop, same
from worker.attempt import Attempt
from worker.held_lease import LeaseLost
from worker.maintenance.housekeeping import Housekeeping
from worker.outcome import Failed, Lost, Stopped, Succeeded
from worker.sdk.rest import AccountClient
from worker.sdk.session import Session
from worker.training import rl


def killed(workshop: Workshop, monkeypatch: pytest.MonkeyPatch, stage: Stage, sweep: str) -> str:
    """Behind its first checkpoint, its session left open; answers the path of what it is held to."""
    steps = iter(range(10))

    def asked(this: Attempt) -> Stopped | None:  # noqa: ARG001 - takes the place of a method
        if next(steps) == 3:
            raise LeaseLost
        return None

    with monkeypatch.context() as patch:
        patch.setattr(Attempt, "stop_if_asked", asked)
        patch.setattr(Session, "close", lambda _session, _status: Future())
        assert isinstance(workshop.attempt(stage, sweep), Lost)
    workshop.store.client.zadd(keys.state("running"), {stage.id: 0})
    assert take_back(workshop.store, stall=60) == 1
    return str((workshop.store.read_assignment(stage.id).checkpoint or {})["reference"])


def rounds(workshop: Workshop) -> None:
    keeper = Housekeeping(workshop.context, period=0, lag=0)
    for _ in range(3):
        keeper.round()


def at_the_service(workshop: Workshop) -> AccountClient:
    return AccountClient(workshop.context.endpoint("offline/ngram-s"))


def kept_in_the_run_of(workshop: Workshop, path: str) -> list[str]:
    return at_the_service(workshop).list_checkpoints(path.removeprefix("tinker://").partition(":")[0])


def test_they_outlive_the_attempt_that_kept_them_and_go_when_the_training_is_done(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, parted = train_the_first_of_two(workshop, PENALTY)
    reference = killed(workshop, monkeypatch, parted, "parted")
    rounds(workshop)
    assert reference in kept_in_the_run_of(workshop, reference)
    assert isinstance(workshop.attempt(parted, "parted"), Succeeded)
    same(workshop, whole, parted)
    rounds(workshop)
    assert reference not in kept_in_the_run_of(workshop, reference)
    assert workshop.store.client.zcard(keys.DISCARDED) == 0


def test_their_life_is_extended_with_that_of_the_checkpoints(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    (stage, *_) = submit_rl(workshop, train=PENALTY).stages
    reference = killed(workshop, monkeypatch, stage, "one")
    workshop.store.client.zadd(keys.EXPIRING, {stage.id: 0})
    (needed,) = Reconciliation(workshop.store).read_needed(10)
    assert needed.paths[1] == reference
    assert len(needed.paths) == len(set(needed.paths))


def test_where_they_are_gone_it_starts_over_uncharged(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, parted = train_the_first_of_two(workshop, PENALTY)
    at_the_service(workshop).delete(killed(workshop, monkeypatch, parted, "parted"))
    outcome = workshop.attempt(parted, "parted")
    assert isinstance(outcome, Failed)
    assert "checkpoint at step 2 is gone" in outcome.cause
    assert workshop.store.read_assignment(parted.id).failures.get("broken", 0) == 0
    workshop.store.client.hset(keys.stage(parted.id), mapping={"not_before": 0})
    assert isinstance(workshop.attempt(parted, "parted"), Succeeded)
    same(workshop, whole, parted)


def test_how_far_it_has_moved_is_nothing_at_first_and_then_away(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of what it says itself, log(policy/start) is above zero on average, whatever it learns: it is a divergence."""
    means = list[float]()

    def noting(groups: Sequence[Group], moved: Sequence[Floats] | None = None, **others: float) -> list[Floats]:
        rollouts = [rollout for group in groups for rollout in group]
        own = [far[rollout.acted] for rollout, far in zip(rollouts, moved or (), strict=True)]
        means.append(float(np.concatenate(own).mean()))
        return weigh_tokens(groups, moved, **others)

    monkeypatch.setattr(rl, "weigh_tokens", noting)
    (stage, *_) = submit_rl(workshop, train=", kl_penalty: 0.01").stages
    assert isinstance(workshop.attempt(stage), Succeeded)
    assert means[0] == pytest.approx(0, abs=1e-6)
    assert min(means[3:]) > 1e-4
