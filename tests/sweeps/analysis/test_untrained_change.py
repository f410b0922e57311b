"""The change of a grid's cell has one interval wherever it is told: for other seeds and for other items, in groups."""

from typing import Any

import numpy as np
import pytest

from sweeps.evaluation.item_rows import ItemRow
from sweeps.report.compose import list_facts
from sweeps.report.inputs import Material
from sweeps.results import RunResult
from sweeps.stage import Json
from sweeps.stats.intervals import critical_t
from sweeps.stats.paired_items import item_key

CELLS: tuple[dict[str, Json], ...] = ({"untrained": True}, {"train.rank": 8})


def plant(seeds: int, groups: int, spread: float = 0.01) -> Material:
    """Trainings that nearly agree, on items of which each group gains its own."""
    rows, items = list[RunResult](), dict[Any, Any]()
    chance = np.random.default_rng(5)
    gains = chance.normal(0.2, 0.2, groups)
    for cell in CELLS:
        for seed in range(seeds if "train.rank" in cell else 1):
            own = chance.normal(0, spread)
            kept = [
                ItemRow(item, {"mrr": 0.3 + (gains[item // 4] + own if "train.rank" in cell else 0.0)}, item // 4)
                for item in range(4 * groups)
            ]
            items[item_key(cell, seed)] = kept
            rows.append(
                RunResult(cell, seed, "succeeded", {"mrr": float(np.mean([row.values["mrr"] for row in kept]))})
            )
    spec: dict[str, Json] = {"experiment": "grid", "metrics": [{"metric": "mrr"}]}
    return Material("one", "finished", spec, rows, items={"answers": items})


@pytest.mark.parametrize(("seeds", "groups"), [(3, 12), (1, 12), (2, 30)])
def test_the_headline_and_the_changes_have_one_interval(seeds: int, groups: int) -> None:
    facts = list_facts(plant(seeds, groups))
    (change,), claim, (best,) = facts["changes"], facts["conclusion"], facts["best"]
    ends = change["low"], change["high"]
    estimate = best["untrained"]["change"]
    assert (estimate["low"], estimate["high"]) == pytest.approx(ends)
    assert estimate["mean"] == pytest.approx(change["mean"])
    if seeds > 1:
        assert (claim["claim"], claim["against"]) == ("better", "untrained")
        assert (claim["low"], claim["high"]) == pytest.approx(ends)


def test_the_interval_is_wider_than_that_of_the_seeds_alone() -> None:
    """Seeds that nearly agree are no certainty where groups differ."""
    known = plant(3, 12)
    gains = [row.metrics["mrr"] - known.rows[0].metrics["mrr"] for row in known.rows[1:]]
    of_seeds = critical_t(2) * np.std(gains, ddof=1) / np.sqrt(3)
    claim = list_facts(known)["conclusion"]
    assert claim["effect"] == pytest.approx(np.mean(gains))
    assert (claim["high"] - claim["low"]) / 2 > 2 * of_seeds


def test_without_items_the_seeds_alone_give_it() -> None:
    known = plant(3, 12)
    facts = list_facts(Material(known.sweep, known.state, known.spec, known.rows))
    gains = [row.metrics["mrr"] - known.rows[0].metrics["mrr"] for row in known.rows[1:]]
    of_seeds = critical_t(2) * np.std(gains, ddof=1) / np.sqrt(3)
    assert facts["conclusion"]["high"] - facts["conclusion"]["low"] == pytest.approx(2 * of_seeds)
