"""The report of a sweep from all that is known of it."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from sweeps.analysis.item_analysis import ItemsBy
from sweeps.analysis.run_counts import describe_cuts
from sweeps.analysis.tables import sort_metrics
from sweeps.analysis.targets import Spec
from sweeps.errors import SweepsError
from sweeps.formatting import format_count
from sweeps.report.calibration_section import calibration
from sweeps.report.changes_section import changed_by_training
from sweeps.report.comparison_section import comparison
from sweeps.report.costs_and_provenance import cost, every_run, failures, provenance
from sweeps.report.document import Conclusion, Paragraph, Report, Section, drop_empty
from sweeps.report.grid_section import grid
from sweeps.report.inputs import Material
from sweeps.report.scaling_section import scaling
from sweeps.report.training_section import training
from sweeps.report.transfer_section import transfer
from sweeps.results import RunResult, keep_measured

QUESTIONS = {  # where the file has none in words
    "data_scaling": "How much data is needed?",
    "transfer": "Does training on one thing help another?",
    "grid": "Which cell is the best?",
    "compare": "Which method does better?",
}
KINDS = {
    "data_scaling": "data scaling",
    "transfer": "transfer",
    "grid": "grid",
    "compare": "comparison of methods",
}
ANSWERS: Mapping[str, Callable[[Spec, Sequence[RunResult], ItemsBy], Conclusion]] = {
    "data_scaling": scaling,
    "transfer": lambda spec, rows, _: transfer(spec, rows),
    "grid": grid,
    "compare": comparison,
}
GOING_ON = ("active", "paused", "opening")
ITEMS = "Items that were not read"
NOTHING = "Nothing has been measured yet."


def compose(material: Material) -> Report:
    """What there is to tell, finished or not."""
    found = _answer(material)
    shown = sort_metrics({name for row in material.rows for name in row.metrics})
    sections = [
        *found.sections,
        calibration(material.rows, material.items),
        training(material.rows, material.curves),
        failures(material),
        cost(material),
        every_run(material.rows, shown),
        provenance(material),
    ]
    return Report(
        sweep=material.sweep,
        question=material.question or QUESTIONS.get(material.experiment, ""),
        answer=found.sentences,
        notices=tuple(_notices(material)),
        facts=tuple(_facts(material)),
        sections=drop_empty(sections),
        made=material.made,
    )


def _answer(material: Material) -> Conclusion:
    """Of what was measured. Whatever cannot be concluded costs the conclusion, never the report."""
    done = keep_measured(material.rows)
    if not done:
        return Conclusion((NOTHING,))
    conclude = ANSWERS.get(material.experiment)
    if conclude is None:
        return Conclusion((f"This report knows no answer to an experiment of the kind {material.experiment!r}.",))
    try:
        # All but the curves count for themselves what is missing.
        told = done if material.experiment == "data_scaling" else material.rows
        found = conclude(material.spec, told, material.items)
        sentences = found.sentences or ("Nothing can be concluded yet.",)
        changed = changed_by_training(done, material.items)
        unread = tuple(Paragraph(said, warning=True) for said in material.unread)
        sections = (*found.sections, *changed.sections, *([Section(ITEMS, unread)] if unread else []))
        return Conclusion((*sentences, *changed.sentences), sections)
    except (SweepsError, ValueError, KeyError, ArithmeticError) as error:
        said = f"No answer could be drawn from the rows: {error}"
        return Conclusion((said,), (Section("The answer", (Paragraph(said, warning=True),)),))


def _notices(material: Material) -> list[str]:
    states = Counter(row.state for row in material.rows)
    done = states.pop("succeeded", 0)
    found = []
    if states:
        others = ", ".join(f"{count:,} {state}" for state, count in states.items())
        known = f"{done:,} of {len(material.rows):,} runs have their result ({others})"
        found.append(f"INCOMPLETE: {known}. What is said here is said of what is measured.")
    found += describe_cuts(material.rows)
    if material.state in GOING_ON:
        found.append(f"This sweep is {material.state}: its report will change.")
    elif material.state == "cancelled":
        found.append("This sweep was called off.")
    return found


def _facts(material: Material) -> list[tuple[str, str]]:
    stages = sum(material.stages.values())
    found = [
        ("experiment", KINDS.get(material.experiment, material.experiment)),
        ("model", str(material.spec.get("model") or "")),
        ("state", material.state),
        ("runs", f"{sum(row.state == 'succeeded' for row in material.rows):,} of {len(material.rows):,}"),
        ("stages", format_count(stages, "stage").partition(" ")[0] if stages else ""),
        ("submitted", material.submitted),
    ]
    return [(name, value) for name, value in found if value]
