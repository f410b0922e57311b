"""`make bench-chat`: the processor time of offline/chat-s for 100 steps of batch 16 and for a rollout.

Fails above a limit. The best of five on one thread; other work on the machine makes it half as much again.
"""

import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

from tests.tinker_offline.model.chat_tasks import make_fresh, make_items
from tests.tinker_offline.model.chat_training import (
    BATCH,
    RANK,
    SIZE,
    accumulate,
    encode_prompt,
    load_chat_base,
    mark_items,
    teach,
)
from tinker_offline.model.families import new_adapter
from tinker_offline.model.learner import AdamParams, Learner
from tinker_offline.model.ngram import Base
from tinker_offline.model.sampling import Draw, sample

TASK = "tool call"  # the longest of the four
LIMIT_STEPS, LIMIT_ROLLOUT = 3.0, 15.0  # seconds for 100 steps; milliseconds
STEPS, TRIES, PROMPTS, LENGTH = 20, 5, 8, 140
GROUPS = (1, 8)  # rollouts of one prompt


class Taken(NamedTuple):
    """What was measured of the processor."""

    steps: float  # seconds for 100 steps
    rollouts: dict[int, float]  # milliseconds for one, by the size of its group
    loop: float  # milliseconds for a million additions in Python, by which machines and hours compare

    @property
    def is_within(self) -> bool:
        return self.steps <= LIMIT_STEPS and all(taken <= LIMIT_ROLLOUT for taken in self.rollouts.values())


def measure_speed() -> Taken:
    """Measure in this process, which must have been started with one thread for numpy."""
    base = load_chat_base()
    return Taken(
        min(_time_steps(base) for _ in range(TRIES)) * 100 / STEPS,
        {group: _time_rollout(base, group) for group in GROUPS},
        min(_time_loop() for _ in range(TRIES)),
    )


def _time_steps(base: Base) -> float:
    learner = Learner(new_adapter(SIZE, RANK, 0))
    batches = [mark_items(make_items(TASK, BATCH, seed)) for seed in range(STEPS)]
    start = time.process_time()
    for texts, answers in batches:
        accumulate(learner, base, texts, "cross_entropy", {"weights": answers / answers.sum()})
        learner.step(AdamParams(0.02))
    return time.process_time() - start


def _time_rollout(base: Base, group: int) -> float:
    """Return the milliseconds of one rollout after 60 steps, when the calls end where they should."""
    learner = teach(base, TASK, 0, 60)
    prompts = [encode_prompt(prompt) for prompt, _ in make_fresh(TASK, PROMPTS, 0)]
    times = []
    for _ in range(TRIES):
        start = time.process_time()
        for prompt in prompts:
            sample(base, learner.adapter, prompt, group, Draw(LENGTH, 0))
        times.append(time.process_time() - start)
    return min(times) / (group * PROMPTS) * 1000


def _time_loop() -> float:
    start, total = time.process_time(), 0
    for number in range(10**6):
        total += number
    return (time.process_time() - start) * 1000


def main() -> None:
    """Print what was measured, and fail above a limit."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"  # for the new process: numpy reads it once
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        taken = pool.submit(measure_speed).result()
    sys.stdout.write(f"100 steps of batch {BATCH}: {taken.steps:.2f} s of the processor (limit {LIMIT_STEPS:g})\n")
    for group, milliseconds in taken.rollouts.items():
        sys.stdout.write(f"a rollout in a group of {group}: {milliseconds:.1f} ms (limit {LIMIT_ROLLOUT:g})\n")
    sys.stdout.write(f"a million additions in Python: {taken.loop:.0f} ms\n")
    if not taken.is_within:
        sys.exit("above a limit")


if __name__ == "__main__":
    main()
