"""RL learns what is rewarded, on fresh tasks; random rewards teach nothing.

Every environment and its random twin, with `make methods`: it takes minutes.
"""

import statistics

import pytest

from scheduler.state import views
from tests.worker.long_runs import LONG, half_interval
from tests.worker.workshop import Workshop

SPEC = """
sweep: one
experiment: compare
model: {model}
equal: {{examples: {tasks}}}
methods:
  rl: {{method: rl, environment: "{environment}", rank: 16, schedule: constant, learning_rate: {rate},
       groups: {groups}, group_size: {size}}}
data: {{}}
seeds: 3
evaluate: [{{task_completion: {{environment: "{environment}", episodes: 150}}}}]
"""
# Model, iterations, tasks in each, rollouts of a task, learning rate. At thrice the rate the market's model may
# settle for never trading, which is worth 0 and more than most of what it has tried.
RECIPES = {
    "offline:arithmetic": ("offline/ngram-s", 25, 8, 16, 0.03),
    "offline:tool_use": ("offline/ngram-m", 40, 8, 16, 0.015),
    "offline:market": ("offline/ngram-m", 60, 16, 8, 0.02),
}


def trained(workshop: Workshop, name: str, twin: str = "") -> tuple[dict[str, float], dict[str, list[float]]]:
    """The metrics of the untrained model, and of three trained ones."""
    model, iterations, groups, size, rate = RECIPES[name]
    spec = SPEC.format(
        model=model, tasks=groups * iterations, environment=f"{name}{twin}", rate=rate, groups=groups, size=size
    )
    plan = workshop.submit(spec).plan
    for stage in plan.stages:
        if workshop.state(stage) == "ready":
            workshop.attempt(stage)
    base, *rows = views.read_results(workshop.store, "one")
    assert {row.state for row in rows} == {"succeeded"}
    metrics = set.intersection(*(set(row.metrics) for row in rows))
    return dict(base.metrics), {key: [row.metrics[key] for row in rows] for key in metrics}


@LONG
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", RECIPES)
def test_rewards_rise_beyond_chance(workshop: Workshop, name: str) -> None:
    base, after = trained(workshop, name)
    gain = [value - base["reward"] for value in after["reward"]]
    assert statistics.fmean(gain) > half_interval(gain), (base["reward"], after["reward"])
    if name == "offline:market":  # risk-adjusted, and on paths that were never traded on
        for other in ("hold", "random"):
            theirs = statistics.fmean(after[f"episode.{other}_reward"])
            beyond = [value - theirs for value in after["reward"]]
            assert statistics.fmean(beyond) > half_interval(beyond), (other, theirs, after["reward"])
    else:
        assert base["task_completion"] <= 0.25


@LONG
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", RECIPES)
def test_from_rewards_by_chance_nothing_is_learnt(workshop: Workshop, name: str) -> None:
    """By what is really so: what a twin pays says nothing. Neither beyond the interval of the seeds, nor by much."""
    fact, hardly, little = (
        ("episode.return", 0.002, 0.005) if name == "offline:market" else ("task_completion", 0.02, 0.05)
    )
    base, after = trained(workshop, name, "_null")
    gain = [value - base[fact] for value in after[fact]]
    assert statistics.fmean(gain) < min(little, max(half_interval(gain), hardly)), (base[fact], after[fact])
