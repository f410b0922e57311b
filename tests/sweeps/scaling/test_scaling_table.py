"""The answer as it is shown: a row for each law that cannot be told apart, the hold-out error beside it; accuracies."""

import numpy as np
import pytest

from sweeps.analysis.targets import fit_runs
from sweeps.evaluation.item_rows import ItemRow
from sweeps.experiments.scaling_parts import describe_law
from sweeps.report.compose import compose, list_facts
from sweeps.report.inputs import Material
from sweeps.report.scaling_words import NARROWED, SMALL, explain_open_end, summarise_fit
from sweeps.results import RunResult
from sweeps.scaling.fit import fit_many, fit_scaling
from sweeps.stage import Json
from sweeps.stats.paired_items import item_key
from tests.sweeps.planted import SIZES, offset
from tests.sweeps.report_faces import FACES
from tests.sweeps.reports import conclude, list_rows, list_warnings


def test_an_extrapolation_has_its_hold_out_error_in_the_same_row() -> None:
    row = describe_law(
        "code", fit_scaling(SIZES, offset(0.3)(SIZES), target=float(offset(0.3)(np.array([30_000.0]))[0]))
    )
    assert row["law"] == "offset"
    assert row["L(n)"] == "1.20 + 3·n^−0.3"
    assert row["status"] == "extrapolated ×3.7"
    assert row["rows needed"].text.startswith("30,000 (")
    assert row["rows needed"].value == pytest.approx(30_000)
    assert row["error"].text == "0.00 %"


def test_what_is_open_or_nowhere_is_said_in_words() -> None:
    losses = offset(0.3)(SIZES) * (1 + 0.01 * np.cos(3 * np.arange(9)))
    rows = [describe_law("code", fit_scaling(SIZES, losses, target=target)) for target in (3.0, 1.25, 0.1)]
    assert [row["status"] for row in rows] == ["met", "not identified", "unreachable"]
    assert [row["rows needed"].text for row in (rows[0], rows[2])] == ["32", "-"]
    assert SIZES[-1] < rows[1]["rows needed"].value <= 10 * SIZES[-1]


def test_each_law_has_a_row() -> None:
    n, noise = np.tile(SIZES[:6], 3), np.random.default_rng(0).standard_normal((40, 18))
    fits = fit_many(n, 3.0 * n**-0.1 * (1 + 0.004 * noise), targets=1.5)
    both = next(fit for fit in fits if fit.alternatives)
    rows = [describe_law("code", fit) for fit in (both, *both.alternatives)]
    assert len({row["law"] for row in rows}) == len(rows) >= 2
    assert all(row["error"].value is not None for row in rows)


def test_a_refusal_shows_the_reason_in_place_of_a_law() -> None:
    fit = fit_scaling([1, 2], [2, 1])
    assert fit.refused
    assert describe_law("code", fit)["L(n)"] == fit.refused


def spec(metric: str, **side: Json) -> dict[str, Json]:
    return {"experiment": "data_scaling", "target": {"metric": metric, **side}}


def rising(metric: str, guess: float, **more: float) -> list[RunResult]:
    """Shares of right answers: 1 - (.05 + (.95 - guess)·(1 + n/200)^-.9), which are .8 at 1,163 for a guess of 0."""
    chance = np.random.default_rng(9)
    rows = [RunResult({"data": "facts", "size": 0}, 0, "succeeded", {metric: guess, **more})]
    for size in SIZES[:7].tolist():
        right = 0.95 - (0.95 - guess) * (1 + size / 200) ** -0.9
        for seed in range(3):
            values = {metric: right + 0.002 * chance.standard_normal(), **more}
            rows.append(RunResult({"data": "facts", "size": int(size)}, seed, "succeeded", values))
    return rows


def test_an_accuracy_is_answered_with_its_law() -> None:
    asked, rows = spec("accuracy", above=0.8), rising("accuracy", 0.0)
    report = conclude(asked, rows)
    (row,) = list_rows(report, "law")
    assert (row["law"].value, row["status"].value) == ("bounded", "within the measured sizes")
    least = fit_runs(asked, rows).minimum_data
    assert least is not None
    assert least.point == pytest.approx(200 * ((0.95 / 0.15) ** (1 / 0.9) - 1), rel=0.05)
    assert row["rows needed"].value == least.point
    assert report.conclusion
    assert (report.conclusion.effect, report.conclusion.against) == (least.point, "accuracy ≥ 0.8")


