"""`make bench-chat`: what answers and rewards teach the model that reads whole chats.

Prints the tables of docs/reference/offline-models.md: four tasks, three seeds, each with fresh items. Fifteen minutes
of the processor.
"""

import statistics
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

from tests.tinker_offline.model.chat_tasks import TASKS
from tests.tinker_offline.model.chat_training import (
    FIRST,
    RANK,
    REWARDS,
    SIZE,
    load_chat_base,
    measure,
    measure_samples,
    reinforce,
    teach,
)
from tests.worker.long_runs import half_interval
from tinker_offline.model.families import new_adapter
from tinker_offline.model.learner import Learner

SEEDS, ITEMS, PROCESSES = range(3), 200, 2


STEPS = {"tool call": (50, 100), "clause": (50, 100, 300), "signal": (50, 100, 300), "rewriting": (50, 100)}
SHUFFLED = 50  # steps with the answers of other items


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
            Measured(measure(base, learner, task, seed, ITEMS), measure_samples(base, learner, task, seed, ITEMS // 2))
            for learner in learners
        )
    )


def compare_answers(task: str, seed: int) -> list[float]:
    """Return the share of exact answers after each number of steps, then with shuffled answers."""
    base = load_chat_base()
    learners = [teach(base, task, seed, steps) for steps in STEPS[task]]
    learners.append(teach(base, task, seed, SHUFFLED, shuffled=True))
    return [measure(base, learner, task, seed, ITEMS // 2) for learner in learners]


def _list_row(task: str, rows: list[Row]) -> list[str]:
    """List the answers of each seed with the mean of the samples in brackets, then the gains."""
    cells = []
    for measured in zip(*rows, strict=True):
        samples = statistics.fmean(shares.samples for shares in measured)
        cells.append(f"{_list_shares([shares.answers for shares in measured])} ({samples:.2f})")
    return [task, *cells, _interval([row.gain() for row in rows]), _interval([row.gain_of_twin() for row in rows])]


def _list_shares(shares: Sequence[float]) -> str:
    return ", ".join(f"{share:.2f}" for share in shares)


def _interval(gains: list[float]) -> str:
    return f"{statistics.fmean(gains):+.3f} ± {half_interval(gains):.3f}"


def _write(cells: list[str]) -> None:
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


def main() -> None:
    """Print a line for each task as soon as it is measured, one after the other."""
    with ProcessPoolExecutor(PROCESSES) as pool:
        taught = {task: [pool.submit(compare_answers, task, seed) for seed in SEEDS] for task in TASKS}
        rewarded = {task: [pool.submit(compare_rewards, task, seed) for seed in SEEDS] for task in TASKS}
        _write(["answers", *(f"{steps} steps" for steps in STEPS["clause"]), "shuffled"])
        for task, shares in taught.items():
            columns = [_list_shares(column) for column in zip(*(future.result() for future in shares), strict=True)]
            blank = [""] * (len(STEPS["clause"]) + 1 - len(columns))
            _write([task, *columns[:-1], *blank, columns[-1]])
        _write(["rewards", "untrained", "answers", "then rewards", "then a coin", "gain", "gain of the coin"])
        for task, rows in rewarded.items():
            _write(_list_row(task, [row.result() for row in rows]))


if __name__ == "__main__":
    main()
