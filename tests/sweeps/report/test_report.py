"""The report says what was asked, what came out and what did not, whatever people have written into it."""

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import pytest

from sweeps.analysis.run_counts import Tally, count_runs
from sweeps.evaluation.item_rows import ItemRow
from sweeps.figures.charts import draw_svg
from sweeps.figures.svg import WIDE
from sweeps.report.answer import NOTHING
from sweeps.report.compose import compose
from sweeps.report.document import Figure, Paragraph, Report, Table
from sweeps.report.html import render_html
from sweeps.report.inputs import Material
from sweeps.report.markdown import escape_markdown, render_markdown
from sweeps.results import RunResult
from sweeps.stage import Json
from sweeps.stats.paired_items import ItemKey, item_key
from tests.sweeps.reports import (
    EXPERIMENTS,
    STYLE,
    compare_rows,
    curves_of,
    grid_rows,
    hostile,
    list_warnings,
    material,
    read,
    row,
    scaling_rows,
    transfer_rows,
    trouble,
)
from tests.wording import lacks, naming

KINDS = sorted(EXPERIMENTS)


@cache
def composed(experiment: str) -> Report:
    return compose(material(experiment))


def tables(report: Report, title: str) -> list[Table]:
    parts = next(section.parts for section in report.sections if section.title.startswith(title))
    return [part for part in parts if isinstance(part, Table)]


@pytest.mark.parametrize("experiment", KINDS)
def test_the_page_is_whole_and_asks_nothing_of_anybody(experiment: str) -> None:
    page = read(render_html(composed(experiment), STYLE))
    assert len(page.named("svg")) == 2 * len(composed(experiment).figures) > 2
    for svg in page.named("svg"):
        assert svg["role"] == "img"
        assert svg["aria-labelledby"] == f"{svg['id']}-title {svg['id']}-desc"
    assert [heading for heading in page.named("section") if not heading.get("aria-labelledby")] == []


@pytest.mark.parametrize("experiment", KINDS)
def test_what_stands_in_a_figure_stands_in_a_table_too(experiment: str) -> None:
    assert [figure.name for figure in composed(experiment).figures if not figure.table.texts] == []


def test_the_style_is_ours_and_loads_nothing() -> None:
    assert not re.search(r"url\(|@import|://|</", STYLE)
    assert "prefers-color-scheme: dark" in STYLE
    assert "@media print" in STYLE


def test_scaling_answers_with_the_size_and_its_interval() -> None:
    report = composed("data_scaling")
    assert report.conclusion
    claims = [report.conclusion, *report.conclusion.others]
    assert [(claim.claim, claim.subject) for claim in claims] == [("minimum_data", "code"), ("minimum_data", "law")]
    assert claims[0].against == "nll ≤ 2.03"
    assert all(claim.low < claim.effect < claim.high for claim in claims)  # type: ignore[operator]  # all are sizes
    assert re.search(r"^code: .*0\.7 × .*2\.9000", report.answer[0]), "where the target comes from"


def test_what_an_interval_comes_from_stands_below_the_laws_and_not_in_the_answer() -> None:
    report = compose(material("data_scaling"))
    pattern = re.compile(r"code: .* would narrow the interval most: (\d+) % of the uncertainty")
    texts = [part.text for section in report.sections for part in section.parts if isinstance(part, Paragraph)]
    assert len([words for words in texts if pattern.match(words)]) == 1
    assert not any(re.search(r"\bvariance\b", sentence) for sentence in report.answer)


def test_a_refused_fit_gives_no_number_and_says_why() -> None:
    report = compose(material("data_scaling", scaling_rows(top=64)))
    assert report.answer[0].startswith("code: no answer: 2 sizes")
    assert "ab" * 32 in render_html(report, STYLE)


