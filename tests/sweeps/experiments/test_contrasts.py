"""One contrast has one interval and one verdict on every face, and the headline answers what was asked."""

from collections.abc import Mapping

import numpy as np
import pytest

from sweeps import SpecError, parse
from sweeps.analysis.comparison import compare
from sweeps.analysis.grid_cells import best_cell
from sweeps.evaluation.item_rows import ItemRow
from sweeps.experiments.conclude_sweep import conclude_sweep
from sweeps.experiments.conclusion import Conclusion
from sweeps.experiments.contrasts import list_control_data
from sweeps.report.compose import compose_answer, list_facts
from sweeps.report.inputs import Material
from sweeps.results import RunResult
from sweeps.stage import Json, LeftOut
from sweeps.stats.paired_items import Items, compare_items, item_key, read_scores

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
