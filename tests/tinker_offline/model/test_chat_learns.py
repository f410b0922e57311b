"""A chat model learns what people write, on fresh items, from answers and from rewards; from chance it learns nothing.

All four tasks with three seeds, and all that rewards teach, with `make methods`: it takes minutes. One task always.
"""

import statistics

import pytest
from scipy import stats

from tests.tinker_offline.model.chat_tasks import TASKS, make_fresh, make_items
from tests.tinker_offline.model.chat_training import (
    BATCH,
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
from tests.worker.long_runs import LONG, half_interval
from tinker_offline.model.families import new_adapter
from tinker_offline.model.learner import Learner

SEEDS, ITEMS = range(3), 200
STEPS = {"tool call": 100, "clause": 300, "signal": 300, "rewriting": 100}
CHANCE = {"signal": 0.5}  # of two classes; an exact answer to another task is never a lucky one


def test_a_rewriting_is_learnt_in_fifty_steps() -> None:
    base = load_chat_base()
    untrained, learner = Learner(new_adapter(SIZE, RANK, 0)), teach(base, "rewriting", 0, 50)
    assert measure(base, untrained, "rewriting", 0, 5) == 0
    assert measure(base, learner, "rewriting", 0, 20) >= 0.4


def test_fresh_items_are_fresh() -> None:
    for task in TASKS:
        known = {prompt for prompt, _ in make_items(task, BATCH * max(STEPS.values()), 0)}
        assert known.isdisjoint(prompt for prompt, _ in make_fresh(task, 30, 0)), task


@LONG
@pytest.mark.timeout(900)
@pytest.mark.parametrize("task", TASKS)
def test_answers_teach_beyond_the_interval_and_those_of_other_items_nothing(task: str) -> None:
    base = load_chat_base()
    gains = [measure(base, teach(base, task, seed, STEPS[task]), task, seed) - CHANCE.get(task, 0) for seed in SEEDS]
    assert statistics.fmean(gains) > max(0.3, half_interval(gains)), gains
    twins = [teach(base, task, seed, STEPS[task] // 2, shuffled=True) for seed in SEEDS]
    nothing = [measure(base, twin, task, seed) - CHANCE.get(task, 0) for seed, twin in zip(SEEDS, twins, strict=True)]
    assert statistics.fmean(nothing) < max(0.03, half_interval(nothing)), nothing


@LONG
@pytest.mark.timeout(1800)
def test_classes_of_other_items_teach_nothing_however_long() -> None:
    """Chance is a half here, so that little is seen of three seeds: eight of 400 items would show a gain of .03."""
    base, seeds, steps = load_chat_base(), range(8), STEPS["signal"]
    twins = [teach(base, "signal", seed, steps, shuffled=True) for seed in seeds]
    gains = [measure(base, twin, "signal", seed, 400) - 0.5 for seed, twin in zip(seeds, twins, strict=True)]
    reach = float(stats.t.ppf(0.975, len(gains) - 1) * stats.sem(gains))
    assert reach < 0.03, gains
    assert abs(statistics.fmean(gains)) <= reach, gains


@LONG
def test_rewards_add_to_what_answers_taught_in_twenty_iterations_and_a_coin_adds_nothing() -> None:
    base, short = load_chat_base(), REWARDS["rewriting"]._replace(iterations=20)
    first = teach(base, "rewriting", 0, FIRST["rewriting"])
    rewarded, twin = (reinforce(base, first.adapter, "rewriting", 0, short, chance=coin) for coin in (False, True))
    before, after, nothing = (measure_samples(base, learner, "rewriting", 0, 60) for learner in (first, rewarded, twin))
    assert after > before + 0.1, (before, after)
    assert nothing < before + 0.05, (before, nothing)


@LONG
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("task", TASKS)
def test_rewards_add_beyond_the_interval_and_a_coin_adds_nothing(task: str) -> None:
    """To what the same answers taught before, on fresh items."""
    base, short = load_chat_base(), REWARDS[task]._replace(iterations=REWARDS[task].iterations // 2)
    gains, nothing = list[float](), list[float]()
    for seed in SEEDS:
        first = teach(base, task, seed, FIRST[task])
        before = measure(base, first, task, seed, ITEMS)
        for chance, rewards, differences in ((False, REWARDS[task], gains), (True, short, nothing)):
            learner = reinforce(base, first.adapter, task, seed, rewards, chance=chance)
            differences.append(measure(base, learner, task, seed, ITEMS) - before)
    assert statistics.fmean(gains) > half_interval(gains), gains
    assert statistics.fmean(nothing) < max(0.03, half_interval(nothing)), nothing