def test_a_target_that_everything_measured_has_is_answered_without_a_law() -> None:
    """A loss that does not fall with more data allows no law; where it is low enough throughout, that was not asked."""
    losses = {8: 1.0, 16: 1.1, 32: 1.2, 64: 1.15, 128: 1.3}
    rows = [row({"data": "code", "size": size}, seed, nll=loss) for size, loss in losses.items() for seed in (0, 1)]
    known = material("data_scaling", rows)
    for below, known_from in ((2.0, 8), (1.05, None), (0.5, None)):
        spec: dict[str, Json] = {**known.spec, "target": {"metric": "nll", "below": below}}
        report = compose(replace(known, spec=spec))
        assert report.conclusion
        assert report.conclusion.claim == ("no_answer" if known_from is None else "met_from")
        assert (report.conclusion.effect, report.conclusion.against) == (known_from, f"nll ≤ {below:.4g}")
        assert len(report.answer) == (known_from is None), "the reason, where there is one"


def test_a_target_that_the_largest_sizes_have_is_told_from_where_on() -> None:
    """Three sizes are too few for a law."""
    rows = [row({"data": "code", "size": size}, 0, accuracy=right) for size, right in ((8, 0.1), (16, 0.6), (32, 0.7))]
    known = material("data_scaling", rows)
    spec: dict[str, Json] = {**known.spec, "target": {"metric": "accuracy", "above": 0.5}}
    conclusion = compose(replace(known, spec=spec)).conclusion
    assert conclusion
    assert (conclusion.claim, conclusion.effect, conclusion.against) == ("met_from", 16, "accuracy ≥ 0.5")


def test_what_is_said_of_items_alone_is_changed_by_no_training() -> None:
    known = asked()
    chances = {
        key: [replace(item, values={**item.values, "chance": 0.25, "accuracy": 0.5}) for item in rows]
        for key, rows in known.items["rag"].items()
    }
    rows = [replace(run, metrics={**run.metrics, "chance": 0.25, "accuracy": 0.5}) for run in known.rows]
    report = compose(replace(known, rows=rows, items={"answers": chances}))
    (section,) = (part for part in report.sections if part.title == "What did training change?")
    shown = [line[0] for part in section.parts if isinstance(part, Figure) for line in part.table.texts]
    assert shown == ["accuracy"]


def test_what_is_none_has_a_name_in_every_table() -> None:
    """No method is the untrained model, no source none; and who has measured nothing has used no known tokens."""
    lost = [row({"method": "rl"}, seed, "failed") for seed in range(2)]
    report = compose(material("compare", [*(run for run in compare_rows() if run.cell["method"] != "rl"), *lost]))
    assert "None" not in {cell for table in tables(report, "Every run") for line in table.texts for cell in line}
    assert "untrained" in {line[0] for table in tables(report, "Every run") for line in table.texts}
    (figure,) = (drawn for drawn in report.figures if drawn.name == "methods-0")
    assert [line[-2:] for line in figure.table.texts if line[0] == "rl"] == [("-", "-")]


def test_without_a_target_what_was_measured_is_the_answer() -> None:
    known = material("data_scaling", scaling_rows(top=64))
    spec = {key: value for key, value in known.spec.items() if key != "target"}
    (answer,) = compose(replace(known, spec=spec)).answer
    assert re.match(r"code: nll 2\.\d+ at 64 rows; .*\b2 sizes\b.*\b4\b", answer)


def test_where_the_loss_is_not_asked_the_answer_is_of_what_is() -> None:
    """As of a sweep that `sweep evaluate` has made of another one."""
    rows = [row({"data": "code", "size": size}, 0, accuracy=size / 64) for size in (8, 16, 32)]
    known = material("data_scaling", rows)
    asked: list[Json] = [{"name": "answers", "options": {}}]
    spec = {key: value for key, value in {**known.spec, "evaluate": asked}.items() if key != "target"}
    report = compose(replace(known, spec=spec))
    assert report.answer[0].startswith("code: accuracy 0.5 at 32 rows; ")
    both = compose(replace(known, rows=scaling_rows(top=64), spec={**spec, "evaluate": [*asked, {"name": "nll"}]}))
    assert both.answer[0].startswith("code: nll 2")


def test_an_extrapolation_says_how_far() -> None:
    target: dict[str, Json] = {"target": {"metric": "nll", "below": 1.72}}
    known = material("data_scaling", scaling_rows(top=1024))
    (answer,) = compose(replace(known, spec={**known.spec, **target})).answer
    assert re.search(
        r"extrapolated to \d\.\d times the largest size measured \(.* without the 2 largest .* by 0\.\d\d %", answer
    )


