"""What is planted in the rows of each kind of experiment is concluded: asserted by fields and codes, not by words."""

import html
import io
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console
from scipy import optimize, stats

from scheduler.cli.console.output import Output
from scheduler.cli.console.report_face import show_report
from sweeps.analysis.guessing import Guess, measure_margin
from sweeps.analysis.targets import fit_once, fit_runs
from sweeps.evaluation.item_rows import ItemRow
from sweeps.experiments.caveats import CAVEATS, WORDS
from sweeps.experiments.conclude_scaling import conclude_scaling
from sweeps.experiments.conclude_sweep import conclude_sweep
from sweeps.experiments.conclusion import CLAIMS, OF_TARGET, SENTENCES, Conclusion
from sweeps.experiments.evidence import conclude_guess
from sweeps.report.compose import compose, compose_answer, list_facts
from sweeps.report.document import describe_caveats
from sweeps.report.html import render_html
from sweeps.report.inputs import Material
from sweeps.report.markdown import escape_markdown, render_markdown
from sweeps.report.scaling_words import explain_low_end, write_apart
from sweeps.results import RunResult, keep_measured
from sweeps.spec.size_units import EXAMPLES
from sweeps.stage import Json, LeftOut
from sweeps.stats.paired_items import Items, item_key
from tests.sweeps.reports import EXPERIMENTS, material

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "reference" / "json.md").read_text()
KEYS = ["claim", "effect", "low", "high", "metric", "subject", "against", "caveats", "sentence", "others"]
SEEDS = range(3)
MIN: dict[str, Json] = {"best": {"metric": "nll", "mode": "min"}}
COMPARE: dict[str, Json] = {"experiment": "compare", "equal": {"tokens": 1000}, **MIN}
GRID: dict[str, Json] = {"experiment": "grid", **MIN}
TRANSFER: dict[str, Json] = {"experiment": "transfer"}
SCALING: dict[str, Json] = {"experiment": "data_scaling"}
SIZES = tuple(2**power for power in range(4, 12))
Rows = list[RunResult]


def run(cell: Mapping[str, Json], seed: int, **metrics: float) -> RunResult:
    return RunResult(cell, seed, "succeeded", metrics, tokens=1000)


def noise(*key: int, sd: float = 0.004) -> float:
    return float(np.random.default_rng(key).normal(0, sd))


def methods(sd: float = 0.004, metric: str = "nll", seeds: Sequence[int] = SEEDS, **means: float) -> Rows:
    """Runs of methods around these means; `untrained` is measured once."""
    rows = []
    for place, (name, mean) in enumerate(means.items()):
        if name == "untrained":
            rows.append(run({"method": None}, 0, **{metric: mean}))
            continue
        rows += [run({"method": name}, seed, **{metric: mean + noise(place, seed, sd=sd)}) for seed in seeds]
    return rows


def best(metric: str, mode: str = "max", kind: str = "compare") -> dict[str, Json]:
    return {"experiment": kind, "equal": {"tokens": 1000}, "best": {"metric": metric, "mode": mode}}


def cells(sd: float = 0.004, metric: str = "nll", seeds: Sequence[int] = SEEDS, **means: float) -> Rows:
    """Runs of a grid over one axis."""
    return [
        run({"train.rank": name}, seed, **{metric: mean + noise(place, seed, sd=sd)})
        for place, (name, mean) in enumerate(means.items())
        for seed in seeds
    ]


def pairs(gains: Mapping[tuple[str, str], float], sizes: Sequence[int] = (64,), seeds: Sequence[int] = SEEDS) -> Rows:
    """Targets alone, sources alone, and pairs that gain so much; size 0 is the untrained model."""
    rows, names = Rows(), list(dict.fromkeys(name for pair in gains for name in pair))
    for place, target in enumerate(names):
        rows.append(run({"source": None, "target": target, "size": 0}, 0, nll=3.0))
        for size in sizes:
            for seed in seeds:
                alone = 3.0 - 0.1 * math.log(size) + noise(place, size, seed, 1)
                rows.append(run({"source": None, "target": target, "size": size}, seed, nll=alone))
                for source in (first for first, other in gains if other == target):
                    value = alone - gains[source, target] + noise(place, size, seed, names.index(source), 2)
                    rows.append(run({"source": source, "target": target, "size": size}, seed, nll=value))
    return rows


def sizes(
    *,
    floor: float = 1.0,
    scale: float = 3.0,
    power: float = 0.3,
    seeds: Sequence[int] = SEEDS,
    measured: Sequence[int] = SIZES,
    base: float | None = 4.0,
    sd: float = 0.002,
) -> Rows:
    """Losses that follow a law, and the untrained model."""
    rows = [] if base is None else [run({"data": "code", "size": 0}, 0, nll=base)]
    return rows + [
        run({"data": "code", "size": size}, seed, nll=floor + scale * size**-power + noise(size, seed, sd=sd))
        for size in measured
        for seed in seeds
    ]


def below(goal: float, **more: Json) -> dict[str, Json]:
    return {**SCALING, "target": {"metric": "nll", "below": goal, **more}}


def lose(rows: Rows, *places: int, state: str = "failed") -> Rows:
    """Lose the result of some runs."""
    return [RunResult(row.cell, row.seed, state) if place in places else row for place, row in enumerate(rows)]


def answered(rows: Rows, metric: str, share: float, count: int, kept: int | None = None) -> Any:
    """Items of each run: so many, of which a share is right; only `kept` of them tell the metric."""
    known = count if kept is None else kept
    return {
        item_key(row.cell, row.seed): [
            ItemRow(
                f"q{item}", {metric: float((item + row.seed) % count < share * count)} if item < known else {"x": 0.0}
            )
            for item in range(count)
        ]
        for row in rows
    }


@dataclass(frozen=True)
class Planted:
    """Rows, and what is concluded from them: the claim, the effect within a tolerance, and caveats."""

    spec: Mapping[str, Json]
    rows: Rows
    claim: str
    effect: float | None = None
    against: str | None = None
    has: Sequence[str] = ()
    lacks: Sequence[str] = ("failed_runs", "unfinished_runs", "one_seed")
    items: Mapping[str, Any] = field(default_factory=dict)
    within: float = 0.02
    state: str = "finished"
    left_out: Sequence[LeftOut] = ()

    def material(self) -> Material:
        return Material("night", self.state, self.spec, self.rows, items=self.items, left_out=self.left_out)

    @cached_property
    def conclusion(self) -> Conclusion:
        return conclude_sweep(self.material())


def classify(rows: Sequence[RunResult], counts: Mapping[str, int]) -> Items:
    """Items of two classes, of each so many, which tell the macro-F1 that the rows have."""
    true = [place for place, count in enumerate(counts.values()) for _ in range(count)]
    return {
        item_key(row.cell, row.seed): [
            ItemRow(
                str(item),
                {"macro_f1": row.metrics["macro_f1"], "true_class": float(place), "chosen_class": float(place)},
                details={} if item else {"classes": [*counts]},
            )
            for item, place in enumerate(true)
        ]
        for row in rows
    }


