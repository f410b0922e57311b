"""What the reader of a report must know first: notices, and the facts of the sweep."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from sweeps.analysis.idle_policies import list_idle
from sweeps.analysis.learning_signs import LearningSign
from sweeps.analysis.learning_words import describe_signs
from sweeps.analysis.run_counts import describe_troubled_answers
from sweeps.analysis.targets import describe_cell
from sweeps.evaluation.metric_prefixes import get_base_name
from sweeps.experiments.conclusion import Conclusion
from sweeps.experiments.kind import Experiment
from sweeps.experiments.repeated_metrics import find_repeated_metrics
from sweeps.formatting import format_count
from sweeps.report.inputs import Material
from sweeps.results import GIVEN_UP, keep_measured
from sweeps.spec.metric_wishes import list_leading
from sweeps.stage import Json, LeftOut

GOING_ON = ("active", "paused", "opening")
FACTS = 3  # of an idle policy, that are named


def write_notices(material: Material, signs: Sequence[LearningSign], conclusion: Conclusion) -> list[str]:
    """Write what limits the answer: missing runs, cut answers, trainings that may not have learnt, an open end.

    That a data set cannot give a metric is no limit where the conclusion tells what it gives instead.
    """
    claims = (conclusion, *conclusion.others)
    told_instead = {claim.subject.partition(" (")[0] for claim in claims if claim.claim == "without_target"}
    left_out = [omission for omission in material.left_out if omission.on not in told_instead]
    notices = []
    if material.state in GOING_ON or any(row.state != "succeeded" for row in material.rows):
        notices.append(_describe_missing(material))
    asked = material.spec.get("evaluate")
    notices += _describe_left_out(left_out, list_leading(material.spec), len(asked) if isinstance(asked, list) else 0)
    notices += describe_troubled_answers(material.rows)
    notices += describe_signs(signs, [row.cell for row in material.rows])
    notices += [
        f"{metric} has the value of {first} in every run, so what is said of {first} holds for both."
        for metric, first in find_repeated_metrics(material.spec, material.rows).items()
    ]
    notices += [_describe_idle(*idle) for idle in list_idle(material.rows, material.items)]
    if material.state == "cancelled":
        notices.append("This sweep was cancelled.")
    return notices


def _describe_left_out(left_out: Sequence[LeftOut], named: Collection[str], asked: int) -> list[str]:
    """Say which evaluations were not made on which data: with the reason if it is one, else all of them in a line.

    Of metrics that some data cannot give, only those that the file is about are said, if it names any. Data on which
    none of several evaluations was made is there to be trained on. `asked`: the evaluations of the file.
    """
    whole = [omission for omission in left_out if not omission.metrics]
    counts = Counter(omission.on for omission in whole)
    trained = [name for name, count in counts.items() if count == asked > 1]
    whole = [omission for omission in whole if omission.on not in trained]
    about = [omission for omission in left_out if _is_about(omission, named)]
    lines = [
        f"{omission.describe()}."
        for omission in left_out
        if omission in about or (len(whole) == 1 and omission in whole)
    ]
    places: dict[str, list[str]] = {}
    for omission in whole if len(whole) > 1 else ():
        places.setdefault(omission.evaluation, []).append(omission.on)
    alike: dict[tuple[str, ...], list[str]] = {}
    for evaluation, names in places.items():
        alike.setdefault((*names,), []).append(evaluation)
    parts = [f"{', '.join(names)} on {', '.join(where)}" for where, names in alike.items()]
    lines += [f"Not measured, because the records do not suit it: {'; '.join(parts)}."] if parts else []
    return [*lines, *([f"Only trained on, and not measured: {', '.join(trained)}."] if trained else [])]


def _is_about(omission: LeftOut, named: Collection[str]) -> bool:
    names = {get_base_name(metric) for metric in named}
    return bool(omission.metrics) and (not names or any(get_base_name(metric) in names for metric in omission.metrics))


def _describe_missing(material: Material) -> str:
    """Say how many runs have a result, of which how many have a part of it, and whether more will have one."""
    going_on, measured = material.state in GOING_ON, keep_measured(material.rows)
    states = Counter(row.state for row in material.rows) - Counter(row.state for row in measured)
    partial = sum(row.state != "succeeded" for row in measured)
    others = {state: count for state, count in states.items() if state in GIVEN_UP or not going_on}
    lost = f" ({', '.join(f'{count:,} {state}' for state, count in others.items())})" if others else ""
    total, verb = format_count(len(material.rows), "run"), "has" if len(material.rows) == 1 else "have"
    have = f"{len(measured):,} of {total} {verb} a result"
    lacking = f", of which {partial:,} {'lacks' if partial == 1 else 'lack'} an evaluation" if partial else ""
    if going_on:
        still = "" if material.state == "active" else f" This sweep is {material.state}."
        return f"{have} so far{lost}{lacking}; these numbers will change.{still}"
    return f"INCOMPLETE: {have}{lost}{lacking}. `sweep status {material.sweep}` shows why."


def _describe_idle(cell: Mapping[str, Json], facts: Sequence[str], episodes: int) -> str:
    more = f" and {format_count(len(facts) - FACTS, 'more fact')}" if len(facts) > FACTS else ""
    named = f"{', '.join(facts[:FACTS])}{more}"
    zero = f"0 in all {episodes:,} episodes, as of a policy that never acts"
    return f"{describe_cell(cell) or 'all runs'}: {named}: {zero}"


def _count_results(material: Material) -> str:
    """Count the runs that have a result, or a part of one: "6 of 7, 2 of them without an evaluation"."""
    measured = keep_measured(material.rows)
    partial = sum(row.state != "succeeded" for row in measured)
    part = f", {partial:,} of them without an evaluation" if partial else ""
    return f"{len(measured):,} of {len(material.rows):,}{part}"


def write_facts(material: Material, kind: Experiment | None) -> list[tuple[str, str]]:
    """Write the facts of the sweep that are known."""
    stages = sum(material.stages.values())
    facts = [
        ("experiment", kind.title if kind else material.experiment),
        ("model", str(material.spec.get("model") or "")),
        ("state", material.state),
        ("runs", _count_results(material)),
        ("stages", format_count(stages, "stage").partition(" ")[0] if stages else ""),
        ("submitted", material.submitted),
    ]
    return [(name, value) for name, value in facts if value]
