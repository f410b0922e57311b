"""Parts that did not improve while the whole did are named; parts whose items leave it open are not."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sweeps.analysis.strata.unlearnt_parts import EVALUATION, list_unlearnt
from sweeps.evaluation.item_rows import ItemRow
from sweeps.experiments.conclude_sweep import conclude_sweep
from sweeps.report.compose import list_facts
from sweeps.report.document import describe_caveats
from sweeps.report.inputs import Material
from sweeps.results import RunResult
from sweeps.stage import Json
from sweeps.stats.paired_items import Items, item_key

CODE = "parts_not_learnt"
SPEC: dict[str, Json] = {"experiment": "grid", "data": {"lines": {"by": "rule"}}, "metrics": [{"metric": "accuracy"}]}
BASE: dict[str, Json] = {"untrained": True}
Shares = Mapping[str, tuple[float, float]]  # of each rule: right before, and after


def make_items(cell: Mapping[str, Json], seed: int, shares: Shares, count: int) -> list[ItemRow]:
    """Items of each rule, of which about a share is right."""
    after = not cell.get("untrained")
    chance = np.random.default_rng([seed, after])
    rows = list[ItemRow]()
    for rule, share in shares.items():
        for _ in range(count):
            right = float(chance.uniform() < share[after])
            rows.append(ItemRow(len(rows), {"accuracy": right}, len(rows), {}, rule))
    return rows


def average(rows: list[ItemRow]) -> float:
    return float(np.mean([row.values["accuracy"] for row in rows]))


def plant(
    shares: Shares, *, count: int = 30, ranks: tuple[int, ...] = (8,), other: Shares | None = None, start: int = 0
) -> Material:
    """A grid over ranks with its untrained model; `other` is measured by a second evaluation."""
    named = {"": shares, "style.": other} if other else {"": shares}
    rows, items = list[RunResult](), dict[str, dict[Any, Any]]()
    cells: list[dict[str, Json]] = [BASE]
    cells += [{"train.rank": rank} for rank in ranks]
    for cell in cells:
        for seed in range(1 if cell is BASE else 3):
            kept = {prefix: make_items(cell, start + seed, part or {}, count) for prefix, part in named.items()}
            metrics = {f"{prefix}accuracy": average(listed) for prefix, listed in kept.items()}
            rows.append(RunResult(cell, seed, "succeeded", metrics, stage=None if cell is BASE else f"s{seed}"))
            for prefix, listed in kept.items():
                items.setdefault(f"{prefix}answers", {})[item_key(cell, seed)] = listed
    return Material("planted", "finished", SPEC, rows, items=items)


TEN: dict[str, tuple[float, float]] = {f"rule {number}": (0.0, 0.9) for number in range(8)}
NEVER = {"division": (0.0, 0.0), "unequal": (0.1, 0.1)}


def test_two_of_ten_rules_that_were_never_learnt_are_named() -> None:
    known = plant({**TEN, **NEVER})
    claim = conclude_sweep(known)
    assert CODE in claim.caveats
    words = describe_caveats(claim)
    assert all(name in words for name in (*NEVER, "2 of 10", "rule"))
    facts = list_facts(known)["unlearnt"]
    assert [(fact["column"], fact["part"], fact["parts"]) for fact in facts] == [
        ("rule", "division", 10),
        ("rule", "unequal", 10),
    ]
    assert all(fact["change"]["high"] < fact["whole"]["mean"] for fact in facts)


@pytest.mark.parametrize(
    ("shares", "count"),
    [
        (TEN, 30),  # every rule was learnt
        ({**TEN, "division": (0.0, 0.4)}, 30),  # clearly, though less than others
        ({**TEN, "division": (1.0, 1.0)}, 30),  # there was nothing to learn
        ({**TEN, "division": (0.97, 0.97)}, 30),
        ({**TEN, "division": (0.0, 0.0)}, 2),  # two items show nothing
        ({"division": (0.0, 0.0), "unequal": (0.5, 0.5)}, 30),  # nothing improved
    ],
)
def test_nothing_is_named_that_may_have_been_learnt(shares: Shares, count: int) -> None:
    known = plant(shares, count=count)
    assert list_unlearnt(SPEC, known.rows, known.items, "accuracy") == []
    assert CODE not in conclude_sweep(known).caveats


def test_a_part_that_became_worse_is_named_too() -> None:
    known = plant({**TEN, "division": (0.8, 0.2)})
    parts = list_unlearnt(SPEC, known.rows, known.items, "accuracy")
    assert [(part.part, part.fell) for part in parts] == [("division", True)]
    assert {"parts_worse", CODE} & {*conclude_sweep(known).caveats} == {"parts_worse"}, "it is not called unchanged"


def test_what_one_condition_learnt_was_not_out_of_reach() -> None:
    known = plant({**TEN, "division": (0.0, 0.0)}, ranks=(8, 16))
    answers = dict(known.items["answers"])
    for seed in range(3):
        key = item_key({"train.rank": 16}, seed)
        rows = [replace(row, values={"accuracy": 1.0}) if row.stratum == "division" else row for row in answers[key]]
        answers[key] = rows
    items: dict[str, Items] = {"answers": answers}
    assert [part.part for part in list_unlearnt(SPEC, known.rows, known.items, "accuracy")] == ["division"]
    assert list_unlearnt(SPEC, known.rows, items, "accuracy") == []


def test_an_evaluation_in_which_nothing_was_learnt_is_named() -> None:
    known = plant(TEN, other={"all": (0.1, 0.1)}, count=60)
    (part,) = list_unlearnt(SPEC, known.rows, known.items, "accuracy")
    assert (part.column, part.part, part.parts) == (EVALUATION, "style.accuracy", 1)


def test_parts_of_a_loss_are_judged_downwards() -> None:
    known = plant({**TEN, "division": (0.0, 0.0)})
    chance = np.random.default_rng(3)

    def lose(row: ItemRow) -> ItemRow:
        return replace(row, values={"nll": 2.0 - row.values["accuracy"] + chance.normal(0, 0.1), "tokens": 1.0})

    losses: dict[str, Items] = {
        "nll": {key: [lose(row) for row in rows] for key, rows in known.items["answers"].items()}
    }
    rows = [replace(row, metrics={"nll": 2.0 - row.metrics["accuracy"]}) for row in known.rows]
    assert [part.part for part in list_unlearnt(SPEC, rows, losses, "nll")] == ["division"]


def test_a_part_that_learns_as_the_rest_is_hardly_ever_named() -> None:
    """Of 30 simulated sweeps of ten strata of twelve items each, at most 1 has such a part."""
    named = 0
    for draw in range(30):
        known = plant({f"rule {number}": (0.1, 0.4) for number in range(10)}, count=12, start=3 * draw)
        named += bool(list_unlearnt(SPEC, known.rows, known.items, "accuracy"))
    assert named <= 1
