"""Recovery from errors, calls over the fewest possible, and results by regime: each by hand."""

import math
import statistics
from collections.abc import Sequence

import numpy as np
import pytest

from sweeps import RunResult, item_key
from sweeps.analysis.item_analysis import StratumResult, list_strata
from sweeps.analysis.told_items import count_told
from sweeps.environments import Episode, EpisodeShape, list_numbers, read_regime
from sweeps.environments.market import EVENTS, SHOWN, TREND, Market, Trading
from sweeps.environments.tool_use import Lookup, ToolUse
from sweeps.evaluation.episode_evaluator import PlayedEpisode
from sweeps.evaluation.evaluator import Measured
from sweeps.evaluation.registry import choose_direction, find_measure, find_metric
from sweeps.evaluation.task_completion import EFFORT, OF_RETURNS, RECOVERY, TASK_COMPLETION
from sweeps.metrics import trading
from sweeps.report.compose import compose_answer, list_facts
from sweeps.report.inputs import Material
from sweeps.stage import Json
from tests.sweeps.playing import play
from tests.sweeps.reports import list_rows


def measure(facts: Sequence[dict[str, float]], regimes: Sequence[str] = ()) -> Measured:
    episodes = [
        PlayedEpisode(task, numbers.get("pnl", 0.0), 1, numbers, "", regimes[task] if regimes else "")
        for task, numbers in enumerate(facts)
    ]
    return TASK_COMPLETION.measure(episodes, {})


def test_recovery_is_a_rate_over_the_episodes_that_met_an_error() -> None:
    """Of four episodes three met errors, and two of them got over: 2/3, whatever the one without says."""
    measured = measure(
        [
            {"errors": 2.0, "recovered": 1.0, "solved": 1.0},
            {"errors": 1.0, "recovered": 0.0, "solved": 0.0},
            {"errors": 0.0, "recovered": 0.0, "solved": 1.0},
            {"errors": 1.0, "recovered": 1.0, "solved": 0.0},
        ]
    )
    assert measured.metrics[RECOVERY] == pytest.approx(2 / 3)
    assert [row.values.get(RECOVERY) for row in measured.rows] == [1.0, 0.0, None, 1.0]
    row = RunResult({"method": "rl"}, 0, "succeeded", measured.metrics)
    counts = count_told([row], RECOVERY, {item_key(row.cell, 0): measured.rows})
    assert counts is not None
    assert (counts.items, counts.of) == (3, 4), "it carries its denominator"


@pytest.mark.parametrize(
    ("facts", "rate"),
    [
        ([{"errors": 1.0, "solved": 1.0}, {"errors": 3.0, "solved": 0.0}], 0.5),  # without `recovered`: solved
        ([{"recovered": 1.0}, {"recovered": 0.0}, {}], 0.5),  # without `errors`: the episodes that say `recovered`
        ([{"errors": 4.0, "recovered": 3.0}, {"errors": 1.0, "recovered": 0.0}], 0.5),  # got over: 1 at most
        ([{"errors": 0.0}, {"solved": 1.0}], None),
    ],
)
def test_what_says_that_an_error_was_met_and_got_over(facts: list[dict[str, float]], rate: float | None) -> None:
    assert measure(facts).metrics.get(RECOVERY) == rate


def test_calls_over_the_fewest_are_those_of_solved_tasks() -> None:
    """3/2 and 4/4: a mean of 1.25. A task that is not solved took as many calls as it liked."""
    measured = measure(
        [
            {"solved": 1.0, "calls": 3.0, "fewest_calls": 2.0},
            {"solved": 1.0, "calls": 4.0, "fewest_calls": 4.0},
            {"solved": 0.0, "calls": 1.0, "fewest_calls": 4.0},
            {"solved": 1.0, "calls": 1.0, "fewest_calls": 0.0},
            {"solved": 1.0},
        ]
    )
    assert measured.metrics[EFFORT] == 1.25
    assert [row.values.get(EFFORT) for row in measured.rows] == [1.5, 1.0, None, None, None]


def test_it_is_known_what_measures_them_which_way_is_better_and_their_range() -> None:
    assert [find_measure(name) for name in (RECOVERY, EFFORT)] == ["task_completion"] * 2
    assert (choose_direction(RECOVERY), choose_direction(EFFORT)) == ("higher", "lower")
    known = [find_metric(name) for name in (RECOVERY, EFFORT)]
    assert [(metric.span, metric.conditional) for metric in known if metric] == [
        ((0.0, 1.0), True),
        ((0.0, math.inf), True),
    ]


def act_rightly(episode: Episode) -> str:
    """Do what the expert of the built-in tools does."""
    assert isinstance(episode, Lookup)
    return episode.expert()