def test_transfer_names_what_is_clear_with_its_sign() -> None:
    report = composed("transfer")
    assert report.conclusion
    assert (report.conclusion.claim, report.conclusion.subject) == ("mixed", "code → law")
    assert report.conclusion.effect == pytest.approx(0.1, abs=0.05)
    assert "law → code hurts (−0.05" in report.answer[0]


def test_a_missing_pair_is_not_taken_for_nothing() -> None:
    rows = [run for run in transfer_rows() if run.cell["source"] != "law" or run.cell["size"] == 0]
    rows += [replace(run, state="failed", metrics={}) for run in transfer_rows() if run.cell["source"] == "law"]
    report = compose(material("transfer", rows))
    assert "without a result: 1 of 2 pairs" in report.answer[0]
    assert any("missing" in cell for line in report.figures[0].table.texts for cell in line)


def test_a_comparison_says_who_leads_and_whether_clearly() -> None:
    report = composed("compare")
    assert report.conclusion
    assert (report.conclusion.claim, report.conclusion.subject, report.conclusion.against) == ("better", "rl", "sl")
    assert report.conclusion.effect == pytest.approx(0.2833, abs=1e-4)
    assert re.search(naming("rl 0.8833 (0.6248 to 1.0000)", "sl 0.6000 ± "), report.answer[0])


def test_who_leads_by_easier_seeds_is_not_said_to_be_ahead() -> None:
    """b lacks the seeds that are hard, and is worse at the one that both have."""
    scores = {"a": (0.9, 0.5, 0.4), "b": (0.8,)}
    rows = [
        row({"method": name}, seed, task_completion=score) for name in scores for seed, score in enumerate(scores[name])
    ]
    conclusion = compose(material("compare", rows)).conclusion
    assert conclusion
    assert (conclusion.claim, conclusion.subject, conclusion.against) == ("not_judged", "b", "a")
    assert conclusion.effect == pytest.approx(-0.1)
    assert "worse by 0.1000" in conclusion.sentence


@pytest.mark.parametrize("state", ["failed", "skipped", "waiting"])
def test_a_method_or_a_source_without_any_result_stands_in_the_report(state: str) -> None:
    lost = [replace(run, state=state, metrics={}) if run.cell["method"] == "rl" else run for run in compare_rows()]
    report = compose(material("compare", lost))
    (means,) = (figure.table for figure in report.figures if figure.name == "methods-0")
    assert [line[:4] for line in means.texts if line[0] == "rl"] == [("rl", "no result", "0", "3")]
    assert f"3 {'unfinished' if state == 'waiting' else 'failed'}" in render_html(report, STYLE)
    pairs = [replace(run, state=state, metrics={}) if run.cell["source"] == "law" else run for run in transfer_rows()]
    report = compose(material("transfer", pairs))
    assert "without a result: 1 of 2 pairs" in report.answer[0]
    assert [line[0] for line in report.figures[0].table.texts] == ["code", "law"]


def test_what_one_evaluation_measured_stands_where_another_failed() -> None:
    rows = [replace(run, state="failed") for run in compare_rows()]
    report = compose(material("compare", rows))
    assert report.answer == composed("compare").answer
    assert report.notices[0].startswith("INCOMPLETE: 7 of 7 runs")
    assert dict(report.facts)["runs"].startswith("7 of 7, 7"), "each has a result, and lacks an evaluation"
    assert dict(compose(material("compare", compare_rows())).facts)["runs"] == "7 of 7"
    assert lacks(report.notices[0], "7 lack an evaluation") == []
    assert "failed" not in report.notices[0], "each of the failed runs has a result"
    one_lost = [replace(rows[0], metrics={}), *rows[1:]]
    assert lacks(compose(material("compare", one_lost)).notices[0], "6 of 7 (1 failed) 6 lack an evaluation") == []
    assert count_runs(rows, "task_completion") == Tally(measured=7)
    assert count_runs(rows, "reward") == Tally(failed=7)


