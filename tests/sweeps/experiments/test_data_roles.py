"""A control of a data set is told as a control, and a note stands beside its data set, wherever answers are told."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from sweeps import RunResult
from sweeps.analysis.learning_signs import FLAT
from sweeps.errors import SpecError
from sweeps.evaluation.item_rows import ItemRow
from sweeps.experiments.conclude_sweep import conclude_sweep, list_signs
from sweeps.report.compose import compose, compose_answer, list_facts
from sweeps.report.html import render_html
from sweeps.report.inputs import Material
from sweeps.report.markdown import render_markdown
from sweeps.spec.parse import parse
from sweeps.stage import Json
from sweeps.stats.paired_items import Items, item_key

SIZES = (16, 32, 64, 128, 256)
SEEDS = range(3)
NOTE = "its subjects are on both sides"
SPEC: dict[str, Json] = {
    "experiment": "data_scaling",
    "metrics": [{"metric": "accuracy"}, {"metric": "brier"}],
    "target": {"metric": "accuracy", "above": 0.7},
    "data": {
        "real": {"source": "real.csv"},
        "flat": {"source": "flat.csv", "note": NOTE},
        "twin": {"source": "twin.csv", "control_of": "real"},
    },
}


def rise(size: int) -> float:
    return float(1 - 0.5 * (1 + size / 24) ** -0.9)


def make(levels: Mapping[str, Any], *, seeds: Sequence[int] = SEEDS, spec: dict[str, Json] = SPEC) -> Material:
    """Make runs whose shares of 200 right items are these by size; guessing has one half."""
    rows, items = list[RunResult](), dict[str, Items]()
    kept: dict[Any, list[ItemRow]] = {}
    for name, level in levels.items():
        for size in (0, *SIZES):
            for seed in seeds if size else [0]:
                chance = np.random.default_rng((len(name), size, seed))
                share = (level(size) if size else 0.5) + chance.normal(0, 0.004)
                right = np.arange(200) < round(200 * share)
                cell: dict[str, Json] = {"data": name, "size": size}
                kept[item_key(cell, seed)] = [
                    ItemRow(at, {"accuracy": float(good), "chance": 0.5, "brier": 0.5 - 0.4 * float(good)})
                    for at, good in enumerate(right)
                ]
                measured = {"accuracy": float(right.mean()), "chance": 0.5, "brier": float(0.5 - 0.4 * right.mean())}
                rows.append(RunResult(cell, seed, "succeeded", measured))
    items["answers"] = kept
    return Material("roles", "finished", spec, rows, items=items)


LEVELS = {"real": rise, "flat": rise, "twin": lambda _: 0.5}


@pytest.fixture(scope="module")
def planted() -> Material:
    """Two data sets that are learnt from, and a control that is not."""
    return make(LEVELS)


def test_a_control_that_learns_nothing_is_told_so_and_is_no_answer(planted: Material) -> None:
    conclusion = conclude_sweep(planted)
    assert [(claim.subject, claim.claim) for claim in (conclusion, *conclusion.others)] == [
        ("real", "minimum_data"),
        ("flat", "minimum_data"),
        ("twin", "control_learnt_nothing"),
    ]
    control = conclusion.others[-1]
    assert control.high is not None
    assert control.effect == pytest.approx(0, abs=0.02)
    assert conclusion.more == 2, "the second metric of two data sets: the control is no answer"
    assert "one_of_several" not in control.caveats
    assert all("twin: " not in line for line in compose_answer(planted).answer), "its curve is no answer either"


def test_a_control_that_learns_is_held_against_its_twin_and_casts_doubt_where_it_does_as_well() -> None:
    behind = conclude_sweep(make({**LEVELS, "twin": lambda size: 0.5 + (rise(size) - 0.5) / 3}))
    control = behind.others[-1]
    assert (control.claim, control.against) == ("control_behind", "real")
    assert control.high is not None
    assert control.high < 0, "it is clearly worse"
    assert "control_as_good" not in behind.caveats
    as_good = conclude_sweep(make({**LEVELS, "twin": rise}))
    assert as_good.others[-1].claim == "control_as_good"
    assert "control_as_good" in as_good.caveats
    assert "control_as_good" not in as_good.others[0].caveats, "that is no twin of it"


def test_a_single_seed_judges_no_control_and_never_praises_the_worse_one() -> None:
    single = make({**LEVELS, "twin": lambda size: 0.5 + (rise(size) - 0.5) / 3}, seeds=[0])
    control = conclude_sweep(single).others[-1]
    assert (control.claim, control.subject, control.against) == ("control_not_judged", "twin", "real")
    assert control.effect is not None
    assert control.effect < 0
    assert control.low is None


def test_a_note_stands_beside_its_data_set_on_every_face_and_in_json(planted: Material) -> None:
    report = compose(planted)
    assert f"flat ({NOTE})" in report.lines[0]
    assert f"flat ({NOTE})" in render_markdown(report).replace("\\", "")
    assert NOTE in render_html(report, "").replace("\N{NO-BREAK SPACE}", " ")
    facts = list_facts(planted)
    known = {fit["data"]: (fit["control_of"], fit["note"]) for fit in facts["fits"]}
    assert known == {"real": (None, None), "flat": (None, NOTE), "twin": ("real", None)}
    assert facts["conclusion"]["others"][0]["subject"] == "flat", "a subject is the name alone"


def test_a_control_without_progress_is_no_sign_of_a_failed_training() -> None:
    planted = make(dict.fromkeys(LEVELS, lambda _: 0.5))
    rows = [
        RunResult(row.cell, row.seed, row.state, row.metrics, stage=f"{row.cell}{row.seed}") for row in planted.rows
    ]
    flat = {"method": "sl", "steps": 40, "first": 1.0, "last": 1.0, "step_sd": 0.001, "window": 10}
    stalled = {str(row.stage): flat for row in rows if row.cell["size"]}
    signs = list_signs(Material("roles", "finished", SPEC, rows, learning=stalled))
    assert {sign.cell["data"] for sign in signs if sign.code in FLAT} == {"real", "flat"}


FILE = """
sweep: s
experiment: data_scaling
model: offline/ngram-s
train: {learning_rate: auto, steps: 4}
sizes: [8]
data:
  code: {source: "offline:code"}
  twin: {source: "offline:legal", control_of: code}
  more: {source: "offline:science"}
"""


def test_whose_twin_a_control_is_is_checked() -> None:
    assert parse(FILE).data["twin"].control_of == "code"
    for override, named in (
        ("data.twin.control_of=cod", "code"),
        ("data.twin.control_of=twin", "code"),
        ("data.more.control_of=twin", "code"),
        ("data.code.note=", "note"),
        ("experiment=grid", "data_scaling"),
    ):
        with pytest.raises(SpecError, match=named):
            parse(FILE, overrides=[override])
    with pytest.raises(SpecError, match=r"vary"):
        parse(f"{FILE}vary: {{data.code.note: [a, b]}}\n")
