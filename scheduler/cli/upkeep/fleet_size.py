"""`sweep sizing`: what a fleet needs of each machine, from what was measured."""

import math
from typing import Any, NamedTuple

import click

from scheduler.cli.console.output import Output
from scheduler.settings import DEFAULTS

# What `make bench-keeping` and `make bench-worker` printed on 2026-11-30, on two cores with Python 3.11 and Valkey 8.1.
# The stages of the first have 64 steps or 256 items each, those of the second 2 steps or 16 items.
MEASURED = "2026-11-30"
REDIS_STAGE, REDIS_ARCHIVED = 2008, 244  # bytes that the server holds of a stage; a year later
STORE_STAGE = 2493  # bytes of files
WORKER, WORKER_THREAD = 138_000_000, 1_200_000  # bytes of a worker after 2,000 stages, with 4 and 16 threads at work
WORKER_FILES, THREAD_FILES = 144, 10  # open files likewise, the most that were seen
REDIS_CONNECTIONS, THREAD_CONNECTIONS = 19, 2  # of a worker, a scheduler and a look; of a thread
STAGE_CPU, STEP_CPU = 0.067, 0.014  # seconds of a processor in a worker
STAGE_RECEIVED, STAGE_SENT = 10_646, 3_583  # bytes that Redis receives and sends
SCHEDULER, FLOWER = 69_000_000, 65_000_000  # bytes of memory
REDIS_EMPTY = 16_000_000
REWRITE_FROM = 64_000_000  # bytes of the file of Redis below which it is never written anew
MB = 1_000_000
TITLE = f"measured on {MEASURED}, and doubled"
SPARE = 2  # memory and files are given twice what was measured: a server that writes its file anew copies what changes


class Load(NamedTuple):
    """What a fleet has to do."""

    stages: int  # whose details are kept: all of a year, by default
    archived: int  # older ones, of which only the results are kept
    night: int  # stages of the busiest night
    steps: int  # of each of them, on average
    hours: float  # of that night
    workers: int  # processes
    threads: int  # of each


class Need(NamedTuple):
    """What one part of a fleet needs of one resource, rounded up to two digits."""

    part: str
    resource: str
    amount: float
    unit: str


def size_fleet(load: Load) -> list[Need]:
    """Compute what each part needs."""
    held = REDIS_EMPTY + load.stages * REDIS_STAGE + load.archived * REDIS_ARCHIVED
    threads, cpu = load.workers * load.threads, load.night * (STAGE_CPU + load.steps * STEP_CPU)
    needs = [
        Need("Redis", "memory", SPARE * held / MB, "MB"),
        Need("Redis", "disk", (max(REWRITE_FROM, 2 * held) + held) / MB, "MB"),
        Need("Redis", "connections", SPARE * (REDIS_CONNECTIONS + threads * THREAD_CONNECTIONS), ""),
        Need("Redis", "network", load.night * (STAGE_RECEIVED + STAGE_SENT) / (load.hours * 3600), "B/s"),
        Need("store", "disk", load.stages * STORE_STAGE / MB, "MB"),
        Need("each worker", "memory", SPARE * (WORKER + load.threads * WORKER_THREAD) / MB, "MB"),
        Need("each worker", "open files", SPARE * (WORKER_FILES + load.threads * THREAD_FILES), ""),
        Need("all workers", "processor", SPARE * cpu / 60, "minutes a night"),
        Need("scheduler", "memory", SPARE * SCHEDULER / MB, "MB"),
        Need("Flower", "memory", SPARE * FLOWER / MB, "MB"),
    ]
    return [need._replace(amount=round_up(need.amount)) for need in needs]


def round_up(amount: float) -> float:
    """Round up to two digits: nobody knows more, and a machine that is too small is worse than one too large."""
    if not amount:
        return 0
    unit = 10.0 ** (math.floor(math.log10(amount)) - 1)
    rounded = round(math.ceil(amount / unit - 1e-9) * unit, 9)
    return int(rounded) if rounded.is_integer() else rounded


@click.command()
@click.option("--stages", type=click.IntRange(0), default=20_000, show_default=True, help="Stages kept in detail.")
@click.option("--archived", type=click.IntRange(0), default=0, show_default=True, help="Stages older than that.")
@click.option("--night", type=click.IntRange(1), default=1000, show_default=True, help="Stages of the busiest night.")
@click.option("--steps", type=click.IntRange(1), default=100, show_default=True, help="Steps of a stage, on average.")
@click.option("--hours", type=click.FloatRange(0.1), default=8.0, show_default=True, help="Hours of that night.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Worker processes.")
@click.option("--threads", type=click.IntRange(1), default=int(DEFAULTS["SWEEP_THREADS"]), show_default=True)
@click.pass_obj
def sizing(output: Output, /, **load: Any) -> None:
    """Estimate how large the machines of a fleet must be.

    The figures come from measurements of this program; nothing is asked or started. Models are at the service, so
    their size does not matter here.
    """
    output.print_rows("needs", [need._asdict() for need in size_fleet(Load(**load))], title=TITLE)


commands = {"sizing": sizing}