@pytest.mark.parametrize("best", [None, "nll", "validation.nll"])
def test_on_several_data_sets_methods_are_compared_on_each(best: str | None) -> None:
    rows = [
        replace(run, metrics={f"{name}.nll": run.metrics["task_completion"] for name in ("one", "two")})
        for run in compare_rows()
    ]
    known = material("compare", rows, items={})
    wish: dict[str, Json] = {"best": {"metric": best, "mode": "min"}} if best else {}
    report = compose(
        replace(known, spec={**known.spec, "data": {"one": {}, "two": {}}, "evaluate": [{"name": "nll"}], **wish})
    )
    assert report.conclusion
    claims = [report.conclusion, *report.conclusion.others]
    assert [claim.metric for claim in claims] == [answer.partition(":")[0] for answer in report.answer]
    assert [claim.metric for claim in claims] == ["one.nll", "two.nll"]
    read(render_html(report, STYLE))


def test_where_nothing_can_be_told_apart_nothing_is_said_to_be_alike() -> None:
    first_seed = [run for run in transfer_rows() if run.seed == 0]
    assert "one seed" in compose(material("transfer", first_seed)).answer[0]
    alone = [run if run.cell["source"] is None else replace(run, state="waiting", metrics={}) for run in first_seed]
    assert compose(material("transfer", alone)).answer == ("With 128 target rows no pair has a result.",)


def test_of_very_many_methods_those_beside_the_leader_are_drawn() -> None:
    """A thousand runs of a hundred methods are 4,950 pairs, which would be drawn twice."""
    rows = [
        row({"method": f"method {name}"}, seed, task_completion=name / 100 + seed / 1000)
        for name in range(50)
        for seed in range(2)
    ]
    report = compose(material("compare", rows, items={}))
    (figure,) = (drawn for drawn in report.figures if drawn.name == "differences-0")
    assert figure.table.folded
    assert len(figure.table.texts) == 1225
    assert (
        draw_svg(figure.chart, WIDE, "wide").count("method 49")
        >= draw_svg(figure.chart, WIDE, "wide").count("<circle")
        == 45
    )
    assert "45 of 1,225 pairs are drawn, those of method 49" in figure.legend
    assert len(render_html(report, STYLE)) < 500_000


def test_where_less_is_better_the_least_leads() -> None:
    rows = [
        row({"method": name}, seed, nll=loss + seed / 9) for name, loss in (("a", 2.0), ("b", 1.0)) for seed in (0, 1)
    ]
    known = material("compare", rows)
    spec: dict[str, Json] = {**known.spec, "best": {"metric": "nll", "mode": "min"}}
    conclusion = compose(replace(known, spec=spec)).conclusion
    assert conclusion
    assert (conclusion.subject, conclusion.against) == ("b", "a")


def test_a_grid_says_the_best_cell_and_that_the_holdout_flatters() -> None:
    report = composed("grid")
    assert report.answer[0].startswith("Best on mine: rank=")
    assert any("`validation`" in warning for warning in list_warnings(report))
    (figure,) = (drawn for drawn in report.figures if drawn.name.startswith("cells"))
    assert len(figure.table.texts) == 30, "what is not drawn is in the table"


def test_one_cell_is_no_contest() -> None:
    report = compose(material("grid", grid_rows(cells=1)))
    assert report.conclusion
    assert report.conclusion.claim == "measured"
    assert "rank=0" in report.answer[0]
    assert [figure.name for figure in report.figures] == ["training-nll", "cost"]


def unfinished(experiment: str) -> list[RunResult]:
    rows = list(EXPERIMENTS[experiment][0])
    states = ["failed", "running", "waiting"]
    return [
        replace(run, state=states[place % 3], metrics={}) if place % 4 == 3 else run for place, run in enumerate(rows)
    ]


def test_a_line_never_breaks_within_a_number_and_its_sign() -> None:
    report = replace(compose(material("compare", [])), answer=("0.02 ± 0.01 (95 % intervals) where nll ≤ 1.9",))
    shown = [text for text in read(render_html(report, STYLE)).text if text.startswith("0.02")]
    assert shown == ["0.02_±_0.01 (95_% intervals) where nll ≤_1.9".replace("_", "\N{NO-BREAK SPACE}")]


