"""Kill random processes, chosen by a seed, while a sweep runs, and check what must hold afterwards.

The seed chooses what is killed next and after how much work. Work is counted in optimizer steps at
the service, not in seconds, so that a slow machine has the same storm.
"""

import json
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Container, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from scheduler.state import keys, views
from scheduler.state.connection import RedisError
from sweeps.cost import Rates
from tests.chaos.fleet import Child, Fleet
from tests.few_rows import find_few_rows
from worker.open_model import RESUMED

Say = Callable[[str], None]
GAP = 0.25  # seconds between two looks
LAST = 0.8  # of the steps that the sweep needs at least are done when the last stroke falls


@dataclass(frozen=True)
class Plan:
    """How many of each, and on what."""

    rates: int  # learning rates, times `ranks` ranks, times `seeds` runs, each with a training and an evaluation
    ranks: int
    seeds: int
    steps: int
    kills: int  # of workers, and of the scheduler now and then
    offline: int  # restarts of tinker_offline
    redis: int  # restarts of Redis
    seconds: float  # after which it has failed
    # Seconds that the service takes for a step, however quick the machine: between two looks all attempts do fewer
    # than there are between two strokes, so that each stroke falls into work.
    slow: float

    @property
    def interval(self) -> int:
        """An eighth of a stage: starting over does not pass, nor saving at every step."""
        return self.steps // 8

    @property
    def trainings(self) -> int:
        return self.rates * self.ranks * self.seeds

    def spec(self) -> str:
        return f"""
sweep: storm
experiment: grid
model: offline/ngram-s
train: {{method: sl, batch_size: 16, steps: {self.steps}, schedule: cosine}}
data: {{reference: {{source: "{find_few_rows()}", holdout: 64}}}}
vary:
  train.rank: {[4, 8, 16, 32, 64][: self.ranks]}
  train.learning_rate: {{geom: [0.002, 0.04], count: {self.rates}}}
seeds: {self.seeds}
evaluate: [nll]
checkpoint: {{every_steps: {self.interval}}}
"""


# Between two strokes each training of the short storm does about three steps, and saves once: it can be continued.
SHORT = Plan(rates=7, ranks=1, seeds=1, steps=24, kills=5, offline=1, redis=1, seconds=110, slow=0.5)
LONG = Plan(rates=10, ranks=5, seeds=2, steps=40, kills=55, offline=3, redis=2, seconds=1500, slow=0.3)


def in_the_storm(folder: Path, plan: Plan) -> Fleet:
    """The fleet that is struck, whose service is slow each time that it is started."""
    folder.mkdir()
    (folder / "slow.yaml").write_text(f"rules: [{{on: forward_backward, slow: {plan.slow}}}]\n")
    return Fleet(folder, options=["--faults", str(folder / "slow.yaml")])


