"""One contrast has one interval and one verdict on every face, and the headline answers what was asked."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sweeps import SpecError, parse
from sweeps.analysis.comparison import compare
from sweeps.analysis.grid_cells import best_cell
from sweeps.evaluation.item_rows import ItemRow
from sweeps.experiments.conclude_sweep import conclude_sweep
from sweeps.experiments.conclusion import Conclusion
from sweeps.experiments.contrasts import list_control_data
from sweeps.records import canonicalize_row
from sweeps.report.compose import compose_answer, list_facts
from sweeps.report.document import Figure, Paragraph, Section, Table
from sweeps.report.inputs import Material
from sweeps.results import RunResult
from sweeps.stage import Json, LeftOut
from sweeps.stats.paired_items import Items, compare_items, item_key, read_scores
from tests.sweeps.questions import planned

Shares = Mapping[str, Mapping[str, float]]  # by method, then by metric
ITEMS, SEEDS = 60, 3


def plant(shares: Shares, *, key: str = "method") -> tuple[list[RunResult], Items]:
    """Runs whose items are right with these chances; the seeds of a method differ a little."""
    runs, items = [], {}
    for place, (name, chances) in enumerate(shares.items()):
        for seed in range(1 if name == "untrained" else SEEDS):
            random = np.random.default_rng((place, seed))
            right = {metric: random.random(ITEMS) < share for metric, share in chances.items()}
            run = RunResult(
                {key: None if name == "untrained" else name},
                seed,
                "succeeded",
                {metric: float(marks.mean()) for metric, marks in right.items()},
                tokens=100,
            )
            runs.append(run)
            items[item_key(run.cell, seed)] = [
                ItemRow(at, {metric: float(marks[at]) for metric, marks in right.items()}) for at in range(ITEMS)
            ]
    return runs, items


def ask(shares: Shares, *metrics: str, against: str | None = None, controls: Mapping[str, str] = {}) -> Material:
    runs, items = plant(shares)
    methods: dict[str, Json] = {name: {} for name in shares if name != "untrained"}
    methods |= {name: {"control_of": twin} for name, twin in controls.items()}
    spec: dict[str, Json] = {
        "experiment": "compare",
        "equal": {"tokens": 100},
        "methods": methods,
        "metrics": [{"metric": metric, "mode": "max"} for metric in metrics],
        **({"against": against} if against else {}),
    }
    return Material("night", "finished", spec, runs, items={"answers": items})


def list_every(material: Material) -> list[Conclusion]:
    conclusion = conclude_sweep(material)
    return [conclusion, *conclusion.others]


THREE = {"untrained": {"accuracy": 0.1}, "sl": {"accuracy": 0.4}, "rl": {"accuracy": 0.8}, "dpo": {"accuracy": 0.1}}


def test_headline_table_json_and_verdict_are_one_value_for_other_seeds_and_items() -> None:
    material = ask(THREE, "accuracy", against="sl")
    (claim,) = (claim for claim in list_every(material) if claim.subject == "rl")
    facts = list_facts(material)
    (pair,) = (row for row in facts["differences"] if (row["one"], row["other"]) == ("rl", "sl"))
    assert (claim.effect, claim.low, claim.high) == tuple(pair["estimate"][key] for key in ("mean", "low", "high"))
    assert (claim.claim, pair["after_holm"], pair["covers"]) == ("better", True, "seeds_and_items")
    runs, items = plant(THREE)
    scores = {
        name: {run.seed: read_scores(items[item_key(run.cell, run.seed)], "accuracy") for run in runs
               if run.cell["method"] == name}
        for name in ("rl", "sl")
    }  # fmt: skip
    alone = compare_items(scores["rl"], scores["sl"])
    assert alone
    assert alone.recipe
    assert pair["estimate"]["half_width"] == alone.recipe.half_width
    table = next(
        part.table for section in compose_answer(material).findings for part in section.parts
        if hasattr(part, "table") and "clear" in part.table.columns
    )  # fmt: skip
    shown = {row[0].text: row for row in table.rows}
    assert shown["rl − sl"][table.columns.index("accuracy")].value == pair["estimate"]["mean"]
    assert shown["rl − sl"][table.columns.index("clear")].text == "all pairs"


def test_a_verdict_is_that_of_the_wider_interval_where_seeds_alone_would_call_it_clear() -> None:
    """The seeds of b are .1 ahead to within .02, on quite other items than a."""
    right = {
        (name, seed): [float(at < 24 + seed if name == "a" else at >= 30 - 2 * seed) for at in range(ITEMS)]
        for name in "ab"
        for seed in range(SEEDS)
    }
    items = {
        item_key({"method": name}, seed): [ItemRow(at, {"accuracy": value}) for at, value in enumerate(values)]
        for (name, seed), values in right.items()
    }
    close = [
        RunResult({"method": name}, seed, "succeeded", {"accuracy": sum(values) / ITEMS})
        for (name, seed), values in right.items()
    ]
    (by_seed,) = compare(close, metric="accuracy").differences
    (by_both,) = compare(close, metric="accuracy", items=items).differences
    assert (by_seed.covers, by_seed.clear) == ("seeds", True)
    assert (by_both.covers, by_both.clear, by_both.after_holm) == ("seeds_and_items", False, False)
    cells = [RunResult({"rank": run.cell["method"]}, run.seed, run.state, run.metrics) for run in close]
    kept = {item_key({"rank": run.cell["method"]}, run.seed): items[item_key(run.cell, run.seed)] for run in close}
    assert best_cell(cells, metric="accuracy").cells[1].apart
    tied = best_cell(cells, metric="accuracy", items=kept).cells[1]
    assert (tied.apart, tied.covers, tied.behind) == (False, "seeds_and_items", by_both.estimate)


def test_without_items_the_interval_is_called_that_of_these_items() -> None:
    material = ask(THREE, "accuracy")
    bare = Material("night", "finished", material.spec, material.rows)
    assert "these_items_only" in conclude_sweep(bare).caveats
    assert "these_items_only" not in conclude_sweep(material).caveats


def test_every_method_is_told_against_the_one_that_was_asked_about() -> None:
    claims = list_every(ask(THREE, "accuracy", against="sl"))
    headline = [(claim.claim, claim.subject, claim.against) for claim in claims]
    assert headline == [("better", "rl", "sl"), ("worse", "dpo", "sl")]
    assert claims[1].effect == pytest.approx(-0.3, abs=0.1)
    untrained = list_every(ask(THREE, "accuracy", against="untrained"))
    assert [(claim.subject, claim.against) for claim in untrained] == [
        ("rl", "untrained"), ("sl", "untrained"), ("dpo", "untrained"), ("rl", "sl"),
    ]  # fmt: skip


def test_a_headline_has_three_contrasts_and_json_has_all() -> None:
    many = {name: {"accuracy": share} for name, share in zip("abcd", (0.1, 0.95, 0.75, 0.55), strict=True)}
    conclusion = conclude_sweep(ask({**many, "e": {"accuracy": 0.35}}, "accuracy", against="a"))
    rows = conclusion.rows()
    assert [row["subject"] for row in rows if row["against"] == "a"] == ["b", "c", "d", "e"]
    headline = [(claim.subject, claim.against) for claim in conclusion.told]
    assert headline == [("b", "a"), ("c", "a"), ("d", "a"), ("b", "c")], "and the best against the next"
    assert len(conclusion.sentences) == 4


def test_a_fall_by_another_metric_of_what_is_praised_is_in_the_headline() -> None:
    shares = {"sl": {"accuracy": 0.3, "said": 0.9}, "rl": {"accuracy": 0.9, "said": 0.2}}
    for against in ("sl", None):
        claims = list_every(ask(shares, "accuracy", "said", against=against))
        assert [(claim.claim, claim.metric, claim.subject, claim.against) for claim in claims] == [
            ("better", "accuracy", "rl", "sl"),
            ("worse", "said", "rl", "sl"),
        ]
        assert claims[0].sentence in compose_answer(ask(shares, "accuracy", "said")).lines[0]


BY_TWO = {
    "untrained": {"accuracy": 0.1, "abstention": 0.5, "uplift": 0.0},
    "sl": {"accuracy": 0.4, "abstention": 0.9, "uplift": 0.4},
    "rl": {"accuracy": 0.8, "abstention": 0.9, "uplift": 0.4},
    "dpo": {"accuracy": 0.4, "abstention": 0.1, "uplift": 0.1},
}


def test_every_metric_tells_every_method_against_the_one_that_was_asked_about() -> None:
    """The loss of a method that nobody praises is not left out, and comes first."""
    material = ask(BY_TWO, "accuracy", "uplift", "abstention", against="sl")
    claims = {(claim.metric, claim.subject, claim.against): claim for claim in list_every(material)}
    metrics = ("accuracy", "uplift", "abstention")
    assert claims.keys() >= {(metric, name, "sl") for metric in metrics for name in ("rl", "dpo")}
    assert claims["abstention", "dpo", "sl"].claim == "worse"
    assert not claims["abstention", "dpo", "sl"].aside
    assert claims["abstention", "rl", "sl"].aside
    lines = compose_answer(material).answer
    places = {metric: next(at for at, line in enumerate(lines) if line.startswith(metric)) for metric in metrics}
    line = lines[places["abstention"]]
    assert 0 < line.index("dpo") < line.index("rl"), "a loss first"
    assert all(name in lines[place] for place in places.values() for name in ("sl", "rl", "dpo"))


def test_the_worth_of_context_and_all_changes_are_told_against_the_one_that_was_asked_about() -> None:
    asked = ask(BY_TWO, "accuracy", "uplift", against="sl")
    material = replace(asked, items={**asked.items, "rag": asked.items["answers"]})
    facts = {
        (fact["cell"]["method"], fact["against"], fact["metric"]): fact for fact in list_facts(material)["changes"]
    }
    assert facts["dpo", "sl", "uplift"]["mean"] == pytest.approx(-0.3, abs=0.1)
    assert facts["dpo", "untrained", "uplift"]["mean"] == pytest.approx(0.1, abs=0.1), "in JSON and in a table"
    report = compose_answer(material)
    assert not [line for line in report.answer if "untrained" in line]
    (section,) = (part for part in report.findings if {*read_columns(part)} >= {"sl", "dpo", "difference"})
    drawn = [part for part in section.parts if isinstance(part, Figure)]
    assert len(drawn) == 2, "rl and dpo against sl"
    folded = [part for part in section.parts if isinstance(part, Table)]
    assert [part.folded for part in folded] == [True] * len(folded), "those of the untrained model"
    assert sum(part.columns[1] == "before" for part in folded) == 6, "of three methods; also of metrics of no table"


def test_an_untrained_model_of_which_all_answers_were_cut_is_no_baseline_beside_a_method() -> None:
    """It was asked, and said nothing that could be scored: a change from it is none."""
    material = ask(BY_TWO, "accuracy", against="sl")
    (key,) = (key for key in material.items["answers"] if key[0] == canonicalize_row({"method": None}))
    cut = [replace(row, values={**row.values, "cut_answers": 1.0}) for row in material.items["answers"][key]]
    silent = replace(material, items={"answers": {**material.items["answers"], key: cut}})
    assert {fact["against"] for fact in list_facts(silent)["changes"]} == {"sl"}
    assert {fact["against"] for fact in list_facts(material)["changes"]} == {"sl", "untrained"}


def read_columns(section: Section) -> list[str]:
    """List the columns of all tables of a section."""
    tables = [part.table if isinstance(part, Figure) else part for part in section.parts]
    return [column for table in tables if isinstance(table, Table) for column in table.columns]


CONTROL = {"untrained": 0.1, "sl": 0.4, "dpo": 0.75}


@pytest.mark.parametrize(
    ("share", "claim", "against", "doubted"),
    [(0.4, "control_learnt_nothing", "sl", False), (0.9, "control_as_good", "dpo", True)],
)
def test_a_control_is_never_the_best_and_has_a_line_of_its_own(
    share: float, claim: str, against: str, doubted: bool
) -> None:
    shares = {name: {"accuracy": known} for name, known in {**CONTROL, "coin": share}.items()}
    claims = list_every(ask(shares, "accuracy", against="sl", controls={"coin": "dpo"}))
    assert [(row.claim, row.subject, row.against) for row in claims] == [
        ("better", "dpo", "sl"),
        (claim, "coin", against),
    ]
    assert ("control_as_good" in claims[0].caveats, "control_as_good" in claims[1].caveats) == (doubted, doubted)
    alone = list_every(ask(shares, "accuracy", controls={"coin": "dpo"}))
    assert (alone[0].subject, alone[0].against) == ("dpo", "sl"), "not the control, though it scores higher"


SPEC = """
sweep: s
experiment: compare
model: offline/ngram-s
equal: {tokens: 1000}
methods:
  sl: {method: sl, data: code, learning_rate: auto}
  dpo: {method: sl, data: code, learning_rate: auto, compared: false}
  both: {then: [sl, dpo]}
  coin: {then: [sl, dpo], control_of: both}