@pytest.mark.parametrize("experiment", KINDS)
def test_a_half_finished_sweep_says_so_first_and_drops_nothing(experiment: str) -> None:
    rows = unfinished(experiment)
    lost = sum(run.state != "succeeded" for run in rows)
    known = material(
        experiment, rows, state="active", troubles=[trouble("bad data", 14), trouble("gone", 2, "skipped")]
    )
    report = compose(known)
    assert report.notices[0].startswith(f"{len(rows) - lost:,} of {len(rows):,} runs")
    assert sum(f"of {len(rows):,} runs" in notice for notice in report.notices) == 1
    causes, runs = tables(report, "What failed")
    assert [line[:3] for line in causes.texts] == [("failed", "14", "bad data"), ("skipped", "2", "gone")]
    assert causes.texts[0][3].endswith("and 2 more")
    assert len(runs.rows) == lost
    page = read(render_html(report, STYLE))
    text = "".join(page.text).replace("\N{NO-BREAK SPACE}", " ")
    assert text.index(report.notices[0]) < text.index(report.answer[0])
    assert report.notices[0] in render_markdown(report)


@pytest.mark.parametrize("experiment", KINDS)
@pytest.mark.parametrize(
    "rows", [[], [row({"data": "code", "size": 8}, 0, state="waiting")]], ids=["none", "one waits"]
)
def test_nothing_measured_is_a_report_too(experiment: str, rows: list[RunResult]) -> None:
    report = compose(material(experiment, rows))
    assert report.answer == (NOTHING,)
    read(render_html(report, STYLE))
    assert NOTHING in render_markdown(report)


def test_the_best_is_not_the_one_that_was_spared_a_hard_seed() -> None:
    """As the terminal says it: by raw means rank 2 would win, which lacks the seed that costs all cells 1."""
    losses = {(1, 0): 1.0, (1, 1): 2.0, (2, 0): 1.1, (3, 0): 1.5, (3, 1): 2.5}
    rows = [RunResult({"rank": rank}, seed, "succeeded", {"nll": loss}) for (rank, seed), loss in losses.items()]
    conclusion = compose(material("grid", rows)).conclusion
    assert conclusion is not None
    assert conclusion.subject == "rank=1"


def asked(sizes: Sequence[int] = (0, 8, 64)) -> Material:
    """Questions of which more are right after more examples; of reading only with the passage."""
    rows, items = [], dict[ItemKey, list[ItemRow]]()
    for size in sizes:
        for seed in range(3 if size else 1):
            cell: dict[str, Json] = {"data": "facts", "size": size}
            right = [float((item + seed) % 64 < size) for item in range(60)]
            rows.append(row(cell, seed, nll=2 - size / 100, uplift=sum(right) / 60, turns=3.0))
            items[item_key(cell, seed)] = [ItemRow(item, {"uplift": uplift}) for item, uplift in enumerate(right)]
    return material("data_scaling", rows, items={"rag": items})


def test_what_training_changed_is_told_of_the_largest_size_and_folded_of_the_others() -> None:
    report = compose(asked())
    assert "+1.00 ± 0.06 (uplift 0.00 → 1.00" in report.answer[-1]
    assert report.answer[-1].startswith("size=64: ")
    (section,) = (part for part in report.sections if part.title == "What did training change?")
    (figure,) = (part for part in section.parts if isinstance(part, Figure))
    assert figure.title == "What training changed: size=64 against untrained, 3 seeds"
    assert [line[:4] for line in figure.table.texts] == [("uplift", "0.000", "1.000", "+1.000")]
    (folded,) = (part for part in section.parts if isinstance(part, Table))
    assert folded.folded
    assert folded.caption.startswith("size=8 against untrained")
    read(render_html(report, STYLE))
    assert "What did training change?" not in render_html(compose(asked((0,))), STYLE), (
        "of nothing trained nothing is told"
    )


def test_items_that_were_not_read_are_told_of() -> None:
    report = compose(replace(asked(), unread=("of 7 evaluations the items of 2 could not be read",)))
    assert "the items of 2 could not be read" in render_html(report, STYLE)


@pytest.mark.parametrize("experiment", ["compare", "grid"])
def test_losses_that_cannot_be_squared_cost_the_answer_and_not_the_report(experiment: str) -> None:
    key = {"compare": "method", "grid": "rank"}[experiment]
    rows = [row({key: value}, seed, nll=loss) for value, loss in (("a", 1e300), ("b", 2.0)) for seed in range(2)]
    known = material(experiment, rows, curves=[], items={})
    best: Json = {"metric": "nll", "mode": "min"}
    report = compose(replace(known, spec={**known.spec, "best": best}))
    assert report.answer[0].startswith("No answer could be drawn from the rows: ")
    assert "1e+300" in render_html(report, STYLE)