def test_what_is_met_by_all_that_was_measured_is_said_where_no_law_is() -> None:
    """And nothing is said of an interval that there is not, though the items of one size alone are known."""
    rows = [RunResult({"data": "a", "size": size}, 0, "succeeded", {"nll": 1 + size / 99}) for size in (8, 16, 32, 64)]
    kept = {"nll": {item_key(rows[0].cell, 0): [ItemRow(0, {"nll": 1.0, "tokens": 1.0})]}}
    report = conclude(spec("nll", below=2), rows, kept)
    assert report.conclusion
    assert (report.conclusion.claim, report.conclusion.effect, report.conclusion.against) == ("met_from", 8, "nll ≤ 2")
    assert [warning for warning in list_warnings(report) if "items alone" in warning] == []


def test_a_curve_that_gives_no_answer_says_why() -> None:
    late = (0.0, 0.0, 0.01, 0.0, 0.01, 0.1, 0.7)  # nothing of it is seen before the largest sizes
    rows = [
        RunResult({"data": "a", "size": int(size)}, 0, "succeeded", {"accuracy": right})
        for size, right in zip(SIZES[:7], late, strict=True)
    ]
    fit = fit_runs(spec("accuracy", above=0.8), rows)
    assert fit.refused
    assert fit.refused in conclude(spec("accuracy", above=0.8), rows).answer[0]


@pytest.mark.parametrize(
    ("metric", "guess", "more"),
    [
        ("accuracy", 0.0, {}),
        ("accuracy", 0.25, {"mrr": 0.5, "chance": 0.25}),
        ("preference_accuracy", 0.5, {}),
        ("task_completion", 0.0, {"reward": 1.0}),
    ],
)
def test_a_curve_begins_at_what_guessing_scores(metric: str, guess: float, more: dict[str, float]) -> None:
    fit = fit_runs(spec(metric, above=0.9), rising(metric, guess, **more))
    assert fit.law == "bounded"
    assert fit.params["e0"] == 1 - guess
    assert fit.params["a"] == pytest.approx(0.9, abs=0.1)


def test_candidates_that_nobody_counted_are_refused_in_words() -> None:
    fit = fit_runs(spec("accuracy", above=0.9), rising("accuracy", 0.25, mrr=0.5))
    assert fit.refused
    assert "guessing" in fit.refused


def test_a_multiple_of_the_base_is_of_what_the_base_has() -> None:
    least = fit_runs(spec("accuracy", above=3, of="zero_shot"), rising("accuracy", 0.25, chance=0.25)).minimum_data
    assert least is not None
    assert least.target == pytest.approx(0.75)
    assert least.status == "interpolated"


def test_a_share_of_a_base_that_is_not_measured_is_said_to_be_unanswered() -> None:
    rows = [row for row in rising("accuracy", 0.25, chance=0.25) if row.cell["size"]]
    fit = fit_runs(spec("accuracy", above=3, of="zero_shot"), rows)
    assert fit.minimum_data is None
    assert any("untrained model" in warning and "not measured" in warning for warning in fit.warnings)


def test_items_that_are_there_widen_the_answer_and_a_share_of_the_base_less() -> None:
    """Each item has its own part of the loss, at all sizes and in the base."""
    own = np.random.default_rng(2).normal(1, 0.2, 200)
    losses = {0: 2.9, **{int(size): float(offset(0.3)(size)) for size in SIZES}}
    rows = [RunResult({"data": "a", "size": size}, 0, "succeeded", {"nll": loss}) for size, loss in losses.items()]
    items = {
        item_key(row.cell, 0): [
            ItemRow(item, {"nll": 9 * row.metrics["nll"] * part, "tokens": 9}) for item, part in enumerate(own.tolist())
        ]
        for row in rows
    }
    lacking = {key: known for key, known in items.items() if key != item_key(rows[3].cell, 0)}
    widths = {}
    for name, side in {"absolute": {"below": 1.5}, "share": {"below": 1.5 / 2.9, "of": "zero_shot"}}.items():
        for known in (None, items, lacking):
            least = fit_runs(spec("nll", **side), rows, known).minimum_data  # type: ignore[arg-type]  # a plain dict
            assert least
            assert least.low
            assert least.high
            widths[name, len(known or ())] = float(np.log(least.high / least.low))
    for name in ("absolute", "share"):
        assert widths[name, 9] == widths[name, 0] < 0.2, "where the items of one run are missing nothing is known"
    assert widths["absolute", 10] > 0.3
    assert widths["share", 10] == pytest.approx(widths["share", 0], rel=0.05), "the parts cancel: they are in both"


