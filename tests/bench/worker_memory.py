"""`make bench-worker`: what a real worker holds after hundreds of real stages, and what a fleet takes of Redis.

Exit status 1 if its memory grows by more than a tenth after the first sweep. Redis, the scheduler, the worker with its
threads and the SDK, and tinker_offline are processes, as `sweep up` starts them. The stages are tiny, so that there are
many: what an attempt leaves behind does not depend on its size. `sweep sizing` has the figures that this prints.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from scheduler.state import views
from tests.chaos.fleet import Fleet
from tests.few_rows import find_few_rows

RATES, FLAT = 25, 1.10  # trainings of a sweep with one seed; how far memory may grow after the first sweep
SPEC = """
sweep: {name}
experiment: grid
model: offline/ngram-s
train: {{method: sl, batch_size: 8, steps: {steps}, rank: 4}}
data: {{reference: {{source: "{rows}", holdout: 16}}}}
vary: {{train.learning_rate: [{rates}]}}
seeds: {seeds}
evaluate: [nll]
reuse: sweep
"""


class Held(NamedTuple):
    """What a process holds now."""

    resident: int  # bytes
    most: int  # bytes: the highest so far
    threads: int
    files: int
    cpu: float  # seconds so far


def look_at(pid: int) -> Held:
    folder = Path(f"/proc/{pid}")
    lines = (folder / "status").read_text(encoding="ascii").splitlines()
    status = dict(line.partition(":")[::2] for line in lines)
    used = (folder / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return Held(
        resident=1024 * int(status["VmRSS"].split()[0]),
        most=1024 * int(status["VmHWM"].split()[0]),
        threads=int(status["Threads"]),
        files=len(list((folder / "fd").iterdir())),
        cpu=(int(used[11]) + int(used[12])) / 100,
    )


class Measured(NamedTuple):
    """What was seen when a sweep had ended."""

    stages: int  # so far
    worker: Held
    scheduler: Held
    busiest: int  # open files of the worker, the most that were seen while it worked
    redis: Mapping[str, Any]


def measure_fleet(fleet: Fleet, sweeps: int, seeds: int, steps: int, seconds: float) -> list[Measured]:
    """Run so many sweeps, one after the other."""
    measured, stages = list[Measured](), 0
    with fleet.up():
        for number in range(sweeps):
            rates = ", ".join(f"{(1 + number + position * sweeps) * 1e-4:.6f}" for position in range(RATES))
            name = f"s{number}"
            fleet.submit(SPEC.format(name=name, rows=find_few_rows(), rates=rates, seeds=seeds, steps=steps))
            busiest = watch(fleet, name, seconds)
            with fleet.store() as store:
                ended = views.read_stages(store, name)
                client: Any = store.client
                redis = {**client.info("clients"), **client.info("stats"), **client.info("memory")}
            assert {stage.state for stage in ended} == {"succeeded"}
            stages += len(ended)
            worker, scheduler = (look_at(fleet.children[child].pid) for child in ("worker-1", "scheduler"))
            measured.append(Measured(stages, worker, scheduler, busiest, redis))
            show(measured[-1])
    return measured


def watch(fleet: Fleet, name: str, seconds: float) -> int:
    """Wait for a sweep. Return the most files that the worker had open."""
    give_up, most = time.monotonic() + seconds, 0
    while not fleet.finished(name):
        assert time.monotonic() < give_up, f"{name} did not end within {seconds:g} s"
        assert fleet.children["worker-1"].alive, fleet.children["worker-1"].said()[-2000:]
        most = max(most, look_at(fleet.children["worker-1"].pid).files)
        time.sleep(1)  # a look takes a millisecond
    return most


def show(row: Measured) -> None:
    redis, worker, scheduler = row.redis, row.worker, row.scheduler
    received, sent = int(redis["total_net_input_bytes"]), int(redis["total_net_output_bytes"])
    say(
        f"{row.stages:>6,} stages: the worker holds {worker.resident / 1e6:.1f} MB (most: {worker.most / 1e6:.1f}), "
        f"{worker.threads} threads, {worker.files} files (most: {row.busiest}), {worker.cpu:.0f} s of the processor; "
        f"the scheduler {scheduler.resident / 1e6:.1f} MB, {scheduler.files} files, {scheduler.cpu:.0f} s; "
        f"Redis has {redis['connected_clients']} connections, and received {received / row.stages:,.0f} and sent "
        f"{sent / row.stages:,.0f} bytes a stage"
    )


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--sweeps", type=int, default=4)
    parser.add_argument("--seeds", type=int, default=10, help="each is 50 stages of a sweep")
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3600, help="after which a sweep has failed")
    options = parser.parse_args()
    settings = {"SWEEP_THREADS": str(options.threads), "SWEEP_SLOTS_START": str(options.threads), "SWEEP_LEASE": "60"}
    with tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(Path(folder) / "fleet", workers=1, settings=settings)
        rows = measure_fleet(fleet, options.sweeps, options.seeds, options.steps, options.seconds)
    grown = max(row.worker.resident for row in rows) / rows[0].worker.resident
    say(f"{'ok  ' if grown <= FLAT else 'OVER'} memory of the worker, of that after the first sweep: {grown:.3f}")
    return 0 if grown <= FLAT else 1


if __name__ == "__main__":
    sys.exit(main())