def plant_guess(share: float, guess: str, base: float, kind: str, claim: str) -> Planted:
    """Accuracies around a share, with what is scored without knowledge."""
    known, axis = {guess: base}, "train.rank" if kind == "grid" else "method"
    rows = [
        run({axis: name}, seed, accuracy=share + noise(place, seed, sd=0.02), **known)
        for place, name in enumerate("ab")
        for seed in SEEDS
    ]
    return Planted(best("accuracy", kind=kind), rows, claim)


def plant_undefined(code: str, metric: str) -> Planted:
    """Accuracies of data that cannot give the metric that is asked for."""
    lost = (LeftOut("answers", "x", "planted", code, (metric,)),)
    rows = cells(a=0.8, b=0.9, metric="accuracy")
    missing = ["failed_runs", "unmeasured_runs", "too_few_sizes", "unusable_rows"]
    return Planted(best(metric, kind="grid"), rows, "no_answer", has=[code], lacks=missing, left_out=lost)


def along(losses: Sequence[float], metric: str = "nll", **more: float) -> Rows:
    """Runs of one seed with these values at sizes that double."""
    return [
        run({"data": "code", "size": 2 ** (4 + step)}, 0, **{metric: loss}, **more) for step, loss in enumerate(losses)
    ]


def guess_pairs(share: float, **guess: float) -> Rows:
    """Accuracies of a transfer that are all about the same, with what is scored without knowledge."""
    known = pairs({("a", "b"): 0.0, ("b", "a"): 0.0})
    return [
        run(row.cell, row.seed, accuracy=share + noise(place, 5, sd=0.02), **guess) for place, row in enumerate(known)
    ]


def flat(rows: Rows, value: float) -> Rows:
    return [
        RunResult(row.cell, row.seed, row.state, {"nll": value + (noise(place, 9) if row.cell.get("size") else 0)})
        for place, row in enumerate(rows)
    ]


def earn(rows: Rows) -> Any:
    """Sixty episodes of each run, whose returns have its Sharpe ratio on average."""
    return {
        item_key(row.cell, row.seed): [
            ItemRow(f"t{item}", {"return": value, "return_sharpe": value})
            for item, value in enumerate(row.metrics["return_sharpe"] + np.random.default_rng(row.seed).normal(size=60))
        ]
        for row in rows
    }