def test_the_built_in_tools_say_what_a_recovery_rate_needs() -> None:
    """Every second task has an error; the expert gets over each, and who only calls the tool over none."""
    played = [play(ToolUse(), seed, "test", act_rightly) for seed in range(60)]
    measured = measure([list_numbers(episode.turns[-1].facts) for episode in played])
    recoveries = sum(RECOVERY in row.values for row in measured.rows)
    assert measured.metrics[RECOVERY] == 1.0
    assert 20 < recoveries < 40


def test_the_market_says_its_regime() -> None:
    """By hand: 50 + 60 + 100 - 9 = 201 basis points are a bull, and one less than TREND is sideways."""
    shown = (50,) * SHOWN
    for moves, regime in (
        ((50, 60, 100, -9), "bull"),
        ((TREND - 1, 0, 0, 0), "sideways"),
        ((-TREND, 0, 0, 0), "bear"),
    ):
        turn = Trading((*shown, *moves)).step("b")
        assert read_regime(turn.facts) == regime
        assert "regime" not in list_numbers(turn.facts)
    assert Market.shape == EpisodeShape((EVENTS, EVENTS), (1, 1), (SHOWN + 3, SHOWN + 3))
    regimes = [read_regime(play(Market(), seed, "test", lambda _: "b").turns[-1].facts) for seed in range(300)]
    assert all(regimes.count(name) > 30 for name in ("bull", "bear", "sideways"))


REGIMES = ["bull", "bear", "sideways"] * 20
CHANCE = np.random.default_rng(4)
PNL = [{"bull": 0.05, "bear": -0.03, "sideways": 0.0}[name] + CHANCE.normal(0, 0.02) for name in REGIMES]


def strata(seeds: int = 1) -> tuple[list[RunResult], dict[str, StratumResult], Material]:
    measured = measure([{"pnl": pnl, "return": pnl, "solved": float(pnl > 0)} for pnl in PNL], REGIMES)
    rows = [RunResult({"method": "rl"}, seed, "succeeded", measured.metrics) for seed in range(seeds)]
    items = {"task_completion": {item_key(row.cell, row.seed): measured.rows for row in rows}}
    spec: dict[str, Json] = {"experiment": "compare", "metrics": [{"metric": "episode.pnl", "mode": "max"}]}
    return (
        rows,
        {f"{stratum.metric} {stratum.stratum}": stratum for stratum in list_strata(rows, items)},
        Material("s", "finished", spec, rows, items=items),
    )


def test_a_fact_of_episodes_has_its_mean_and_interval_in_each_regime() -> None:
    """The interval of one seed is that of the mean over its episodes, by scipy."""
    from scipy import stats  # a second

    _, estimates, material = strata()
    for name in ("bull", "bear", "sideways"):
        own = [pnl for pnl, regime in zip(PNL, REGIMES, strict=True) if regime == name]
        estimate = estimates[f"episode.pnl {name}"]
        low, high = stats.t.interval(0.95, len(own) - 1, statistics.fmean(own), stats.sem(own))
        assert (estimate.items, estimate.seeds) == (20, 1)
        assert [estimate.mean, estimate.low, estimate.high] == pytest.approx(
            [statistics.fmean(own), low, high], abs=2e-4
        )
    facts = list_facts(material)["strata"]
    assert {(fact["column"], fact["stratum"]) for fact in facts} == {("regime", name) for name in {*REGIMES}}
    shown = list_rows(compose_answer(material), "regime")
    assert [row["regime"].text for row in shown] == ["bear", "bull", "sideways"], "of the metric that the file names"


def test_a_ratio_of_all_returns_is_computed_anew_from_those_of_a_regime() -> None:
    _, estimates, _ = strata()
    for name in ("bull", "bear", "sideways"):
        own = [pnl for pnl, regime in zip(PNL, REGIMES, strict=True) if regime == name]
        assert estimates[f"return_sharpe {name}"].mean == pytest.approx(trading.sharpe(own))
        assert estimates[f"return_cvar {name}"].mean == pytest.approx(trading.cvar(own))
    assert {*OF_RETURNS} == {"return_sharpe", "return_sortino", "return_cvar"}


def test_episodes_without_a_regime_are_told_together() -> None:
    rows, _, material = strata()
    bare = measure([{"pnl": pnl} for pnl in PNL]).rows
    assert all(row.stratum is None for row in bare)
    items = {"task_completion": {item_key(rows[0].cell, 0): bare}}
    assert list_strata(rows, items) == []
    assert list_rows(compose_answer(Material("s", "finished", material.spec, rows, items=items)), "regime") == []