data: {code: {source: offline:code}}
"""


def test_names_are_checked_and_the_ones_that_are_known_are_listed() -> None:
    assert parse(f"{SPEC}against: sl\n").against == "sl"
    assert parse(f"{SPEC}against: untrained\n").against == "untrained"
    for line, named in (("against: dpo", "untrained"), ("against: sll", "sl"), ("methods.coin.control_of=x", "both")):
        with pytest.raises(SpecError, match=named):
            parse(SPEC, overrides=[line]) if "=" in line else parse(f"{SPEC}{line}\n")
    with pytest.raises(SpecError, match="compared"):
        parse(SPEC.replace("compared: false", "compared: false, control_of: sl"))
    with pytest.raises(SpecError, match="untrained"):
        parse(SPEC.replace("  both:", "  untrained:").replace("control_of: both", "control_of: sl"))


def test_what_is_asked_makes_no_other_stages() -> None:
    """A key of the answer leaves every training as it is."""
    asked = parse(f"{SPEC}against: sl\n")
    assert {*asked.model_dump(exclude_defaults=True)} - {*parse(SPEC).model_dump(exclude_defaults=True)} == {"against"}


def plant_deeds(deeds: Mapping[str, Mapping[str, float]], measure: str, metric: str, mode: str) -> Material:
    """Runs in which every item of a method says the same, and a little noise says it of what is not 0 or 1."""
    runs, items = list[RunResult](), {}
    for name, values in deeds.items():
        for seed in range(1 if name == "untrained" else SEEDS):
            noise = np.random.default_rng((len(name), seed)).normal(0, 0.02, ITEMS)
            cell: dict[str, Json] = {"method": None if name == "untrained" else name}
            items[item_key(cell, seed)] = [
                ItemRow(at, {key: value + (noise[at] if value % 1 else 0) for key, value in values.items()})
                for at in range(ITEMS)
            ]
            key = metric.rpartition(".")[2]
            mean = float(np.mean([row.values[key] for row in items[item_key(cell, seed)]]))
            runs.append(RunResult(cell, seed, "succeeded", {metric: mean}, tokens=100))
    spec: dict[str, Json] = {
        "experiment": "compare",
        "equal": {"tokens": 100},
        "methods": {name: {} for name in deeds if name != "untrained"},
        "metrics": [{"metric": metric, "mode": mode}],
    }
    return Material("night", "finished", spec, runs, items={measure: items})


IDLE = {
    "untrained": {"reward": 0.0, "acts": 0.0, "drawdown": 0.0},
    "bold": {"reward": 0.5, "acts": 3.0, "drawdown": 0.35},
    "careful": {"reward": 0.4, "acts": 2.0, "drawdown": 0.15},
}
REFUSING = {
    "parrot": {"abstention": 1.0, "silent": 1.0, "open_book": 0.0},
    "reader": {"abstention": 0.85, "silent": 0.05, "open_book": 0.95},
    "guesser": {"abstention": 0.15, "silent": 0.0, "open_book": 0.95},
}
CUT = {
    "untrained": {"accuracy": 0.0, "brier": 0.0, "cut_answers": 1.0},
    "sl": {"accuracy": 0.6, "brier": 0.15, "cut_answers": 0.0},
    "rl": {"accuracy": 0.7, "brier": 0.35, "cut_answers": 0.0},
}


@pytest.mark.parametrize(
    ("deeds", "measure", "metric", "mode", "names"),
    [
        (IDLE, "task_completion", "episode.drawdown", "min", ("careful", "bold", "untrained")),
        (REFUSING, "rag", "abstention", "max", ("reader", "guesser", "parrot")),
        (CUT, "answers", "brier", "min", ("sl", "rl", "untrained")),
    ],
)
def test_what_does_nothing_is_not_called_the_best(
    deeds: Mapping[str, Mapping[str, float]], measure: str, metric: str, mode: str, names: tuple[str, str, str]
) -> None:
    material = plant_deeds(deeds, measure, metric, mode)
    claim = conclude_sweep(material)
    assert (claim.claim, claim.subject, claim.against) == ("better", *names[:2])
    assert any(names[2] in line and "Not ranked" in line for line in compose_answer(material).answer)


def test_where_nobody_does_anything_the_untrained_model_is_still_the_floor() -> None:
    still = {name: {"reward": 0.0, "task_completion": 0.0} for name in ("untrained", "rl")}
    claim = conclude_sweep(plant_deeds(still, "task_completion", "task_completion", "max"))
    assert (claim.claim, claim.subject, claim.against) == ("nothing_learnt", "rl", "untrained")


def test_a_cell_of_a_grid_that_does_nothing_is_not_ranked_either() -> None:
    material = plant_deeds(REFUSING, "rag", "abstention", "max")
    cells = [RunResult({"rank": run.cell["method"]}, run.seed, run.state, run.metrics) for run in material.rows]
    kept = {
        item_key({"rank": run.cell["method"]}, run.seed): material.items["rag"][item_key(run.cell, run.seed)]
        for run in material.rows
    }
    choice = best_cell(cells, metric="abstention", items=kept)
    assert choice.best
    assert choice.best.cell == {"rank": "reader"}
    assert [cell.cell["rank"] for cell in choice.cells if cell.inactive] == ["parrot"]


def test_what_only_a_control_is_trained_on_is_no_failure() -> None:
    spec: dict[str, Json] = {
        "methods": {
            "sl": {"data": "rows"},
            "dpo": {"data": "pairs", "compared": False},
            "coin": {"data": "coin", "compared": False},
            "both": {"then": [{"sl": 0.6}, {"dpo": 0.4}]},
            "twin": {"then": ["sl", "coin"], "control_of": "both"},
        }
    }
    assert list_control_data(spec) == {"coin"}


def test_evaluations_that_suit_no_record_are_one_line_and_one_alone_says_why() -> None:
    material = ask(THREE, "accuracy")
    left = [LeftOut(name, on, f"it expects something else than {on}") for name in ("rag", "cites") for on in "ab"]
    many, single = (
        compose_answer(Material("night", "finished", material.spec, material.rows, left_out=omissions)).notices
        for omissions in (left, left[:1])
    )
    assert len(many) == len(single) == 1
    assert all(name in many[0] for name in ("rag", "cites", "a, b"))
    assert left[0].reason in single[0]
    spec: dict[str, Json] = {**material.spec, "evaluate": [{"name": "rag"}, {"name": "cites"}]}
    pairs = [LeftOut(name, "pairs", "it is no question") for name in ("rag", "cites")]
    notices = compose_answer(Material("night", "finished", spec, material.rows, left_out=pairs)).notices
    (trained,) = (notice for notice in notices if "pairs" in notice)
    assert "rag" not in trained, "data that serve training only lack nothing"


def test_what_is_asked_is_judged_among_itself_and_everything_else_among_all_pairs() -> None:
    """Seeds alone: `a` is above `sl` with p = .03; `b` and `c` are far away and alike, which is one more question."""
    steps = {"sl": [0.0] * 4, "a": [1.0, 2.0, 2.5, 0.8], "b": [90.0, 91.0, 92.0, 90.5], "c": [90.1, 90.9, 92.1, 90.4]}
    rows = [
        RunResult({"method": name}, seed, "succeeded", {"score": 7.0 * seed + step})
        for name, values in steps.items()
        for seed, step in enumerate(values)
    ]
    verdicts = {}
    for against in (None, "sl"):
        pairs = compare(rows, metric="score", against=against).differences
        verdicts[against] = {(pair.one, pair.other): (pair.clear, pair.after_holm) for pair in pairs}
    assert verdicts[None]["a", "sl"] == (True, False)
    assert verdicts["sl"] == {**verdicts[None], ("a", "sl"): (True, True)}
    assert verdicts["sl"]["c", "b"] == (False, False)


def test_that_all_lost_by_acting_is_an_answer_though_the_untrained_model_only_stood_still() -> None:
    deeds = {
        "untrained": {"reward": 0.0, "trades": 0.0},
        "sl": {"reward": -2.1, "trades": 3.0},
        "rl": {"reward": -1.1, "trades": 3.0},
    }
    first = conclude_sweep(plant_deeds(deeds, "task_completion", "reward", "max"))
    assert (first.claim, first.subject, first.against) == ("worse", "rl", "untrained")
    tried = {**deeds, "untrained": {"reward": 0.0, "trades": 5.0}}
    facts = list_facts(plant_deeds(tried, "task_completion", "reward", "max"))
    assert "idle_policy" not in facts["conclusion"]["caveats"], "it trades, and earns nothing"


def test_a_control_that_gained_what_its_twin_gained_is_not_said_to_show_no_gain() -> None:
    shares = {"untrained": {"accuracy": 0.1}, "sl": {"accuracy": 0.4}, "null": {"accuracy": 0.35}}
    claims = {row.subject: row for row in list_every(ask(shares, "accuracy", controls={"null": "sl"}))}
    assert "control_as_good" in claims["sl"].caveats
    assert claims["null"].claim == "control_as_good"


def test_no_seed_is_lost_where_only_some_kept_their_items() -> None:
    runs, items = plant({"a": {"accuracy": 0.5}, "b": {"accuracy": 0.6}})
    some = {key: rows for key, rows in items.items() if key[1] < 2}
    (pair,) = compare(runs, metric="accuracy", items=some).differences
    assert (pair.estimate.seeds, pair.covers) == (SEEDS, "seeds")


def test_a_third_metric_has_its_tables_in_the_report_alone() -> None:
    metrics = ("accuracy", "open_book", "mixed")
    shares = {name: dict.fromkeys(metrics, share) for name, share in {"sl": 0.4, "rl": 0.7}.items()}
    asked = [part for part in compose_answer(ask(shares, *metrics)).findings if part.title.startswith("Which method?")]
    assert [part.further for part in asked] == [False, False, True]


def leave_untrained(material: Material, seeds: Sequence[int]) -> Material:
    """The same, where no group of `rl` differed in reward with these seeds."""
    rows = [replace(run, stage=f"{run.cell['method']}-{run.seed}") for run in material.rows]
    still = {"method": "rl", "steps": 12, "first": 0.0, "last": 0.0, "step_sd": 0.0, "window": 3, "lost": 0.0}
    none: dict[str, Any] = {**still, "mixed_iterations": 0, "reward_after": 0.0, "temperature": 1.0}
    return replace(material, rows=rows, learning={f"rl-{seed}": none for seed in seeds})


def test_a_method_of_which_no_step_was_trained_is_compared_with_nothing() -> None:
    shares = {
        "untrained": {"accuracy": 0.1},
        "sl": {"accuracy": 0.4},
        "rl": {"accuracy": 0.1},
        "dpo": {"accuracy": 0.8},
    }
    for against in ("sl", None):
        whole = leave_untrained(ask(shares, "accuracy", against=against), range(SEEDS))
        claims = list_every(whole)
        assert (claims[0].claim, claims[0].subject, claims[0].against) == ("better", "dpo", "sl")
        own = [claim for claim in claims if "rl" in (claim.subject, claim.against)]
        assert [(claim.claim, claim.caveats, claim.effect) for claim in own] == [
            ("not_trained", ("not_trained",), None)
        ]
        assert own[0].sentence in compose_answer(whole).lines[0]
        facts = list_facts(whole)
        assert not [pair for pair in facts["differences"] if "rl" in (pair["one"], pair["other"])]
        assert not [change for change in facts["changes"] if change["cell"]["method"] == "rl"]


def test_that_the_method_asked_about_was_not_trained_is_said_first() -> None:
    shares = {"untrained": {"accuracy": 0.1}, "rl": {"accuracy": 0.1}, "sl": {"accuracy": 0.4}}
    asked = leave_untrained(ask(shares, "accuracy", against="rl"), range(SEEDS))
    assert (list_every(asked)[0].claim, list_every(asked)[0].subject) == ("not_trained", "rl")
    alone = leave_untrained(ask({name: shares[name] for name in ("untrained", "rl")}, "accuracy"), range(SEEDS))
    assert (list_every(alone)[0].claim, list_every(alone)[0].subject) == ("not_trained", "rl")


def test_a_method_of_which_some_runs_were_not_trained_is_compared_and_the_runs_are_named() -> None:
    shares = {"sl": {"accuracy": 0.4}, "rl": {"accuracy": 0.9}, "dpo": {"accuracy": 0.1}}
    claims = list_every(leave_untrained(ask(shares, "accuracy", against="sl"), [1]))
    assert {claim.subject: "not_trained" in claim.caveats for claim in claims} == {"rl": True, "dpo": False}
    assert "seed 1" in claims[0].details["not_trained"]
    assert claims[0].claim == "better"


def plant_rights(rights: Mapping[str, Sequence[float]], metric: str = "accuracy", **more: Json) -> Material:
    """Runs of three seeds that answer the same items right; NaN: the item does not tell the metric."""
    items = {
        item_key({"method": name}, seed): [
            ItemRow(at, {metric: right} if math.isfinite(right) else {}) for at, right in enumerate(values)
        ]
        for name, values in rights.items()
        for seed in range(SEEDS)
    }
    runs = [
        RunResult({"method": name}, seed, "succeeded", {metric: float(np.nanmean(values))}, tokens=100)
        for name, values in rights.items()
        for seed in range(SEEDS)
    ]
    spec: dict[str, Json] = {
        "experiment": "compare",
        "equal": {"tokens": 100},
        "methods": {name: {} for name in rights},
        "metrics": [{"metric": metric, "mode": "max"}],
        **more,
    }
    measure = "answers" if metric == "accuracy" else "task_completion"
    return Material("night", "finished", spec, runs, items={measure: items})


@pytest.mark.parametrize("against", ["a", None])
def test_methods_that_have_everything_right_are_no_first_place_and_all_are_named(against: str | None) -> None:
    rights = {"a": [1.0] * 30, "low": [0.0] * 30, "b": [1.0] * 30, "c": [1.0] * 30}
    material = plant_rights(rights, **({"against": against} if against else {}))
    conclusion = conclude_sweep(material)
    (claim,) = (claim for claim in conclusion.told if claim.claim == "no_clear_difference")
    assert claim.ties == ("a", "b", "c")
    assert "saturated" in claim.caveats
    assert "a, b and c" in claim.sentence
    others = [claim for claim in conclusion.others if claim.claim == "no_clear_difference"]
    assert len({claim.subject for claim in others} | {claim.subject}) == (2 if against else 1), "each pair is in JSON"
    by_hand = ask({"a": {"accuracy": 0.4}, "b": {"accuracy": 0.8}}, "accuracy")
    assert not [claim for claim in list_every(by_hand) if claim.ties]


def test_a_difference_says_of_how_many_items_it_is_where_not_all_tell_the_metric() -> None:
    """Of 60 episodes 50 and 48 had an error, and 38 had one on both sides: by hand .8 less .5 of these."""
    nan = math.nan
    first = [1.0, 1.0, 1.0, 1.0, 0.0] * 10 + [nan] * 10
    other = [nan] * 12 + [1.0, 0.0] * 24
    material = plant_rights({"sl": other, "rl": first}, "recovery_rate", against="sl")
    (claim,) = list_every(material)
    common = [at for at in range(60) if math.isfinite(first[at]) and math.isfinite(other[at])]
    assert len(common) == 38
    assert claim.effect == pytest.approx(sum(first[at] - other[at] for at in common) / 38)
    assert "38 of 60 items" in claim.sentence
    every = plant_rights({"sl": [1.0, 0.0] * 30, "rl": [1.0, 1.0] * 30}, "recovery_rate", against="sl")
    assert not [row.over for row in list_every(every) if row.over]


def test_where_no_difference_is_clear_no_method_is_called_the_best() -> None:
    shares = {name: {"accuracy": share, "ndcg": share} for name, share in {"a": 0.5, "b": 0.52, "c": 0.1}.items()}
    line = next(line for line in compose_answer(ask(shares, "accuracy", "ndcg")).answer if "ndcg" in line)
    assert "best" not in line
    pair = next(
        pair
        for pair in list_facts(ask(shares, "accuracy", "ndcg"))["differences"]
        if (pair["metric"], pair["one"], pair["other"]) == ("ndcg", "b", "a")
    )
    assert f"{abs(pair['estimate']['mean']):.4f}" in line


def test_a_single_pair_is_not_said_to_be_corrected_and_of_several_their_number_is_told() -> None:
    """What is judged together is named by how many it is; one pair is judged by its interval alone."""
    two = {"sl": {"accuracy": 0.3}, "rl": {"accuracy": 0.9}}
    for shares, verdict, pairs in ((two, "yes", 0), ({**two, "dpo": {"accuracy": 0.1}}, "all pairs", 3)):
        report = compose_answer(ask(shares, "accuracy"))
        (section,) = (part for part in report.findings if part.title.startswith("Which method?"))
        figure = next(part for part in section.parts if isinstance(part, Figure) and "clear" in part.table.columns)
        clear = {row[0].text: row[figure.table.columns.index("clear")].text for row in figure.table.rows}
        assert clear["rl − sl"] == verdict
        assert ("Holm" in figure.note, f"{pairs} pairs" in figure.note) == (pairs > 0, pairs > 0)
    comparison = compare(plant(THREE)[0], metric="accuracy", against="sl")
    assert (comparison.count_family("rl", "sl"), comparison.count_family("rl", None)) == (3, 6)


def test_what_doing_nothing_scores_stands_beside_the_result() -> None:
    """Answers that were all cut are right in three of four: `sl` is not clearly above that, `rl` is."""
    deeds = {"untrained": {"accuracy": 0.75}, "sl": {"accuracy": 0.7}, "rl": {"accuracy": 0.99}}
    material = ask(deeds, "accuracy")
    (key,) = (key for key in material.items["answers"] if key[0] == canonicalize_row({"method": None}))
    cut = [replace(row, values={**row.values, "cut_answers": 1.0}) for row in material.items["answers"][key]]
    silent = replace(material, items={"answers": {**material.items["answers"], key: cut}})
    floor = next(run.metrics["accuracy"] for run in material.rows if run.cell["method"] is None)
    floors = [line.partition("Doing nothing")[2] for line in compose_answer(silent).answer]
    assert f"{floor:.4f}" in floors[0]
    assert floors[0].rpartition(": ")[2] == "sl.", "and not rl"
    assert not [line for line in compose_answer(material).answer if "Doing nothing" in line]


def test_a_control_of_a_single_seed_is_not_judged_and_not_praised() -> None:
    material = ask({"sl": {"accuracy": 0.5}, "coin": {"accuracy": 0.8}}, "accuracy", controls={"coin": "sl"})
    rows = [row for row in material.rows if row.seed == 0]
    (coin,) = (row for row in list_every(replace(material, rows=rows, items={})) if row.subject == "coin")
    assert (coin.claim, coin.against, coin.low) == ("control_not_judged", "sl", None)
    assert "best" not in coin.sentence


def test_the_note_of_a_method_stands_in_its_answer_and_changes_no_training() -> None:
    material = ask(THREE, "accuracy")
    methods: dict[str, Json] = {"sl": {}, "dpo": {}, "rl": {"note": "paid by a coin"}}
    answer = compose_answer(replace(material, spec={**material.spec, "methods": methods}))
    notes = [part.text for section in answer.sections for part in section.parts if isinstance(part, Paragraph)]
    assert notes.count("rl: paid by a coin.") == 1
    noted = SPEC.replace("coin: {", "coin: {note: a line, ")
    assert parse(noted).methods is not None
    with pytest.raises(SpecError, match="120"):
        parse(noted.replace("a line", "a" * 121))
    bare, with_note = (planned(text.replace("auto", "0.01")) for text in (SPEC, noted))
    assert [stage.id for stage in bare.stages] == [stage.id for stage in with_note.stages]