SHARPE = cells(metric="return_sharpe", sd=0.02, a=0.10, b=0.12, c=0.15, d=-0.1)
TWO = {("a", "b"): 0.2, ("b", "a"): 0.2}
ALL_RIGHT = [run(row.cell, row.seed, accuracy=1.0 if row.cell["size"] else 0.2) for row in pairs(TWO)]
FADING = [  # a helps b by 1.0, .5 and 0 with more and more rows, and b does nothing for a
    *pairs({("a", "b"): 1.0, ("b", "a"): 0.0}, sizes=(16,)),
    *(row for row in pairs({("a", "b"): 0.5, ("b", "a"): 0.0}, sizes=(64,)) if row.cell["size"]),
    *(row for row in pairs({("a", "b"): 0.0, ("b", "a"): 0.0}, sizes=(256,)) if row.cell["size"]),
]
FACT = "episode.recovered"
RECOVERED = methods(metric=FACT, a=0.2, b=0.8)
FEW = answered(RECOVERED, "recovered", 0.5, 100, 5)
SOME = answered(RECOVERED, "recovered", 0.5, 100, 60)
AGREED = methods(metric="accuracy", sd=0.0, a=0.0, b=1.0)
FAITHFUL = [
    run(row.cell, row.seed, faithfulness=0.95 - row.metrics["nll"] / 4)
    for row in pairs({("a", "b"): 0.9, ("b", "a"): 0.9})
]
HALF_TOLD, FIVE_TOLD = ({"rag": answered(FAITHFUL, "faithfulness", 0.5, 100, kept)} for kept in (60, 5))
ALL_EQUAL = [run({"method": name}, seed, mrr=value) for name, value in (("a", 0.5), ("b", 1.0)) for seed in range(2)]
DROPS = (3.0, 2.9, 2.8, 2.7, 2.6, 2.5, 2.4, 2.3, 1.7)  # the last is far below every forecast
BENT = [0.5 + 2 * size**-0.05 * (1 + (size / 600) ** 8) ** -0.03 for size in (2**power for power in range(4, 17))]
WOBBLE = (2.002, 1.998, 2.002, 1.998, 2.002, 1.998, 2.002, 1.998, 2.001)
ONE_ITEM = {item_key(row.cell, row.seed): [ItemRow("q", {"accuracy": row.metrics["accuracy"]})] for row in AGREED}
CUT = [
    RunResult(row.cell, row.seed, row.state, {**row.metrics, "cut_answers": 0.25}, stage=f"train-{place}")
    for place, row in enumerate(methods(metric="accuracy", sl=0.2, rl=0.7))
]
BY_CLASS = methods(metric="macro_f1", sl=0.2, rl=0.7)
RISING_GOAL: dict[str, Json] = {**SCALING, "target": {"metric": "accuracy", "above": 0.6}}
RISING = [
    run({"data": "code", "size": size}, seed, accuracy=1 - 0.9 * (1 + size / 400) ** -1.2 + noise(size, seed))
    for size in (2**power for power in range(4, 13))
    for seed in SEEDS
]
SOME_LOSSES = {
    item_key(row.cell, row.seed): [
        ItemRow(f"q{item}", {"nll": row.metrics["nll"] + noise(item, sd=0.1), "tokens": 1.0}) for item in range(40)
    ]
    for row in sizes()
    if row.cell["size"] != SIZES[0]
}
STRATA = {"easy": (28, 28), "hard": (28, 3), "rare": (4, 2)}  # items, and how many of them are right
KINDS = {
    item_key(row.cell, row.seed): [
        ItemRow(f"{name}{item}", {"accuracy": float(item < right)}, stratum=name)
        for name, (count, right) in STRATA.items()
        for item in range(count)
    ]
    for row in RISING
}
UNSURE = sizes(measured=SIZES[:5], seeds=range(2), base=2.35, sd=0.08)  # 2 seeds, whose losses differ much
MARKET = methods(metric="episode.drawdown", sd=0.0, a=0.0, b=0.3, c=0.5)
IDLE = {
    item_key(row.cell, row.seed): [
        ItemRow(f"day {day}", {"reward": row.metrics["episode.drawdown"], "drawdown": row.metrics["episode.drawdown"]})
        for day in range(30)
    ]
    for row in MARKET
}
TWINS: dict[str, Json] = {
    **best("accuracy"),
    "against": "sl",
    "methods": {"sl": {}, "dpo": {}, "coin": {"control_of": "dpo"}},
}
LEARNT = methods(metric="accuracy", untrained=0.1, sl=0.5, dpo=0.7, coin=0.5)
ALSO_LEARNT = methods(metric="accuracy", untrained=0.1, sl=0.5, dpo=0.7, coin=0.6)
AS_GOOD = methods(metric="accuracy", untrained=0.1, sl=0.5, dpo=0.7, coin=0.7)
PLANTED = {
    # compare
    "compare, against one": Planted(TWINS, LEARNT, "better", 0.2, "sl"),
    "compare, a control learnt too": Planted(TWINS, ALSO_LEARNT, "better", 0.2, "sl"),
    "compare, a control is as good": Planted(TWINS, AS_GOOD, "better", 0.2, "sl", has=["control_as_good"]),
    "compare, one seed of a control": Planted(
        TWINS,
        methods(metric="accuracy", seeds=[0], untrained=0.1, sl=0.5, dpo=0.7, coin=0.7),
        "not_judged",
        0.2,
        "sl",
        has=["one_seed"],
    ),
    "compare, a clear win": Planted(COMPARE, methods(untrained=3.0, sl=2.0, rl=1.5), "better", 0.5, "sl"),
    "compare, a tie": Planted(
        COMPARE, methods(sd=0.1, untrained=3.0, sl=2.0, rl=2.0), "no_clear_difference", within=0.3
    ),
    "compare, nothing learnt": Planted(
        COMPARE, methods(sd=0.1, untrained=2.0, sl=2.0, rl=2.02), "nothing_learnt", against="untrained", within=0.3
    ),
    "compare, worse than untrained": Planted(
        COMPARE, methods(untrained=1.0, sl=2.0, rl=2.5), "worse", -1.0, "untrained"
    ),
    "compare, one seed": Planted(
        COMPARE, methods(seeds=[0], sl=2.0, rl=1.5), "not_judged", 0.5, "sl", ["one_seed"], ["failed_runs"]
    ),
    "compare, failed runs": Planted(
        COMPARE, lose(methods(sl=2.0, rl=1.5), 5), "better", 0.5, has=["failed_runs", "missing_seeds"], lacks=[]
    ),
    "compare, half finished": Planted(
        COMPARE,
        lose(methods(sl=2.0, rl=1.5), 3, 4, 5, state="waiting"),
        "measured",
        2.0,
        has=["unfinished_runs"],
        lacks=[],
    ),
    "compare, nothing yet": Planted(
        COMPARE, lose(methods(sl=2.0), 0, 1, 2, state="waiting"), "nothing_measured", has=["unfinished_runs"], lacks=[]
    ),
    "compare, everything failed": Planted(
        COMPARE, lose(methods(sl=2.0), 0, 1, 2), "no_answer", has=["failed_runs"], lacks=[]
    ),
    "compare, diverged": Planted(
        COMPARE,
        [*methods(sl=2.0, rl=1.5), run({"method": "sl"}, 3, nll=math.nan)],
        "better",
        0.5,
        has=["diverged_runs"],
    ),
    "compare, another metric is missing": Planted(
        COMPARE,
        [*methods(sl=2.0, rl=1.5), run({"method": "sl"}, 3, accuracy=1.0)],
        "better",
        0.5,
        has=["unmeasured_runs"],
    ),
    "compare, no seed in common": Planted(
        COMPARE, [*methods(sl=2.0), *methods(seeds=[7, 8], rl=1.5)], "not_judged", has=["no_shared_seed"]
    ),
    "compare, more is better": Planted(best("mrr"), methods(metric="mrr", a=0.5, b=0.8), "better", 0.3, "a"),
    "compare, less is better": Planted(best("ece", "min"), methods(metric="ece", a=0.5, b=0.2), "better", 0.3, "a"),
    "compare, perfect": Planted(
        best("mrr"), methods(metric="mrr", sd=0.0, a=1.0, b=1.0), "no_clear_difference", 0.0, has=["saturated"]
    ),
    "compare, seeds agree": Planted(
        COMPARE,
        [run({"method": name}, seed, nll=value) for name, value in (("a", 1.0), ("b", 2.0)) for seed in SEEDS],
        "better",
        1.0,
    ),
    "compare, at chance": plant_guess(0.34, "chance", 0.3333, "compare", "at_chance"),
    "compare, always one class": plant_guess(0.6, "majority", 0.6, "compare", "at_majority"),
    "compare, unequal lengths": Planted(
        COMPARE,
        [
            RunResult(row.cell, row.seed, row.state, row.metrics, tokens=900 if row.cell["method"] == "sl" else 400)
            for row in methods(sl=2.0, rl=1.5)
        ],
        "better",
        0.5,
        has=["unequal_lengths"],
    ),
    "compare, two variants": Planted(
        COMPARE,
        [
            RunResult({**row.cell, "model": model}, row.seed, row.state, row.metrics)
            for model in "sm"
            for row in methods(sl=2.0, rl=1.5)
        ],
        "better",
        0.5,
        has=["one_of_several"],
    ),
    "compare, no direction": Planted(
        {**COMPARE, "best": None, "metrics": [{"metric": "episode.calls", "mode": None}]},
        methods(metric="episode.calls", a=1.0, b=2.0),
        "no_answer",
        has=["no_direction"],
    ),
    # grid
    "grid, a clear win": Planted(
        GRID, cells(a=2.0, b=1.5, c=2.5), "best_cell", 0.5, "train.rank=a", ["chosen_on_holdout"]
    ),
    "grid, a tie of all": Planted(
        GRID, cells(sd=0.1, a=2.0, b=2.0), "no_clear_difference", has=["chosen_on_holdout"], within=0.3
    ),
    "grid, some tie": Planted(GRID, cells(sd=0.01, a=2.0, b=2.001, c=9.0), "tied_best", within=0.05),
    "grid, one cell": Planted(GRID, cells(a=2.0), "measured", 2.0, lacks=["chosen_on_holdout", "failed_runs"]),
    "grid, other prompts": Planted(
        {**GRID, "vary": {"data.x.context": ["none", "gold"]}}, cells(a=2.0, b=1.0), "best_cell", has=["prompts_differ"]
    ),
    "grid, one seed": Planted(
        GRID, cells(seeds=[0], a=2.0, b=1.5), "not_judged", 0.5, has=["one_seed"], lacks=["failed_runs"]
    ),
    "grid, failed runs": Planted(
        GRID, lose(cells(a=2.0, b=1.5), 0), "best_cell", 0.5, has=["failed_runs", "missing_seeds"], lacks=[]
    ),
    "grid, half finished": Planted(
        GRID,
        lose(cells(a=2.0, b=1.5, c=1.0), 6, 7, 8, state="running"),
        "best_cell",
        0.5,
        has=["unfinished_runs"],
        lacks=[],
    ),
    "grid, chosen on validation": Planted(
        GRID,
        [
            RunResult(row.cell, row.seed, row.state, {**row.metrics, "validation.nll": row.metrics["nll"]})
            for row in cells(a=2.0, b=1.5)
        ],
        "best_cell",
        0.5,
        lacks=["chosen_on_holdout"],
    ),
    "grid, at chance": plant_guess(0.34, "chance", 0.3333, "grid", "at_chance"),
    "grid, always one class": plant_guess(0.6, "majority", 0.6, "grid", "at_majority"),
    "grid, nothing learnt": Planted(
        GRID,
        [*cells(sd=0.1, a=2.0, b=2.1), run({"untrained": True}, 0, nll=2.0)],
        "nothing_learnt",
        against="untrained",
        within=0.3,
    ),
    "grid, worse than untrained": Planted(
        GRID, [*cells(a=2.0, b=2.5), run({"untrained": True}, 0, nll=1.0)], "worse", -1.0, "untrained"
    ),
    "grid, one cell and untrained": Planted(
        GRID, [*cells(a=2.0), run({"untrained": True}, 0, nll=3.0)], "better", 1.0, "untrained"
    ),
    # transfer
    "transfer, helps": Planted(TRANSFER, pairs(TWO), "helps", 0.2),
    "transfer, hurts": Planted(TRANSFER, pairs({("a", "b"): -0.3, ("b", "a"): -0.1}), "hurts", -0.3, "b alone"),
    "transfer, helps and hurts": Planted(TRANSFER, pairs({("a", "b"): 0.3, ("b", "a"): -0.1}), "mixed", 0.3),
    "transfer, a tie": Planted(TRANSFER, pairs({("a", "b"): 0.0, ("b", "a"): 0.0}), "no_clear_difference", 0.0),
    "transfer, over several sizes": Planted(TRANSFER, pairs(TWO, sizes=(32, 64)), "helps", 0.2),
    "transfer, less with more rows": Planted(TRANSFER, FADING, "helps", 0.5, has=["sizes_differ"], lacks=["one_seed"]),
    "transfer, nothing left to gain": Planted(
        {**TRANSFER, "metrics": [{"metric": "accuracy", "mode": "max"}], "evaluate": [{"name": "answers"}]},
        ALL_RIGHT,
        "no_clear_difference",
        0.0,
        has=["saturated"],
        items={
            "answers": {
                item_key(row.cell, row.seed): [
                    ItemRow(at, {"accuracy": float(at < row.metrics["accuracy"] * 20)}) for at in range(20)
                ]
                for row in ALL_RIGHT
            }
        },
    ),
    "transfer, one seed": Planted(TRANSFER, pairs(TWO, seeds=[0]), "not_judged", 0.2, has=["one_seed"], lacks=[]),
    "transfer, failed runs": Planted(TRANSFER, lose(pairs(TWO), 3), "helps", 0.2, has=["failed_runs"], lacks=[]),
    "transfer, half finished": Planted(
        TRANSFER, lose(pairs(TWO), 3, 5, 7, state="waiting"), "helps", 0.2, has=["unfinished_runs"], lacks=[]
    ),
    "transfer, nothing learnt": Planted(
        TRANSFER, flat(pairs({("a", "b"): 0.0, ("b", "a"): 0.0}), 3.0), "nothing_learnt", against="untrained"
    ),
    "transfer, a shared source": Planted(
        TRANSFER,
        [*pairs(TWO), *(run({"source": source, "target": other, "size": 0}, 0, nll=2.9) for source, other in TWO)],
        "helps",
        0.2,
        has=["shared_source"],
    ),
    "grid, one class": plant_undefined("one_class", "macro_f1"),
    "grid, a class that is not there": plant_undefined("class_absent", "f1_yes"),
    "grid, no classification": plant_undefined("no_classes", "auroc"),
    "grid, an unknown class": plant_undefined("unknown_class", "f1_perhaps"),
    "transfer, rows without a size": Planted(
        TRANSFER, [run({"source": "a", "target": "b"}, 0, nll=1.0)], "no_answer", has=["unusable_rows"], lacks=[]
    ),
    "transfer, at chance": Planted(
        {**TRANSFER, "metrics": [{"metric": "accuracy", "mode": "max"}]}, guess_pairs(0.33, chance=0.3333), "at_chance"
    ),
    "transfer, always one class": Planted(
        {**TRANSFER, "metrics": [{"metric": "accuracy", "mode": "max"}]}, guess_pairs(0.59, majority=0.6), "at_majority"
    ),
    "transfer, few items tell it": Planted(
        {**TRANSFER, "metrics": [{"metric": "faithfulness", "mode": "max"}]},
        FAITHFUL,
        "too_few_items",
        has=["few_items", "some_items"],
        items=FIVE_TOLD,
    ),
    "transfer, not all items tell it": Planted(
        {**TRANSFER, "metrics": [{"metric": "faithfulness", "mode": "max"}]},
        FAITHFUL,
        "nothing_learnt",
        0.0,
        has=["some_items"],
        lacks=["few_items"],
        items=HALF_TOLD,
    ),
    # data scaling
    "scaling, a minimum": Planted(
        below(1.5), sizes(), "minimum_data", 393, within=30, lacks=["extrapolated", "failed_runs"]
    ),
    "scaling, extrapolated": Planted(below(1.25), sizes(), "minimum_data", 3940, within=1000, has=["extrapolated"]),
    "scaling, a data set without the metric": Planted(
        {**below(1.5), "metrics": [{"metric": "nll"}, {"metric": "mrr"}]},
        [run({"data": "searches", "size": size}, seed, mrr=0.5 + size / 100) for size in (8, 32) for seed in SEEDS],
        "without_target",
    ),
    "scaling, out of reach": Planted(below(0.5), sizes(sd=0.0005), "unreachable"),
    "scaling, far beyond": Planted(below(1.01), sizes(sd=0.0005), "beyond_sizes"),
    "scaling, met at once": Planted(below(3.5), sizes(), "met_from", 16),
    "scaling, met without a law": Planted(below(3.5), sizes(measured=(16, 32)), "met_from", 16, has=["too_few_sizes"]),
    "scaling, too few sizes": Planted(below(1.5), sizes(measured=(16, 32)), "no_answer", has=["too_few_sizes"]),
    "scaling, more data helps": Planted(SCALING, sizes(), "more_data_helps", 1.0, "16 rows", within=0.05),
    "scaling, more data hurts": Planted(
        SCALING, sizes(scale=-2.0), "more_data_hurts", -0.67, within=0.05, has=["data_does_not_help"]
    ),
    "scaling, no difference": Planted(SCALING, sizes(scale=0.0, sd=0.1), "no_clear_difference", within=0.3),
    "scaling, nothing learnt": Planted(
        below(1.5), sizes(scale=0.0, floor=4.0, sd=0.1), "nothing_learnt", against="untrained", within=0.3
    ),
    "scaling, a size that is not sure": Planted(
        below(1.7), UNSURE, "minimum_data", 127, has=["learning_unclear"], within=60
    ),
    "scaling, a target that the untrained model meets": Planted(below(2.4), UNSURE, "nothing_learnt"),
    "scaling, met by the largest size alone": Planted(
        below(2.2), sizes(measured=(16, 32)), "met_from", 32, has=["largest_only"], lacks=["target_within_interval"]
    ),
    "scaling, met within the interval": Planted(
        below(2.07), sizes(measured=(16, 32), sd=0.02), "met_from", 32, has=["target_within_interval"]
    ),
    "scaling, parts that miss the target": Planted(
        RISING_GOAL,
        RISING,
        "minimum_data",
        has=["parts_below_target", "parts_too_small"],
        items={"answers": KINDS},
    ),
    "scaling, one size": Planted(SCALING, sizes(measured=(16,)), "better", 1.7, "the untrained model", within=0.1),
    "scaling, one size alone": Planted(SCALING, sizes(measured=(16,), base=None), "measured", 2.3, within=0.1),
    "scaling, one seed": Planted(
        below(1.5), sizes(seeds=[0]), "minimum_data", 393, has=["one_seed"], lacks=["failed_runs"], within=60
    ),
    "scaling, failed runs": Planted(
        below(1.5), lose(sizes(), 5), "minimum_data", 393, has=["failed_runs", "missing_seeds"], lacks=[], within=30
    ),
    "scaling, half finished": Planted(
        below(1.5),
        lose(sizes(), *range(13, 25), state="waiting"),
        "minimum_data",
        393,
        has=["unfinished_runs"],
        lacks=[],
        within=200,
    ),
    "scaling, no base": Planted(below(0.5, of="zero_shot"), sizes(base=None), "no_answer", has=["no_target"]),
    "scaling, nothing yet": Planted(
        SCALING,
        lose(sizes(measured=(16,), base=None), 0, 1, 2, state="ready"),
        "nothing_measured",
        has=["unfinished_runs"],
        lacks=[],
    ),
    "scaling, no law is known": Planted(
        {**SCALING, "metrics": [{"metric": "ece", "mode": None}], "target": {"metric": "ece", "below": 0.1}},
        [RunResult(row.cell, row.seed, row.state, {"ece": row.metrics["nll"] / 5}) for row in sizes()],
        "no_answer",
        has=["no_known_law"],
    ),
    "scaling, a wobble": Planted(below(1.9), along(WOBBLE), "no_answer", has=["flat"], lacks=[]),
    "scaling, the law failed": Planted(below(1.5), along(DROPS), "no_answer", has=["law_failed"], lacks=["laws_tie"]),
    "scaling, a bend": Planted(
        below(BENT[-2]), along(BENT), "minimum_data", has=["law_bends"], lacks=[], within=math.inf
    ),
    "scaling, no limit is known": Planted(
        {**SCALING, "target": {"metric": "accuracy", "above": 0.97}},
        RISING,
        "minimum_data",
        has=["limit_unknown"],
        within=math.inf,
    ),
    "scaling, the score of guessing is unknown": Planted(
        RISING_GOAL,
        [run(row.cell, row.seed, mrr=0.5, **row.metrics) for row in RISING],
        "no_answer",
        has=["chance_unknown"],
    ),
    "scaling, items of some sizes": Planted(
        below(1.5), sizes(), "minimum_data", 393, within=30, has=["these_items_only"], items={"nll": SOME_LOSSES}
    ),
    # any kind
    "grid, the best of four by luck": Planted(
        best("return_sharpe", kind="grid"),
        SHARPE,
        "tied_best",
        has=["may_be_luck"],
        within=0.05,
        items={"task_completion": earn(SHARPE)},
    ),
    "a policy that never acts": Planted(
        best("episode.drawdown", "min"),
        MARKET,
        "better",
        0.2,
        "c",
        has=["idle_policy"],
        items={"task_completion": IDLE},
    ),
    "clear by itself, but not among all": Planted(
        best("mrr"), [*ALL_EQUAL, run({"method": None}, 0, mrr=0.3)], "nothing_learnt", 0.7, has=["clear_alone"]
    ),
    "few items tell it": Planted(
        best(FACT), RECOVERED, "too_few_items", has=["few_items", "some_items"], items={"task_completion": FEW}
    ),
    "not all items tell it": Planted(
        best(FACT),
        RECOVERED,
        "no_clear_difference",
        has=["some_items"],
        lacks=["few_items"],
        items={"task_completion": SOME},
    ),
    "nobody knows how many items tell it": Planted(best(FACT), RECOVERED, "better", has=["items_unknown"]),
    "seeds agree, and one item says no more": Planted(
        best("accuracy"), AGREED, "not_judged", 1.0, has=["seeds_agree", "few_items"], items={"answers": ONE_ITEM}
    ),
    "a class of two items": Planted(
        best("macro_f1"),
        BY_CLASS,
        "better",
        0.5,
        has=["class_rare"],
        items={"answers": classify(BY_CLASS, {"no": 2, "yes": 38})},
    ),
    "classes of twenty items": Planted(
        best("macro_f1"),
        BY_CLASS,
        "better",
        0.5,
        lacks=["class_rare"],
        items={"answers": classify(BY_CLASS, {"no": 20, "yes": 20})},
    ),
    "answers were cut": Planted(best("accuracy"), CUT, "better", 0.5, has=["answers_cut"]),
    "an unknown kind": Planted({"experiment": "none"}, cells(a=1.0), "no_answer", has=["unknown_experiment"]),
}


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_concluded(name: str) -> None:
    case, conclusion = PLANTED[name], PLANTED[name].conclusion
    assert (conclusion.claim, sorted(set(case.has) - {*conclusion.caveats})) == (case.claim, []), conclusion
    assert set(case.lacks) & {*conclusion.caveats} - {*case.has} == set(), conclusion
    if case.effect is not None:
        assert conclusion.effect == pytest.approx(case.effect, abs=case.within)
    if case.against is not None:
        assert conclusion.against == case.against
    if conclusion.low is not None and conclusion.high is not None and conclusion.effect is not None:
        assert conclusion.low <= conclusion.effect <= conclusion.high


