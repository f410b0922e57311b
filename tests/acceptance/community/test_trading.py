"""The example `trading`: a reward that counts risk has the better Sharpe ratio; of noise nothing is claimed."""

import math
import statistics
from typing import Any

import pytest

from tests.acceptance.command import Desk
from tests.acceptance.community.example_modules import IN_FULL, IN_SHORT, import_module
from tests.acceptance.community.example_results import find_difference
from tests.acceptance.community.example_runs import run_example
from tests.acceptance.community.null_twins import NO_CLAIMS

NAME = "trading"
TWIN = (
    "methods.profit_rl.environment=environment:Noise",
    "methods.careful_rl.environment=environment:CarefulNoise",
    'evaluate=[task_completion: {environment: "environment:Noise", episodes: 200}]',
    "metrics=[return_sharpe]",
)


def play(session: Any, orders: list[str]) -> Any:
    """Send orders, and return what the last one was answered with."""
    for order in orders:
        turn = session.step(order)
    return turn


def test_a_return_is_what_positions_bear_less_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Worked by hand: who holds bears gaps and drifts, who orders pays for each unit, and a refused order is none."""
    market = import_module(monkeypatch, NAME, "environment")
    monkeypatch.setattr(market, "EVENTS", 3)
    session = market.Market().episode(3, "test")
    events = [("beat", 1.0, 2.0), ("quiet", -3.0, 0.5), ("miss", -1.0, -2.0)]
    session.path = [market.Event(*event) for event in events]
    turn = play(session, ["long(2)", "long(3)", "short(1)\n"])
    # 2 units: -0.2 +4; the gap -6, +1; the gap -2, then 3 units are traded: -0.3, and short by one: +2
    assert 100 * turn.facts["return"] == pytest.approx(-0.2 + 4 - 6 + 1 - 2 - 0.3 + 2)
    assert 100 * turn.facts["drawdown"] == pytest.approx(3.8 - (3.8 - 6 + 1 - 2 - 0.3))
    assert (turn.facts["turnover"], turn.facts["refused"], turn.done) == (5, 1, True)
    held = -0.1 + 2 - 3 + 0.5 - 1 - 2
    assert 100 * turn.facts["over_hold"] == pytest.approx(100 * turn.facts["return"] - held)
    assert turn.reward == pytest.approx(100 * turn.facts["return"])
    earned, market_risk = turn.reward, market.NORMAL
    charged = (
        (2 * market_risk["beat"].spread) ** 2 + market_risk["quiet"].spread ** 2 * 4 + market_risk["miss"].spread ** 2
    )
    careful = market.CarefulMarket().pay(session.agent)
    assert careful == pytest.approx(earned - market.AVERSION * charged - market.FEAR * session.agent.drawdown)


def test_paths_of_the_end_are_in_no_training_and_noise_has_no_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    market = import_module(monkeypatch, NAME, "environment")
    paths = {
        split: {tuple(market.Market().episode(seed, split).path) for seed in range(500)} for split in ("train", "test")
    }
    assert not paths["train"] & paths["test"]
    moves: dict[str, list[float]] = {}
    for seed in range(1_000):
        for event in market.Noise().episode(seed, "train").path:
            moves.setdefault(event.news, []).append(event.drift)
    for news, drifts in moves.items():
        assert abs(statistics.fmean(drifts)) < 4 * statistics.stdev(drifts) / math.sqrt(len(drifts)), news


def test_what_is_planted_can_be_earned(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeping out of rumours earns less than following them, with a higher Sharpe ratio; in a crisis also more."""
    market = import_module(monkeypatch, NAME, "environment")

    def measure(kind: Any, rumour: str) -> tuple[float, float]:
        orders = {"beat": "long(2)", "miss": "short(2)", "quiet": "flat()", "rumour": rumour}
        returns = []
        for seed in range(500):
            session = kind().episode(seed, "train")
            returns.append(play(session, [orders[event.news] for event in session.path]).facts["return"])
        return statistics.fmean(returns), statistics.fmean(returns) / statistics.stdev(returns)

    (bold, bold_ratio), (careful, careful_ratio) = (measure(market.Market, rumour) for rumour in ("long(2)", "flat()"))
    assert bold > careful > 0
    assert careful_ratio > bold_ratio + 0.3
    assert measure(market.Crisis, "flat()")[0] > measure(market.Crisis, "long(2)")[0] + 0.01


@IN_SHORT
def test_without_a_signal_nothing_is_claimed(desk: Desk) -> None:
    conclusion = run_example(desk, NAME, *TWIN, "seeds=2", "equal.tokens=60000")["conclusion"]
    assert conclusion["metric"] == "return_sharpe"
    assert conclusion["claim"] in NO_CLAIMS, conclusion


@IN_FULL
def test_the_reward_that_counts_risk_has_the_better_sharpe_ratio_and_both_beat_holding(desk: Desk) -> None:
    results = run_example(desk, NAME)
    conclusion = results["conclusion"]
    assert (conclusion["claim"], conclusion["metric"], conclusion["against"]) == ("better", "return_sharpe", "profit")
    assert conclusion["sentence"].startswith("careful")
    assert conclusion["low"] > 0.1
    assert "may_be_luck" not in conclusion["caveats"]
    assert {"unmeasured_runs", "idle_policy"} <= {*conclusion["caveats"]}, "of the untrained model"
    assert conclusion["subject"] == "careful"
    assert find_difference(results, "episode.drawdown", "careful", "profit")["mean"] < 0
    assert find_difference(results, "episode.return", "careful", "profit")["mean"] < 0, "risk was paid for"
    for metric in ("episode.over_hold", "episode.over_random"):
        runs = [run["metrics"][metric] for run in results["runs"] if run["cell"]["method"]]
        assert len(runs) == 8
        assert min(runs) > 0.01, metric