def test_a_run_without_items_is_taken_for_the_others_of_its_size_and_a_size_without_any_is_told_of() -> None:
    own = np.random.default_rng(2).normal(1, 0.2, 200).tolist()
    rows = [
        RunResult(
            {"data": "a", "size": round(size)}, seed, "succeeded", {"nll": float(offset(0.3)(size)) + 1e-4 * seed}
        )
        for size in SIZES
        for seed in range(2)
    ]
    items = {
        item_key(row.cell, row.seed): [
            ItemRow(item, {"nll": row.metrics["nll"] * part, "tokens": 1}) for item, part in enumerate(own)
        ]
        for row in rows
    }
    diverged = RunResult(rows[4].cell, 2, "succeeded", {"nll": float("nan")})
    without_run = {key: known for key, known in items.items() if key != item_key(rows[5].cell, 1)}
    size = {key: known for key, known in without_run.items() if key != item_key(rows[4].cell, 0)}
    without_items, widths = list[bool](), list[float]()
    for also, known in (([], items), ([diverged], without_run), ([], size)):
        fit = fit_runs(spec("nll", below=1.5), [*rows, *also], known)
        assert fit.minimum_data
        assert fit.minimum_data.low
        assert fit.minimum_data.high
        alone = any("for these items alone" in warning for warning in fit.warnings)
        widths.append(float(np.log(fit.minimum_data.high / fit.minimum_data.low)))
        without_items.append(alone)
    assert without_items == [False, False, True]
    assert widths[0] > 0.2
    assert widths[1] == pytest.approx(widths[0], rel=0.1)
    assert widths[2] < 0.1


def test_an_answer_without_an_upper_end_names_the_run_that_would_give_one() -> None:
    sizes = np.array([32 * 2.0**step for step in range(9)])
    fit = fit_scaling(sizes, 0.5 + 2 * sizes**-0.05 * (1 + (sizes / 600) ** 2) ** -0.12, target=0.99)
    assert fit.minimum_data
    assert fit.minimum_data.next_size
    assert f"{fit.minimum_data.next_size:,.0f} rows" in summarise_fit("law", fit, "nll")
    closed = fit_scaling(sizes, 1.2 + 3 * sizes**-0.3, target=1.6)
    assert closed.minimum_data
    assert closed.minimum_data.high
    assert explain_open_end(closed.minimum_data) == ""


def test_an_open_interval_says_on_every_face_what_would_close_it_and_what_makes_it_wide() -> None:
    """One seed of a curve that steepens: the target is the loss at 2.4 times its largest size."""
    losses = {int(n): float(0.5 + 2 * n**-0.05 * (1 + (n / 600) ** 2) ** -0.12) for n in (*SIZES, 20_000)}
    rows = [RunResult({"data": "code", "size": n}, 0, "succeeded", {"nll": losses[n]}) for n in map(int, SIZES)]
    target: dict[str, Json] = {"metric": "nll", "below": losses[20_000]}
    known = Material("night", "finished", {"experiment": "data_scaling", "target": target}, rows)
    least = list_facts(known)["fits"][0]["minimum_data"]
    assert (least["high"], least["next_size"]) == (None, 40_000)
    assert sum(least["parts"].values()) == pytest.approx(1)
    report = compose(known)
    for face, show in FACES.items():
        text = show(report).replace("\N{NO-BREAK SPACE}", " ")
        assert f"{least['low']:,.0f} or more" in text, face
        assert "40,000 rows" in text, face
        for name, (source, _) in NARROWED.items():
            assert (source in text) == (least["parts"][name] >= SMALL), (face, name)