Cells = tuple[Mapping[str, Json], Mapping[str, Json]]
SMALLEST, LARGEST = ({"size": size} for size in (SIZES[0], SIZES[-1]))
ALONE: dict[str, Json] = {"source": None, "size": 64}
A_TO_B: list[Cells] = [({**ALONE, "target": "b"}, {"source": "a", "target": "b"})]
PAIRED: dict[str, list[Cells]] = {  # the effect is the first less the second
    "compare, a clear win": [({"method": "sl"}, {"method": "rl"})],
    "compare, more is better": [({"method": "b"}, {"method": "a"})],
    "grid, a clear win": [({"train.rank": "a"}, {"train.rank": "b"})],
    "grid, failed runs": [({"train.rank": "a"}, {"train.rank": "b"})],
    "grid, one cell and untrained": [({"untrained": True}, {"train.rank": "a"})],
    "transfer, helps": A_TO_B,
    "transfer, hurts": A_TO_B,
    "scaling, more data helps": [(SMALLEST, LARGEST)],
    "scaling, more data hurts": [(SMALLEST, LARGEST)],
    "scaling, one size": [({"size": 0}, SMALLEST)],
}
STUDENT = {1: 12.7062, 2: 4.3027, 4: 2.7764}  # 97.5 % of Student's t by degrees of freedom, from a printed table


