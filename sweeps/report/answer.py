"""Answer the question of a sweep: the part of a report that the terminal shows too."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from sweeps.analysis.item_analysis import StratumResult, list_changes, list_strata
from sweeps.analysis.learning_signs import LearningSign
from sweeps.analysis.strata.methods_within import compare_methods_within
from sweeps.analysis.strata.stratum_differences import StratumDifference, list_differences
from sweeps.analysis.tables import sort_metrics
from sweeps.experiments.conclude_sweep import UNANSWERED, conclude_material
from sweeps.experiments.conclusion import Conclusion
from sweeps.experiments.contrasts import Design
from sweeps.experiments.kind import Experiment
from sweeps.experiments.not_trained import leave_untaught
from sweeps.experiments.repeated_metrics import drop_repeated_metrics
from sweeps.report.changes_section import show_changes
from sweeps.report.document import Answer, Paragraph, Report, Section, drop_empty
from sweeps.report.headline import write_facts, write_notices
from sweeps.report.inputs import Material
from sweeps.report.strata_section import (
    show_differences,
    show_methods_within,
    show_strata,
    show_test_differences,
    show_test_sets,
)
from sweeps.report.test_set_results import list_test_differences, list_test_sets
from sweeps.results import RunResult, keep_measured
from sweeps.spec.metric_wishes import choose_shown

Part = TypeVar("Part", StratumResult, StratumDifference)
ITEMS = "Items that were not read"
NOTHING = "Nothing has been measured yet."


def answer_question(material: Material, kind: Experiment | None, signs: Sequence[LearningSign]) -> Report:
    """Compose the answer, with what the reader must know first; `signs` are of trainings that may not have learnt."""
    conclusion = conclude_material(material, kind, signs)
    drawn = draw_answer(leave_untaught(material, signs), kind, conclusion)
    return Report(
        sweep=material.sweep,
        question=material.question or (kind.question if kind else ""),
        answer=drawn.sentences,
        conclusion=conclusion,
        facts=tuple(write_facts(material, kind)),
        notices=tuple(write_notices(material, signs, conclusion)),
        findings=drop_empty(drawn.sections),
        made=material.made,
    )


def draw_answer(material: Material, kind: Experiment | None, conclusion: Conclusion) -> Answer:
    """Draw from what was measured what the conclusion leaves out. Where that fails, the rest is still there."""
    done = keep_measured(material.rows)
    if not done:
        return Answer((NOTHING,))
    if kind is None:
        return Answer((f"There is no answer: {material.experiment!r} is not a known kind of experiment.",))
    try:
        asked = drop_repeated_metrics(material.spec, material.rows)
        answer = kind.answer(asked, material.rows, material.items, conclusion)
        shown = choose_shown(material.spec, sort_metrics({name for row in done for name in row.metrics}))
        reference = Design.read(material.spec).against
        named = shown if material.spec.get("metrics") else ()
        changes = show_changes(list_changes(done, material.items, reference), named, shown)
        unread = tuple(Paragraph(words, warning=True) for words in material.unread)
        main = _keep_shown(done, shown)  # what no table shows takes most of the time
        strata = show_strata(material.spec, _sort_shown(list_strata(main, material.items), shown))
        between = _sort_shown(list_differences(main, material.items), shown)
        strata += show_differences(material.spec, between)
        strata += show_methods_within(material.spec, _sort_shown(compare_methods_within(main, material.items), shown))
        tests = _show_tests(material, main, shown)
        sections = (
            *answer.sections,
            *tests,
            *strata,
            *changes.sections,
            *([Section(ITEMS, unread)] if unread else []),
        )
        return Answer((*answer.sentences, *changes.sentences), sections)
    except UNANSWERED as error:
        words = f"No answer could be drawn from the rows: {error}"
        return Answer((words,), (Section("The answer", (Paragraph(words, warning=True),)),))


def _keep_shown(rows: Sequence[RunResult], shown: Sequence[str]) -> list[RunResult]:
    """Keep of the rows the metrics that are shown, by their whole name or behind that of a data set or test set."""
    names = {name for row in rows for name in row.metrics}
    kept = {name for name in names if any(f".{name}".endswith(f".{own}") or own.endswith(f".{name}") for own in shown)}
    return [replace(row, metrics={name: row.metrics[name] for name in row.metrics if name in kept}) for row in rows]


def _sort_shown(parts: Sequence[Part], shown: Sequence[str]) -> list[Part]:
    """Keep the results of the metrics that are shown, in their order."""
    order = {metric: place for place, metric in enumerate(shown)}
    return sorted((part for part in parts if part.metric in order), key=lambda part: order[part.metric])


def _show_tests(material: Material, done: Sequence[RunResult], shown: Sequence[str]) -> list[Section]:
    """Show results by test set of the metrics that are shown, as they are named on the holdout or on a test set."""

    def is_shown(metric: str) -> bool:
        return metric in shown or any(name.endswith(f".{metric}") for name in shown)

    results = [result for result in list_test_sets(material.spec, done, material.items) if is_shown(result.metric)]
    pairs = [pair for pair in list_test_differences(material.spec, done, material.items) if is_shown(pair.metric)]
    return [*show_test_sets(results), *show_test_differences(pairs)]
