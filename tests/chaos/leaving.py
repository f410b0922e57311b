"""Ask one worker with many attempts in flight to leave, after short breaks of its connection to Redis."""

import signal
from collections import Counter
from collections.abc import Mapping
from typing import Any

from scheduler.state import keys, views
from scheduler.state.states import StageState
from scheduler.state.views import StageView
from tests.chaos.fleet import Fleet
from tests.few_rows import find_few_rows
from tests.support import wait_until

BLIPS = 3


def spec(attempts: int) -> str:
    """So many trainings that none ends by itself."""
    return f"""
sweep: leaving
experiment: grid
model: offline/ngram-s
train: {{method: sl, batch_size: 4, steps: 5000, rank: 4}}
data: {{reference: {{source: "{find_few_rows()}", holdout: 32}}}}
vary: {{train.learning_rate: {{geom: [0.001, 0.01], count: 10}}}}
seeds: {attempts // 10}
evaluate: [nll]
"""


def all_step(fleet: Fleet, attempts: int, number: int, saved: Mapping[str, int]) -> None:
    """Wait until each is in its attempt of this number, and has told of a step it made behind what was saved before.

    Or in a later one: a message that a busy machine takes too late is sent again.
    """

    def gone_on(stage: StageView) -> bool:
        step = int(str(stage.progress.get("step") or 0))
        return stage.attempt >= number and stage.worker != "" and step > saved.get(stage.id, 0)

    with fleet.store() as store:

        def stepping() -> bool:
            return sum(map(gone_on, views.read_stages_in_state(store, StageState.RUNNING, attempts))) == attempts

        wait_until(stepping, f"{attempts} attempts number {number} to make steps", seconds=max(150, 2 * attempts))


def blip(fleet: Fleet) -> None:
    """Every connection to Redis is cut, several times, while all of them run."""
    with fleet.client() as client:
        raw: Any = client
        for _ in range(BLIPS):
            raw.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            raw.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
            steps = _told(fleet)
            wait_until(lambda steps=steps: _told(fleet) > steps, "attempts to tell of steps again", seconds=60)  # type: ignore[misc]


def _told(fleet: Fleet) -> int:
    """Tokens booked so far."""
    with fleet.store() as store:
        return views.read_sweep(store, "leaving").tokens


def leave(fleet: Fleet, grace: float) -> None:
    """SIGTERM. The process ends by itself: after the grace it would end hard, and leave stages behind as running."""
    (worker,) = (child for name, child in fleet.children.items() if name.startswith("worker"))
    worker.send(signal.SIGTERM)
    worker.ended(grace + 1)


def given_back(fleet: Fleet, attempts: int) -> dict[str, int]:
    """Stage -> the step from which it will go on. All must be ready, and none lost."""
    with fleet.store() as store:
        stages = [stage for stage in views.read_stages(store, "leaving") if stage.id.startswith("train-")]
        states = Counter(stage.state for stage in stages)
        assert states == {"ready": attempts}, states
        assert store.client.zcard(keys.state(StageState.RUNNING)) == 0
    return {stage.id: fleet.reached(stage.id) for stage in stages}


def steps_done(fleet: Fleet) -> dict[str, int]:
    """Stage -> optimizer steps that the service applied for it, in all."""
    done: Counter[str] = Counter()
    with fleet.tinker.control() as control:
        for usage in control.usage().values():
            done[usage["user_metadata"]["stage"]] += usage["operations"].get("optim_step", 0)
    return dict(done)


def run(fleet: Fleet, attempts: int, grace: float) -> None:
    """The whole of it."""
    with fleet.tinker.control() as control:  # many steps would show no more than few
        control.set(rules=[{"on": "forward_backward", "slow": 0.5}])
    fleet.submit(spec(attempts))
    all_step(fleet, attempts, 1, {})
    blip(fleet)
    claims = Counter(event["stage"] for event in fleet.events() if event.get("to") == "running")
    assert len(claims) == attempts
    assert set(claims.values()) == {1}, "no stage runs twice"
    fleet.children["scheduler"].send(signal.SIGTERM)  # nothing is dispatched again meanwhile
    fleet.children["scheduler"].ended(20)
    leave(fleet, grace)
    saved = given_back(fleet, attempts)
    assert saved == steps_done(fleet), "each goes on from the very step it had reached"

    for child in fleet.children.values():
        child.start()
    all_step(fleet, attempts, 2, saved)
    fleet.children["scheduler"].send(signal.SIGTERM)
    fleet.children["scheduler"].ended(20)
    assert fleet.tinker._process is not None
    fleet.tinker._process.send_signal(signal.SIGSTOP)
    try:
        leave(fleet, grace)
        assert given_back(fleet, attempts) == saved, "at its last checkpoint, for no other could be made"
    finally:
        fleet.tinker._process.send_signal(signal.SIGCONT)