def read_gaps(rows: Rows, more: Mapping[str, Json], less: Mapping[str, Json]) -> Any:
    """The differences of two cells by seed; an untrained model is measured once."""
    first, second = (
        {
            row.seed: next(iter(row.metrics.values()))
            for row in rows
            if row.metrics and where.items() <= row.cell.items()
        }
        for where in (more, less)
    )
    first = dict.fromkeys(second, first[0]) if len(first) == 1 else first
    return np.array([first[seed] - second[seed] for seed in first.keys() & second.keys()])


@pytest.mark.parametrize("name", PAIRED)
def test_the_interval_is_students_for_the_differences_of_seeds(name: str) -> None:
    """Only sources of one target share a variance, and each target of a transfer has one source here."""
    gaps, conclusion = [read_gaps(PLANTED[name].rows, *pair) for pair in PAIRED[name]], PLANTED[name].conclusion
    variance = float(np.mean([gap.var(ddof=1) for gap in gaps]))
    half = STUDENT[sum(len(gap) - 1 for gap in gaps)] * (variance / len(gaps[0])) ** 0.5
    middle = float(gaps[0].mean())
    assert conclusion.effect == pytest.approx(middle, abs=1e-9)
    assert (conclusion.low, conclusion.high) == pytest.approx((middle - half, middle + half), abs=half / 1000)