@dataclass
class Storm:
    """Strikes while the sweep runs, and starts again what has died, as a supervisor would."""

    fleet: Fleet
    plan: Plan
    chance: random.Random
    say: Say
    struck: Counter[str] = field(default_factory=Counter)

    def rage(self) -> None:
        """Until the sweep has finished, every stroke has fallen and every cost is reconciled."""
        strokes, give_up = self._strokes(), time.monotonic() + self.plan.seconds
        due = next(strokes)
        while due is not None or not self._over():
            assert time.monotonic() < give_up, f"not within {self.plan.seconds:g} s: {self._standing()}"
            self._start_again()
            done = self._look_at_the_books()
            if due is not None and done >= due[0]:
                assert not self.fleet.finished("storm"), f"the work ran out before the storm: {self._standing()}"
                self._strike(due[1])
                due = next(strokes, None)
            time.sleep(GAP)

    def _strokes(self) -> "Iterator[tuple[int, str] | None]":
        """After how many optimizer steps in all, and what."""
        plan = self.plan
        kinds = ["offline"] * plan.offline + ["redis"] * plan.redis + ["scheduler"] * (plan.kills // 5)
        kinds += ["worker"] * (plan.kills - plan.kills // 5)
        self.chance.shuffle(kinds)
        gaps = [self.chance.uniform(0.5, 1.5) for _ in kinds]
        for number, kind in enumerate(kinds, 1):
            yield round(LAST * plan.trainings * plan.steps * sum(gaps[:number]) / sum(gaps)), kind
        yield None

    def _strike(self, kind: str) -> None:
        self.struck["kills" if kind in ("worker", "scheduler") else kind] += 1
        if kind == "offline":
            self.fleet.tinker.end(signal.SIGKILL)
            self.fleet.tinker.start()
        elif kind == "redis":
            self.fleet.redis.end(signal.SIGKILL)
            self.fleet.redis.start()
        else:
            names = sorted(name for name in self.fleet.children if name.startswith(kind))
            self._child(kind := self.chance.choice(names)).kill()
        self.say(f"{sum(self.struck.values())}: {kind}")

    def _child(self, name: str) -> Child:
        return self.fleet.children[name]

    def _start_again(self) -> None:
        for child in self.fleet.children.values():
            if not child.alive:
                child.start()

    def _over(self) -> bool:
        if not self.fleet.finished("storm"):
            return False
        with self.fleet.client() as client, suppress(RedisError):
            return client.zcard(keys.UNRECONCILED) == 0
        return False

    def _standing(self) -> str:
        with self.fleet.store() as store:
            view, unreconciled = views.read_sweep(store, "storm"), store.client.zcard(keys.UNRECONCILED)
        return f"struck {dict(self.struck)}, stages {dict(view.counts)}, {unreconciled} attempts unreconciled"

    def _look_at_the_books(self) -> int:
        """Optimizer steps so far. The service is read first: what it had done then, the ledger must hold already."""
        with suppress(httpx.TransportError, RedisError), self.fleet.tinker.control() as control:
            used = control.usage()
            with self.fleet.store() as store:
                view = views.read_sweep(store, "storm")
                document = store.client.hget(keys.stage(views.read_stages(store, "storm")[0].id), "rates") or "{}"
                rate = Rates.read(json.loads(document)).training or 0  # it bills a forward pass like training
            counted = sum(sum(usage["tokens"].values()) for usage in used.values()) * rate / 1_000_000
            held = view.spent + view.reserved + view.unreconciled
            assert held >= counted, f"the ledger holds {held} micro-dollars; the service has done {counted}"
            return sum(usage["operations"].get("optim_step", 0) for usage in used.values())
        return 0


def verify(fleet: Fleet, calm: Fleet, plan: Plan) -> dict[str, int]:
    """All that must hold after the storm; some figures of it. `calm` ran the same sweep undisturbed."""
    with fleet.store() as store:
        stages = views.read_stages(store, "storm")
        view = views.read_sweep(store, "storm")
        cells = views.read_cells(store, "storm")
    with calm.store() as store:
        calm_stages = views.read_stages(store, "storm")
        calm_cells = views.read_cells(store, "storm")
    assert [stage.id for stage in stages] == [stage.id for stage in calm_stages]
    assert {stage.state for stage in stages} == {"succeeded"}, Counter(stage.state for stage in stages)
    ends = Counter(event["stage"] for event in fleet.events() if event.get("to") == "succeeded")
    assert set(ends.values()) == {1}, "every stage ends once"
    assert len(ends) == len(stages)
    check_same_results(fleet, calm, [stage.id for stage in stages])
    _same_aggregates(cells, calm_cells)
    repeated = _no_step_too_many(fleet, plan)
    _the_books_are_the_services(fleet, view.tokens, view.spent, view.reserved, view.unreconciled)
    resumes = sum(RESUMED in event["detail"] for event in fleet.events())
    attempts = sum(stage.attempt for stage in stages)
    return {"stages": len(stages), "attempts": attempts, "resumes": resumes, "repeated steps": repeated}


def check_same_results(fleet: Fleet, calm: Fleet, stages: list[str]) -> None:
    for stage in stages:
        ours, theirs = (json.loads(side.row(stage)["metrics"]) for side in (fleet, calm))
        assert ours == theirs, stage
        if stage.startswith("train-"):
            mine, yours = fleet.weights(stage), calm.weights(stage)
            assert mine.keys() == yours.keys()
            different = [name for name in mine if mine[name].tobytes() != yours[name].tobytes()]
            assert not different, f"{stage}: {different} are not equal to the bit"


def _same_aggregates(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> None:
    """A running mean depends on the order in which values came, in its last digits."""
    for mine, yours in zip(ours, theirs, strict=True):
        assert (mine["cell"], mine["runs"]) == (yours["cell"], yours["runs"])
        assert mine["metrics"].keys() == yours["metrics"].keys()
        for name, moments in mine["metrics"].items():
            other = yours["metrics"][name]
            assert moments["count"] == other["count"]
            assert np.isclose(moments["mean"], other["mean"], rtol=1e-12)


def _no_step_too_many(fleet: Fleet, plan: Plan) -> int:
    """Each interrupted attempt repeats one checkpoint interval at most; how many steps were repeated in all."""
    with fleet.tinker.control() as control:
        used = control.usage()
    applied: Counter[str] = Counter()
    attempts: Counter[str] = Counter()
    for usage in used.values():
        if steps := usage["operations"].get("optim_step", 0):
            applied[usage["user_metadata"]["stage"]] += steps
            attempts[usage["user_metadata"]["stage"]] += 1
    for stage, steps in applied.items():
        assert steps >= plan.steps, stage
        assert steps - plan.steps <= plan.interval * (attempts[stage] - 1), (stage, steps, attempts[stage])
    return sum(applied.values()) - plan.steps * len(applied)


def _the_books_are_the_services(fleet: Fleet, tokens: int, spent: int, reserved: int, unreconciled: int) -> None:
    with fleet.tinker.control() as control:
        used: Mapping[str, Any] = control.usage()
    with fleet.store() as store:
        stages = views.read_stages(store, "storm")
    done: Counter[str] = Counter()
    booked: Counter[str] = Counter()
    for usage in used.values():
        done[_opener(fleet, usage["user_metadata"]["stage"])] += sum(usage["tokens"].values())
    for stage in stages:
        booked[_opener(fleet, stage.id)] += stage.tokens
    wrong = {name: (booked[name], done[name]) for name in booked | done if booked[name] != done[name]}
    assert not wrong, f"tokens booked and done: {wrong}\n{_told_of(fleet, wrong, used)}"
    assert tokens == done.total()
    assert (reserved, unreconciled) == (0, 0)
    assert spent == sum(stage.micro_usd for stage in stages)


def _opener(fleet: Fleet, stage: str) -> str:
    """The training behind it: an evaluation may go on in that one's session."""
    return (fleet.row(stage).get("parents") or stage).split()[0]


def _told_of(fleet: Fleet, openers: Container[str], used: Mapping[str, Any]) -> str:
    """What happened to these trainings and their evaluations, and what the service did in each of their sessions."""
    moves = [
        f"{event['at']} {event['stage']}|{event['attempt']} {event['from']} -> {event['to']} {event['detail']}"
        for event in fleet.events()
        if "stage" in event and _opener(fleet, event["stage"]) in openers
    ]
    sessions = [
        f"{name}: {usage}" for name, usage in used.items() if _opener(fleet, usage["user_metadata"]["stage"]) in openers
    ]
    return "\n".join(moves + sessions)
