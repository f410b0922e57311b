"""Run a night with an unknown client limit, killed workers and an outage, with real processes."""

import json
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scheduler.state import keys, views
from tests.chaos.fleet import Fleet
from tests.few_rows import find_few_rows
from tests.support import wait_until

POOL = "offline/training"
SWEEP = "night"
EVERY = 10  # steps between two checkpoints


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    stages: int
    steps: int
    cap: int  # clients that the service lets us have
    outage: float  # seconds
    silence: float  # SWEEP_SILENCE
    seconds: float  # for all of it
    slow: float  # seconds that the service takes for a step
    looked: float  # seconds for which the use of the cap is looked at


# However quick the machine, the work outlasts what happens before the outage: at the cap a step takes half of `slow`
# (the next one is on its way), so that the short night has 60 s of it. Behind the outage the service is quick.
SHORT = Size(stages=12, steps=25, cap=4, outage=5, silence=4, seconds=120, slow=1.6, looked=3)
LONG = Size(stages=200, steps=60, cap=12, outage=600, silence=60, seconds=3600, slow=0.5, looked=60)


def spec(size: Size) -> str:
    return f"""
sweep: {SWEEP}
experiment: grid
model: offline/ngram-s
train: {{method: sl, batch_size: 8, steps: {size.steps}, rank: 8}}
data: {{reference: {{source: "{find_few_rows()}", holdout: 32}}}}
vary: {{train.learning_rate: {{geom: [0.001, 0.01], count: {size.stages // 2}}}}}
seeds: 2
evaluate: [nll]
checkpoint: {{every_steps: {EVERY}}}
"""


def run(fleet: Fleet, size: Size, say: Callable[[str], None] = lambda _: None) -> None:
    """The night, and what must hold of it. Raises AssertionError."""
    with fleet.tinker.control() as control:
        work = [{"on": "forward_backward", "slow": size.slow}]
        control.set(max_clients=size.cap, rules=work)
        fleet.submit(spec(size))
        used = find_the_cap(fleet, size)
        say(f"a cap of {size.cap} found; {used:.0%} of it used since")
        there_is_work_for_all(fleet, size)
        say(f"every slot of {fleet.workers} killed workers was free after {kill_the_workers(fleet):.1f} s")
        wait_until(lambda: all_taken(fleet, size), "all slots to be taken again", seconds=120)
        control.set(max_clients=size.cap, rules=[{"on": "*", "answer": {"status": 503}}])
        began = time.monotonic()
        parked = await_parking(fleet, size)
        say(f"the outage was noticed and everything parked after {parked:.0f} s")
        time.sleep(max(0.0, size.outage - (time.monotonic() - began)))  # the length of the outage, which is no signal
        there_is_work_for_all(fleet, size)
        control.set(max_clients=size.cap)
        back, before = time.monotonic(), claims(fleet)
        wait_until(lambda: claims(fleet) > before, "admission to open again", seconds=60)
        say(f"work goes on {time.monotonic() - back:.1f} s after the outage of {size.outage:.0f} s")
        fleet.await_finish(SWEEP, seconds=size.seconds)
    check(fleet, size)


def find_the_cap(fleet: Fleet, size: Size) -> float:
    """Wait until the search is over; the mean share of the cap in use for a while after that."""

    def found() -> bool:
        with fleet.client() as client:
            row = client.hgetall(keys.capacity(POOL))
        return row.get("searching") == "0" and size.cap - 1 <= int(row["limit"]) <= size.cap + 1

    wait_until(found, f"the cap of {size.cap} to be found", seconds=120)
    shares, until = [], time.monotonic() + size.looked
    while time.monotonic() < until:
        shares.append(min(1.0, taken(fleet) / size.cap))
        time.sleep(0.2)  # the pace of looking, which is no signal
    assert sum(shares) / len(shares) >= 0.85
    return sum(shares) / len(shares)


def kill_the_workers(fleet: Fleet) -> float:
    """kill -9 of them all; seconds until no slot is taken any more, which may be no longer than a lease."""
    workers = [child for name, child in fleet.children.items() if name.startswith("worker")]
    for child in workers:
        child.send(signal.SIGKILL)
    killed = time.monotonic()
    lease = float(fleet.variables()["SWEEP_LEASE"])
    wait_until(lambda: taken(fleet) == 0, "every slot to be free", seconds=lease + 1)
    free = time.monotonic() - killed
    for child in workers:
        child.kill()
        child.start()
    return free


def there_is_work_for_all(fleet: Fleet, size: Size) -> None:
    """Trainings are still to be done, for every slot; without that nothing that is waited for could come."""
    with fleet.store() as store:
        left = sum(stage.steps > 0 and stage.state != "succeeded" for stage in views.read_stages(store, SWEEP))
    assert left >= size.cap, f"{left} trainings are left for {size.cap} slots: give the night more work"


def all_taken(fleet: Fleet, size: Size) -> bool:
    there_is_work_for_all(fleet, size)
    return taken(fleet) >= size.cap


def claims(fleet: Fleet) -> int:
    """How often a stage has begun to run; this only grows, whenever it is looked at."""
    return sum(event.get("to") == "running" for event in fleet.events())


def await_parking(fleet: Fleet, size: Size) -> float:
    """Wait until the breaker is open and nothing runs; how long that took."""
    began = time.monotonic()

    def parked() -> bool:
        with fleet.client() as client:
            is_open = client.hget(keys.breaker("offline"), "state") == "open"
            return is_open and not client.zcard(keys.state("running"))

    wait_until(parked, "everything to be parked", seconds=4 * size.silence + 60)
    return time.monotonic() - began


def taken(fleet: Fleet) -> int:
    """Slots that a new attempt cannot have."""
    with fleet.store() as store:
        seen: Any = json.loads(store.scripts.run("read_service", "offline", 60_000, POOL))
    return int(seen["pools"][POOL]["taken"])


def check(fleet: Fleet, size: Size) -> None:
    """Nothing failed, and nothing was charged but what the killed workers lost."""
    with fleet.store() as store:
        counts = views.read_sweep(store, SWEEP).counts
        stages = [stage.id for stage in views.read_stages(store, SWEEP)]
        rows = [store.client.hgetall(keys.stage(stage)) for stage in stages]
    assert counts == {"succeeded": 2 * size.stages + 1}, counts  # and the untrained model
    charged = {field for row in rows for field in row if field.startswith("failed:")}
    assert charged <= {"failed:lost", "failed:outage"}, charged
    moves = [event for event in fleet.events() if event.get("from") == "running" and event.get("to") == "failed"]
    assert not moves