def invert_by_scipy(rows: Rows, goal: float) -> tuple[float, float, float]:
    """The size that reaches a loss by a curve E + A·n^-a, with its interval by the delta method on its logarithm."""
    trained = [row for row in rows if row.cell["size"] and row.metrics]
    n, losses = np.array([(row.cell["size"], row.metrics["nll"]) for row in trained], float).T

    def law(n: Any, floor: float, scale: float, power: float) -> Any:
        return floor + scale * n**-power

    (floor, scale, power), errors = optimize.curve_fit(law, n, losses, p0=(1, 2, 0.4), sigma=losses)
    size = math.log(scale / (goal - floor)) / power
    slope = np.array([1 / (goal - floor) / power, 1 / scale / power, -size / power])
    reach = stats.t.ppf(0.975, len(n) - 3) * float(slope @ errors @ slope) ** 0.5
    return math.exp(size), math.exp(size - reach), math.exp(size + reach)


@pytest.mark.parametrize("name", ["scaling, a minimum", "scaling, one seed", "scaling, failed runs"])
def test_a_minimum_is_that_of_a_curve_by_scipy_and_its_interval_holds_more_than_that_curves(name: str) -> None:
    """By hand, 1 + 3·n^-.3 is 1.5 at n = 6^(1/.3) = 392.5. Ours also allows for other laws, and for seeds that nest."""
    size, low, high = invert_by_scipy(PLANTED[name].rows, 1.5)
    conclusion = PLANTED[name].conclusion
    assert conclusion.effect == pytest.approx(size, rel=1e-3)
    assert conclusion.low is not None
    assert conclusion.high is not None
    assert conclusion.low < min(low, 392.498) < max(high, 392.498) < conclusion.high
    assert conclusion.high - conclusion.low < 10 * (high - low), "and not whatever could be"


def test_the_change_of_a_single_seed_is_the_paired_t_of_its_items_by_scipy() -> None:
    chance = np.random.default_rng(6)
    sides = before, after = chance.uniform(0.2, 0.8, 50), chance.uniform(0.3, 0.9, 50)
    rows = [run({"method": name}, 0, mrr=float(side.mean())) for name, side in zip((None, "a"), sides, strict=True)]
    items = {
        item_key(row.cell, row.seed): [ItemRow(at, {"mrr": float(value)}) for at, value in enumerate(side)]
        for row, side in zip(rows, sides, strict=True)
    }
    planted = Material("one", "finished", best("mrr"), rows, items={"answers": items})
    (change,) = list_facts(planted)["changes"]
    known = stats.ttest_rel(after, before)
    low, high = known.confidence_interval()
    assert (change["seeds"], change["items"]) == (1, 50)
    assert (change["mean"], change["low"], change["high"]) == pytest.approx((after.mean() - before.mean(), low, high))
    assert change["p"] == pytest.approx(known.pvalue)


@pytest.mark.parametrize("name", PLANTED)
def test_json_has_the_fields_and_the_sentence_has_their_numbers(name: str) -> None:
    document, conclusion = list_facts(PLANTED[name].material())["conclusion"], PLANTED[name].conclusion
    assert list(document) == KEYS
    assert document == conclusion.document()
    assert conclusion.sentence.endswith(".")
    assert conclusion.sentence.count("\n") == 0
    for part in (conclusion.metric, conclusion.against) if conclusion.claim == "better" else ():
        assert str(part) in conclusion.sentence


def test_every_data_set_is_in_the_headline_with_caveats_of_its_own() -> None:
    prose = [RunResult({**row.cell, "data": "prose"}, row.seed, row.state, row.metrics) for row in sizes(floor=1.2)]
    known = Planted(below(1.5), [*sizes(), *lose(prose, 5)], "minimum_data").material()
    conclusion = conclude_sweep(known)
    (prose_needs,) = conclusion.others
    assert (conclusion.claim, prose_needs.claim) == ("minimum_data", "minimum_data")
    assert prose_needs.effect > conclusion.effect + 500  # type: ignore[operator]  # both are sizes
    assert conclusion.sentences == [conclusion.sentence, prose_needs.sentence]
    assert "failed_runs" in {*prose_needs.caveats} - {*conclusion.caveats}
    assert f"{WORDS['failed_runs']} (prose)" in describe_caveats(conclusion)
    report = compose(known)
    assert report.lines[0] == " ".join(conclusion.sentences)
    page = html.unescape(render_html(report, "")).replace("\N{NO-BREAK SPACE}", " ")
    for face in (page, render_markdown(report).replace("\\", "")):
        assert report.lines[0] in face


def test_answers_that_do_not_fit_into_the_headline_are_counted() -> None:
    many = [
        RunResult({**row.cell, "data": f"data{number}"}, row.seed, row.state, row.metrics)
        for number in range(6)
        for row in sizes()
    ]
    conclusion = conclude_sweep(Planted(below(1.5), many, "minimum_data").material())
    assert (len(conclusion.others), conclusion.more) == (3, 2)
    assert conclusion.sentences[-1].startswith("2 more answers")


def list_codes(heading: str) -> list[str]:
    """The codes of the table below a heading of the page, in its order."""
    part = PAGE.partition(f"#### {heading}\n")[2].partition("\n#")[0]
    rows = [line.split("|")[1] for line in part.splitlines() if line.startswith("| `")]
    return [code.strip().strip("`") for row in rows for code in row.split(",")]


def test_every_claim_and_caveat_is_documented_and_no_other() -> None:
    assert sorted(list_codes("Claims")) == sorted(CLAIMS) == sorted(SENTENCES)
    assert sorted(list_codes("Caveats")) == sorted(CAVEATS)


def test_every_claim_is_reached() -> None:
    every = (claim for case in PLANTED.values() for claim in (case.conclusion, *case.conclusion.others))
    assert {*CLAIMS} - {claim.claim for claim in every} == {"not_trained"}, "in test_contrasts, from a training"


ELSEWHERE = {
    "items_unread",
    "may_not_have_learnt",
    "not_trained",
    "parts_not_learnt",
    "parts_worse",
}  # planted below, in test_contrasts, and in test_unlearnt_parts


def test_every_caveat_is_given_by_a_planted_result() -> None:
    reached = {code for case in PLANTED.values() for code in case.conclusion.caveats}
    assert {*CAVEATS} - reached == ELSEWHERE


