"""The report of a sweep, composed from all that is known about it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sweeps.analysis.idle_policies import list_idle
from sweeps.analysis.item_analysis import list_changes
from sweeps.analysis.learning_evidence import weigh_signs
from sweeps.analysis.learning_signs import LearningSign, list_learning_signs
from sweeps.analysis.learning_words import describe_signs, list_sign_facts
from sweeps.analysis.run_counts import describe_cuts
from sweeps.analysis.tables import sort_metrics
from sweeps.analysis.targets import describe_cell
from sweeps.errors import SweepsError
from sweeps.experiments.experiment_registry import get_experiment
from sweeps.formatting import format_count
from sweeps.report.calibration_section import show_calibration
from sweeps.report.changes_section import show_changes
from sweeps.report.costs_and_provenance import list_runs, show_costs, show_failures, show_provenance
from sweeps.report.document import Conclusion, Paragraph, Report, Section, drop_empty
from sweeps.report.inputs import Material
from sweeps.report.learning_section import show_signs
from sweeps.report.plain_values import simplify
from sweeps.report.training_section import show_trainings
from sweeps.results import keep_measured
from sweeps.stage import Json

GOING_ON = ("active", "paused", "opening")
ITEMS = "Items that were not read"
FACTS = 3  # of an idle policy, that are named
NOTHING = "Nothing has been measured yet."
UNANSWERED = (SweepsError, ValueError, KeyError, ArithmeticError)
"""What rows can lack for an answer. It costs the answer, never the report or the rows."""


def compose(material: Material) -> Report:
    """Compose the whole report of a sweep, finished or not."""
    metrics = sort_metrics({name for row in material.rows for name in row.metrics})
    evidence = [
        show_calibration(material.rows, material.items),
        show_signs(_find_signs(material), material.rows),
        show_trainings(material.rows, material.curves),
        show_failures(material),
        show_costs(material),
        list_runs(material.rows, metrics, material.items),
        show_provenance(material),
    ]
    return replace(compose_answer(material), evidence=drop_empty(evidence))


def compose_answer(material: Material) -> Report:
    """Compose the answer alone, without the evidence that only a page shows."""
    conclusion = _conclude(material)
    kind = get_experiment(material.experiment)
    return Report(
        sweep=material.sweep,
        question=material.question or (kind.question if kind else ""),
        answer=conclusion.sentences,
        notices=tuple(_list_notices(material)),
        facts=tuple(_list_facts(material)),
        findings=drop_empty(conclusion.sections),
        made=material.made,
    )


def _conclude(material: Material) -> Conclusion:
    """Draw the answer from what was measured. Where that fails, the rest of the report is still there."""
    done = keep_measured(material.rows)
    if not done:
        return Conclusion((NOTHING,))
    kind = get_experiment(material.experiment)
    if kind is None:
        return Conclusion((f"There is no answer: {material.experiment!r} is not a known kind of experiment.",))
    try:
        conclusion = kind.answer(material.spec, material.rows, material.items)
        sentences = conclusion.sentences or ("Nothing can be concluded yet.",)
        changes = show_changes(done, material.items)
        unread = tuple(Paragraph(words, warning=True) for words in material.unread)
        sections = (*conclusion.sections, *changes.sections, *([Section(ITEMS, unread)] if unread else []))
        return Conclusion((*sentences, *changes.sentences), sections)
    except UNANSWERED as error:
        words = f"No answer could be drawn from the rows: {error}"
        return Conclusion((words,), (Section("The answer", (Paragraph(words, warning=True),)),))


def list_facts(material: Material) -> dict[str, Any]:
    """List what the answer rests on for programs: the facts of the kind of experiment, and what training changed."""
    facts: dict[str, Any] = {}
    kind = get_experiment(material.experiment)
    if kind and keep_measured(material.rows):
        try:
            facts[kind.facts_key] = kind.list_facts(material.spec, material.rows, material.items)
        except UNANSWERED as error:
            facts |= {kind.facts_key: [], "unanswered": str(error)}
    changes = [
        {"cell": dict(cell.cell), "against": cell.against, **simplify(each)}
        for cell in list_changes(material.rows, material.items)
        for each in cell.changes
    ]
    return {**facts, "changes": changes, "learning": list_sign_facts(_find_signs(material))}


def _find_signs(material: Material) -> tuple[LearningSign, ...]:
    """Find the trainings that may not have learnt, as far as the evaluation does not refute it."""
    return weigh_signs(list_learning_signs(material.rows, material.learning, material.training), material.rows)


def _list_notices(material: Material) -> list[str]:
    states = Counter(row.state for row in material.rows)
    done = states.pop("succeeded", 0)
    notices = []
    if states:
        others = ", ".join(f"{count:,} {state}" for state, count in states.items())
        known = f"{done:,} of {len(material.rows):,} runs have a result ({others})"
        why = f"`sweep status {material.sweep}` shows why."
        notices.append(f"INCOMPLETE: {known}. The answer covers what is measured; {why}")
    notices += describe_cuts(material.rows)
    notices += describe_signs(_find_signs(material), [row.cell for row in material.rows])
    notices += [_describe_idle(*each) for each in list_idle(material.rows, material.items)]
    if material.state in GOING_ON:
        notices.append(f"This sweep has not ended (it is {material.state}): its report will change.")
    elif material.state == "cancelled":
        notices.append("This sweep was cancelled.")
    return notices


def _describe_idle(cell: Mapping[str, Json], facts: Sequence[str], episodes: int) -> str:
    named = f"{', '.join(facts[:FACTS])}{f' and {len(facts) - FACTS} more facts' if len(facts) > FACTS else ''}"
    zero = f"0 in all {episodes:,} episodes, and so is the reward"
    return f"{describe_cell(cell) or 'all runs'}: {named}: {zero}; a policy that never acts has the same"


def _list_facts(material: Material) -> list[tuple[str, str]]:
    stages = sum(material.stages.values())
    facts = [
        ("experiment", _name_experiment(material)),
        ("model", str(material.spec.get("model") or "")),
        ("state", material.state),
        ("runs", f"{sum(row.state == 'succeeded' for row in material.rows):,} of {len(material.rows):,}"),
        ("stages", format_count(stages, "stage").partition(" ")[0] if stages else ""),
        ("submitted", material.submitted),
    ]
    return [(name, value) for name, value in facts if value]


def _name_experiment(material: Material) -> str:
    kind = get_experiment(material.experiment)
    return kind.title if kind else material.experiment