@pytest.mark.parametrize("experiment", KINDS)
def test_losses_that_are_not_finite_are_survived(experiment: str) -> None:
    rows = [
        replace(run, metrics=dict.fromkeys(run.metrics, math.nan if place % 2 else math.inf)) if place % 5 == 0 else run
        for place, run in enumerate(EXPERIMENTS[experiment][0])
    ]
    curves = [replace(curve, points=[(1, math.nan), (2, math.inf), (3, 2.0)]) for curve in curves_of(rows)]
    report = compose(material(experiment, rows, curves=curves))
    read(render_html(report, STYLE))
    everything = [replace(run, metrics=dict.fromkeys(run.metrics, math.nan)) for run in rows]
    read(render_html(compose(material(experiment, everything, curves=[])), STYLE))


def test_rows_that_fit_no_question_cost_the_answer_and_not_the_report() -> None:
    report = compose(material("transfer", scaling_rows()))
    assert "has source, target and size" in report.answer[0]
    unknown = material("grid")
    report = compose(replace(unknown, spec={"experiment": "<b>other</b>"}))
    assert "<b>other</b>" in report.answer[0]
    assert report.findings == ()
    read(render_html(report, STYLE))


@pytest.mark.parametrize("experiment", KINDS)
def test_what_people_write_is_text_and_nothing_else(experiment: str) -> None:
    report = compose(hostile(experiment))
    page = render_html(report, STYLE)
    read(page)  # which refuses scripts, handlers, and everything that loads
    page.encode()
    assert "<script" not in page
    assert "<img" not in page
    text = render_markdown(report)
    assert "<script" not in text.split("```")[0]
    assert "@all" not in text.split("```")[0]


def test_the_spec_in_markdown_cannot_leave_its_fence() -> None:
    known = material("grid")
    text = render_markdown(compose(replace(known, spec={**known.spec, "question": "```\n<script>x</script>\n````"})))
    opening = re.search(r"^(`{3,})yaml$", text, re.MULTILINE)
    assert opening is not None
    assert text.count(f"\n{opening[1]}\n") == 1, "nothing inside closes it"


def test_markdown_has_the_tables_and_links_to_the_figures_where_there_are_any() -> None:
    report = composed("transfer")
    assert "![" not in render_markdown(report)
    text = render_markdown(report, "figures")
    assert [figure.name for figure in report.figures if f"](figures/{figure.name}.svg)" not in text] == []
    assert "| source | → code | → law |" in text
    assert escape_markdown("a|b <c> @d\n*e* https://f") == r"a\|b &lt;c&gt; &#64;d \*e\* https:&#47;&#47;f"


def test_what_it_rests_on_is_there() -> None:
    page = render_html(composed("data_scaling"), STYLE)
    for words in ("ab" * 32, "train.rank", "prices of 2026-11-22", "experiment: data_scaling", "$1.50", "$1.00–$2.00"):
        assert words in page, words


def thousand() -> Material:
    """1,000 runs with a learning curve of 240 points each."""
    rows = [
        row(
            {"data": f"set {data}", "size": 2**size},
            seed,
            nll=1 + data / 9 + 2.0**-size + seed / 1e4,
            bits_per_byte=1.5,
        )
        for data in range(5)
        for size in range(3, 13)
        for seed in range(20)
    ]
    return material("data_scaling", rows, curves=curves_of(rows, 240), troubles=[trouble("x" * 300, 500)] * 30)


def test_the_report_of_a_thousand_runs_can_be_sent_by_mail() -> None:
    report = compose(thousand())
    page = render_html(report, STYLE)
    assert len(page.encode()) < 5_000_000
    assert len(read(page).named("tr")) > 1000
    assert len(render_markdown(report)) < 65_000, "what a pull request takes"


def test_the_same_sweep_gives_the_same_page() -> None:
    assert render_html(compose(material("compare", compare_rows())), STYLE) == render_html(
        compose(material("compare", compare_rows())), STYLE
    )