def test_what_any_answer_lacks_is_a_caveat() -> None:
    known = PLANTED["compare, a clear win"].material()
    facts = {"method": "sl", "steps": 20, "window": 5, "first": 3.0, "last": 3.0, "step_sd": 0.0}
    rows = [replace(row, stage=f"train-{place}") for place, row in enumerate(known.rows)]
    flat_trainings = {str(row.stage): facts for row in rows}
    bare = set(conclude_sweep(known).caveats)
    assert bare == {"these_items_only"}, "no items were kept"
    assert {*conclude_sweep(replace(known, unread=["a file is gone"])).caveats} - bare == {"items_unread"}
    learning = replace(known, rows=rows, learning=flat_trainings)
    assert {*conclude_sweep(learning).caveats} - bare == {"may_not_have_learnt"}


@pytest.mark.parametrize(
    ("cut", "against", "evaluator", "limited"),
    [
        (0.5, True, "answers", True),
        (0.5, False, "answers", False),
        (0.0, True, "answers", False),
        (0.5, True, "rag", False),
    ],
)
def test_cut_answers_of_the_untrained_model_limit_what_is_compared_with_it(
    cut: float, against: bool, evaluator: str, limited: bool
) -> None:
    near, apart = (
        methods(sd=0.1, metric="accuracy", untrained=0.3, sl=0.31),
        methods(metric="accuracy", sl=0.3, rl=0.6),
    )
    rows = [
        replace(row, metrics={**row.metrics, f"cut_{evaluator}": 0.0 if row.cell["method"] else cut}, stage=stage)
        for row in (near if against else [*methods(metric="accuracy", untrained=0.1), *apart])
        for stage in (f"s{row.seed}" if row.cell["method"] else None,)
    ]
    claim = conclude_sweep(Planted(best("accuracy"), rows, "").material())
    assert (claim.against == "untrained") == against
    assert ("answers_cut" in claim.caveats) == limited


def test_cut_answers_are_found_of_a_data_set_that_is_called_so() -> None:
    rows = [
        RunResult(row.cell, row.seed, row.state, {**row.metrics, "cut_logs.cut_answers": 0.25}, stage=f"train-{place}")
        for place, row in enumerate(methods(metric="cut_logs.accuracy", sl=0.2, rl=0.7))
    ]
    claim = conclude_sweep(Planted(best("cut_logs.accuracy"), rows, "").material())
    assert "answers_cut" in claim.caveats


def test_that_nothing_beats_a_guess_has_the_interval_that_says_so() -> None:
    """Seeds that hardly differ say .1 more than the guess; thirty items, of which always the same are right, do not."""
    right = {0: 18, 1: 18, 2: 19}
    rows = [run({"method": "sl"}, seed, accuracy=count / 30, majority=0.5) for seed, count in right.items()]
    items = {
        item_key(row.cell, row.seed): [
            ItemRow(str(item), {"accuracy": float(item < right[row.seed])}) for item in range(30)
        ]
        for row in rows
    }
    claim = conclude_guess(rows, "sl", "accuracy", items)
    assert claim is not None
    assert claim.claim == "at_majority"
    assert claim.effect == pytest.approx(0.1111, abs=0.0001)
    assert claim.low is not None
    assert claim.high is not None
    assert claim.low < 0 < claim.high
    alone = measure_margin(rows, "accuracy", Guess(0.5, "guessing", ""))
    assert alone is not None
    assert (alone.is_clear, (alone.low or 0.0) > 0) == (True, True), "seeds alone would call it clear"


def test_an_answer_within_the_sizes_has_no_caveat_about_what_lies_beyond() -> None:
    code, within = "far_uncertain", PLANTED["scaling, one seed"]
    fit = fit_runs(within.spec, keep_measured(within.rows))
    assert code in {getattr(warning, "code", "") for warning in fit.warnings}, "the details say where it is uncertain"
    assert (within.conclusion.high or math.inf) < SIZES[-1]
    assert {code, "limit_unknown"}.isdisjoint(within.conclusion.caveats)
    beyond = PLANTED["scaling, half finished"].conclusion
    assert beyond.high is None
    assert code in beyond.caveats


@pytest.mark.parametrize("name", PLANTED)
def test_the_details_do_not_repeat_the_number_of_the_headline(name: str) -> None:
    conclusion = PLANTED[name].conclusion
    details = compose_answer(PLANTED[name].material()).answer
    if conclusion.effect and conclusion.claim != "no_answer":
        size = conclusion.claim in OF_TARGET
        number = conclusion.unit.write(conclusion.effect) if size else f"by .?{abs(conclusion.effect):.4f}"
        assert not [line for line in details if re.search(number, line)]


def test_each_curve_is_fitted_once_for_a_report_and_its_facts() -> None:
    prose = [replace(row, cell={**row.cell, "data": "prose"}) for row in sizes(power=0.25)]
    known = Planted(below(1.5), [*sizes(), *prose], "minimum_data").material()
    fit_once.cache_clear()
    compose(known)
    list_facts(known)
    assert fit_once.cache_info().misses == 2


@pytest.mark.parametrize("name", [*EXPERIMENTS, *(name for name in PLANTED if not name.startswith("scaling"))])
def test_every_face_says_the_same_sentence_first(name: str) -> None:
    known = PLANTED[name].material() if name in PLANTED else material(name)
    conclusion, text = conclude_sweep(known), io.StringIO()
    sentence = " ".join(conclusion.sentences)
    report = compose(known)
    show_report(Output("table", Console(file=text, width=1000)), report)
    assert text.getvalue().splitlines()[: len(conclusion.sentences)] == conclusion.sentences
    assert report.lines[0] == sentence
    headlines = re.findall(r'<p class="headline">(.*?)</p>', render_html(report, ""))
    assert [html.unescape(line).replace("\N{NO-BREAK SPACE}", " ") for line in headlines] == [sentence]
    (first, *_) = [line for line in render_markdown(report).splitlines() if line.startswith("**")]
    assert first == f"**{escape_markdown(sentence)}**"
    assert list_facts(known)["conclusion"] == conclusion.document()


def test_a_data_set_of_which_no_size_is_measured_is_named() -> None:
    waiting = lose(sizes(measured=(16,), base=None), 0, 1, 2, state="ready")
    conclusion = conclude_scaling(SCALING, waiting, {}, data="code")
    assert (conclusion.claim, conclusion.subject) == ("nothing_measured", "code")
    assert "code" in conclusion.sentence


@pytest.mark.parametrize(("metric", "needed"), [("nll", 4), ("accuracy", 5)])
def test_a_headline_about_too_few_sizes_says_how_many_a_law_needs(metric: str, needed: int) -> None:
    """As many as the first with which a law is fitted."""
    goal = {"nll": {"below": 1.2}, "accuracy": {"above": 0.88}}[metric]
    spec: dict[str, Json] = {**SCALING, "target": {"metric": metric, **goal}}
    values = {size: 1 + 3 * size**-0.3 if metric == "nll" else 0.9 - 2 * size**-0.5 for size in SIZES}
    for count, is_answered in ((needed - 1, False), (needed, True)):
        rows = [
            run({"data": "code", "size": size}, seed, **{metric: values[size] + noise(size, seed, sd=0.0005)})
            for size in SIZES[-count:]
            for seed in SEEDS
        ]
        claim = conclude_sweep(Material("night", "finished", spec, rows))
        assert ("too_few_sizes" not in claim.caveats) == is_answered
        if not is_answered:
            assert claim.claim == "no_answer"
            assert re.search(rf"\b{needed}\b", claim.sentence)


