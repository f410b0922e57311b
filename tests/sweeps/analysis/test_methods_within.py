"""Methods are compared within each stratum, item by item, and all pairs of a metric are judged together."""

import random

from sweeps.analysis.strata.methods_within import compare_methods_within
from sweeps.evaluation.item_rows import ItemRow
from sweeps.results import RunResult
from sweeps.stage import Json
from sweeps.stats.paired_items import ItemKey, Items, item_key

SEEDS, ITEMS = 3, 40


def answer(name: str, right: float, seed: int) -> list[ItemRow]:
    """Answer the items of two strata; within the second one with probability `right`."""
    draw = random.Random(f"{name} {right} {seed}")
    return [
        ItemRow(f"{stratum}{at}", {"accuracy": float(draw.random() < share)}, stratum=stratum)
        for stratum, share in (("covered", 0.8), ("outside", right))
        for at in range(ITEMS)
    ]


def make_runs(shares: dict[str, float], size: int = 8) -> tuple[list[RunResult], dict[str, Items]]:
    runs, kept = list[RunResult](), dict[ItemKey, list[ItemRow]]()
    for name, right in shares.items():
        for seed in range(SEEDS):
            rows = answer(name, right, seed)
            cell: dict[str, Json] = {"method": name, "size": size}
            kept[item_key(cell, seed)] = rows
            mean = sum(row.values["accuracy"] for row in rows) / len(rows)
            runs.append(RunResult(cell, seed, "succeeded", {"accuracy": mean}, stage=f"train-{name}{seed}"))
    return runs, {"answers": kept}


def test_a_method_that_is_worse_in_one_value_alone_is_found_there_alone() -> None:
    runs, items = make_runs({"sl": 0.9, "dpo": 0.3})
    pairs = {pair.cell["value"]: pair for pair in compare_methods_within(runs, items)}
    assert set(pairs) == {"covered", "outside"}
    outside = pairs["outside"]
    assert (outside.one, outside.other, outside.clear) == ("dpo", "sl", True)
    assert outside.mean is not None
    assert -0.8 < outside.mean < -0.4
    assert not pairs["covered"].clear


def test_strata_of_few_items_are_refused_and_other_variants_are_left_alone() -> None:
    runs, items = make_runs({"sl": 0.9, "dpo": 0.3})
    few: dict[str, Items] = {"answers": {key: rows[: ITEMS + 4] for key, rows in items["answers"].items()}}
    refused = {pair.cell["value"]: pair.refused for pair in compare_methods_within(runs, few)}
    assert (refused["covered"], bool(refused["outside"])) == ("", True)
    other, more = make_runs({"sl": 0.9}, size=16)
    both: dict[str, Items] = {"answers": {**items["answers"], **more["answers"]}}
    assert compare_methods_within([*runs, *other], both) == []
