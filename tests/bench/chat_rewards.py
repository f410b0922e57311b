"""`make bench-chat`: what answers and rewards teach the model that reads whole chats, and how long a rollout takes.

Prints the table of docs/reference/offline-models.md: four tasks, three seeds, each with fresh items. Some minutes.
"""

import statistics
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

import numpy as np

from tests.tinker_offline.model.chat_tasks import TASKS, make_fresh
from tests.tinker_offline.model.chat_training import (
    FIRST,
    RANK,
    REWARDS,
    SIZE,
    encode_prompt,
    load_chat_base,
    measure,
    measure_samples,
    reinforce,
    teach,
)
from tests.worker.long_runs import half_interval
from tinker_offline.model.families import new_adapter
from tinker_offline.model.learner import Learner
from tinker_offline.model.sampling import Draw, sample

SEEDS, ITEMS, PROCESSES = range(3), 200, 2
ROLLOUTS = 200


class Measured(NamedTuple):
    """Shares of exact answers to fresh items, and of samples."""

    answers: float
    samples: float


class Row(NamedTuple):
    """One task and seed."""

    untrained: Measured
    taught: Measured
    rewarded: Measured
    twin: Measured  # rewarded by a coin

    def gain(self) -> float:
        return self.rewarded.answers - self.taught.answers

    def gain_of_twin(self) -> float:
        return self.twin.answers - self.taught.answers


def compare_rewards(task: str, seed: int) -> Row:
    base = load_chat_base()
    first = teach(base, task, seed, FIRST[task])
    rewarded, twin = (reinforce(base, first.adapter, task, seed, REWARDS[task], chance=coin) for coin in (False, True))
    learners = (Learner(new_adapter(SIZE, RANK, seed)), first, rewarded, twin)
    return Row(
        *(
            Measured(measure(base, one, task, seed, ITEMS), measure_samples(base, one, task, seed, ITEMS // 2))
            for one in learners
        )
    )


def time_rollouts(group: int) -> float:
    """Return the median milliseconds of the processor for a rollout of a tool call, in groups of this size."""
    base = load_chat_base()
    learner, times = teach(base, "tool call", 0, 60), []
    for prompt, _ in make_fresh("tool call", ROLLOUTS // group, 0):
        start = time.process_time()
        sample(base, learner.adapter, encode_prompt(prompt), group, Draw(140, 0))
        times.append((time.process_time() - start) / group * 1000)
    return float(np.median(times))


def _list(results: Iterable[Measured]) -> str:
    """List the answers of each seed, and in brackets the mean of the samples."""
    measured = list(results)
    answers = ", ".join(f"{one.answers:.2f}" for one in measured)
    return f"{answers} ({statistics.fmean(one.samples for one in measured):.2f})"


def _interval(gains: list[float]) -> str:
    return f"{statistics.fmean(gains):+.3f} ± {half_interval(gains):.3f}"


def main() -> None:
    """Print a line for each task as soon as it is measured, then the times."""
    with ProcessPoolExecutor(PROCESSES) as pool:
        pending = {task: [pool.submit(compare_rewards, task, seed) for seed in SEEDS] for task in TASKS}
        for task, futures in pending.items():
            rows = [future.result() for future in futures]
            cells = [_list(column) for column in zip(*rows, strict=True)]
            gains = [_interval([row.gain() for row in rows]), _interval([row.gain_of_twin() for row in rows])]
            sys.stdout.write(f"| {task} | {' | '.join([*cells, *gains])} |\n")
            sys.stdout.flush()
    for group in (1, 8):
        sys.stdout.write(f"a rollout of a tool call, in groups of {group}: {time_rollouts(group):.1f} ms\n")


if __name__ == "__main__":
    main()