def test_the_reason_that_each_sentence_gives_is_no_caveat_besides() -> None:
    both = tuple(Conclusion("no_answer", "nll", name, caveats=("too_few_sizes",)) for name in ("a", "b"))
    assert describe_caveats(replace(both[0], others=both[1:])) == ""
    apart = replace(both[0], others=(replace(both[1], caveats=("flat", "too_few_sizes")),))
    assert describe_caveats(apart) != ""


def test_a_size_that_is_not_sure_is_that_of_the_law_and_says_what_is_not_clear() -> None:
    """By hand: the gain of each size is the base less its mean. The best of them is in the doubt, not in the effect."""
    case = PLANTED["scaling, a size that is not sure"]
    least = fit_runs(case.spec, keep_measured(case.rows)).minimum_data
    assert least is not None
    assert (case.conclusion.effect, case.conclusion.low, case.conclusion.high) == (least.point, least.low, least.high)
    losses: dict[Any, list[float]] = {}
    for row in case.rows:
        losses.setdefault(row.cell["size"], []).append(row.metrics["nll"])
    assert f"{2.35 - min(map(np.mean, losses.values())):.4f}" in case.conclusion.sentence
    assert WORDS["learning_unclear"] not in describe_caveats(case.conclusion), "the sentence says it"
    sure = replace(case, rows=sizes(measured=SIZES[:5], seeds=range(2), base=2.35))
    assert "learning_unclear" not in sure.conclusion.caveats


def test_what_lies_beyond_the_sizes_is_one_caveat_with_a_figure_for_each_data_set() -> None:
    rows = sizes(measured=SIZES[:6], sd=0.01)
    prose = [replace(row, cell={**row.cell, "data": "prose"}) for row in sizes(measured=SIZES[:6], sd=0.01, power=0.28)]
    conclusion = conclude_sweep(Planted(below(1.4), [*rows, *prose], "").material())
    (other,) = conclusion.others
    for claim in (conclusion, other):
        assert {"extrapolated", "far_uncertain"} <= {*claim.caveats}
    line = describe_caveats(conclusion)
    assert re.findall(r"(\w+) ×(\d+(?:\.\d+)?)", line) == [
        (claim.subject, f"{(claim.effect or 0) / SIZES[5]:.2g}") for claim in (conclusion, other)
    ]
    assert WORDS["far_uncertain"] not in line


@pytest.mark.parametrize(
    ("name", "goal", "around"),
    [("met within the interval", 2.07, True), ("met by the largest size alone", 2.2, False)],
)
def test_a_target_within_the_interval_of_what_meets_it_is_a_caveat(name: str, goal: float, around: bool) -> None:
    case = PLANTED[f"scaling, {name}"]
    losses = [row.metrics["nll"] for row in case.rows if row.cell["size"] == 32]
    half = STUDENT[2] * float(np.std(losses, ddof=1)) / 3**0.5
    assert (np.mean(losses) + half > goal) == around
    assert (f"{np.mean(losses) + half:.4f}" in describe_caveats(case.conclusion)) == around


def test_strata_that_miss_the_target_are_named_with_their_means_and_those_too_small_with_their_items() -> None:
    details = PLANTED["scaling, parts that miss the target"].conclusion.details
    assert re.findall(r"(\w+) \(([\d.]+)\)", details["parts_below_target"]) == [("hard", "0.11")]
    assert re.findall(r"(\w+) \((\d+)\)", details["parts_too_small"]) == [("rare", "4")]
    relative = replace(
        PLANTED["scaling, parts that miss the target"],
        spec={**SCALING, "target": {"metric": "accuracy", "above": 3.0, "of": "zero_shot"}},
        rows=[run({"data": "code", "size": 0}, 0, accuracy=0.2), *RISING],
    )
    assert relative.conclusion.claim == "minimum_data"
    assert "parts_below_target" not in relative.conclusion.caveats, "a part has an untrained model's score of its own"


def test_few_seeds_explain_an_interval_that_begins_below_a_size_that_misses() -> None:
    case = PLANTED["scaling, a size that is not sure"]
    fit = fit_runs(case.spec, keep_measured(case.rows))
    least = fit.minimum_data
    assert least is not None
    missed = [size for size, loss in zip(fit.n, fit.loss, strict=True) if loss > 1.7 and size > (least.low or 0)]
    words = explain_low_end(fit, EXAMPLES)
    mean, misses = fit.loss[fit.n == missed[0]][0], []
    for size in fit.n:
        values = [row.metrics["nll"] for row in case.rows if row.cell["size"] == size]
        misses += [value / np.mean(values) - 1 for value in values]
    scatter = np.sum(np.square(misses)) / (len(misses) / 2)  # one degree of freedom at each size with its two seeds
    now, then = mean * STUDENT[1] * (scatter / 2) ** 0.5, mean * STUDENT[2] * (scatter / 3) ** 0.5
    assert mean - 1.7 < now, "a size that misses by more is not in the interval"
    written = {f"{missed[0]:.0f}", "2", f"{mean:.4g}", "1.7", f"{now:.2g}", f"{then:.2g}"}
    assert written <= {*re.findall(r"\d+(?:\.\d+)?", words)}
    more = fit_runs(case.spec, keep_measured(sizes(measured=SIZES[:5], seeds=range(4), base=2.35, sd=0.08)))
    assert explain_low_end(more, EXAMPLES) == ""


def test_two_numbers_that_differ_are_written_so_that_they_differ() -> None:
    assert write_apart(1.86542, 1.86518) == ("1.8654", "1.8652")
    assert write_apart(2.5, 1.865) == ("2.5", "1.865")
    larger, smaller = write_apart(0.1 + 0.2, 0.3)
    assert float(larger) > float(smaller)


def test_a_gain_that_fades_is_told_by_size_before_its_mean() -> None:
    """The mean of 1.0, 0.5 and 0 is the gain at none of the sizes."""
    sentence = PLANTED["transfer, less with more rows"].conclusion.sentence
    places = [sentence.index(part) for part in (" with 16 target rows", " with 64", " with 256", "mean gain is +0.5")]
    assert places == sorted(places), sentence
    by_size = re.findall(r"([+−]?[\d.]+) ± [\d.]+", sentence)
    assert [float(number.replace("−", "-")) for number in by_size] == pytest.approx([1, 0.5, 0], abs=0.02)


def test_pairs_are_counted_where_some_help_and_others_hurt() -> None:
    """One helps, two hurt, and three do neither."""
    gains = {("a", "b"): 0.3, ("b", "a"): -0.2, ("c", "a"): -0.2, ("a", "c"): 0.0, ("b", "c"): 0.0, ("c", "b"): 0.0}
    conclusion = Planted(TRANSFER, pairs(gains), "mixed").conclusion
    assert (conclusion.claim, conclusion.subject) == ("mixed", "a → b")
    assert [int(number) for number in re.findall(r"\d+", conclusion.counted)] == [1, 6, 2, 3]
    assert conclusion.counted in conclusion.sentence
