"""The report of a sweep, composed from all that is known about it."""

from dataclasses import replace
from typing import Any

from sweeps.analysis.calibration_cells import list_calibrations
from sweeps.analysis.confusion_cells import list_confusions
from sweeps.analysis.idle_policies import list_idle
from sweeps.analysis.item_analysis import list_changes, list_strata, name_stratum
from sweeps.analysis.learning_words import list_sign_facts
from sweeps.analysis.strata.methods_within import WHERE, compare_methods_within
from sweeps.analysis.strata.stratum_differences import list_differences
from sweeps.experiments.conclude_sweep import UNANSWERED, conclude_material, list_parts, list_signs
from sweeps.experiments.contrasts import Design
from sweeps.experiments.experiment_registry import get_experiment
from sweeps.experiments.not_trained import leave_untaught
from sweeps.report.answer import answer_question
from sweeps.report.calibration_section import show_calibration
from sweeps.report.confusion_section import list_confusion_facts, show_confusions
from sweeps.report.costs_section import show_costs
from sweeps.report.document import Report, drop_empty
from sweeps.report.inputs import Material
from sweeps.report.learning_section import show_signs
from sweeps.report.plain_values import simplify
from sweeps.report.provenance_section import show_provenance, show_words
from sweeps.report.runs_section import list_runs, show_failures
from sweeps.report.test_set_results import list_test_differences, list_test_sets
from sweeps.report.training_section import show_trainings
from sweeps.results import keep_measured


def compose(material: Material) -> Report:
    """Compose the whole report of a sweep, finished or not."""
    signs = list_signs(material)
    calibrations = list_calibrations(material.rows, material.items)
    evidence = [
        show_calibration(calibrations),
        show_signs(signs, material.rows),
        show_trainings(material.rows, material.curves),
        show_failures(material),
        show_costs(material),
        list_runs(material.spec, material.rows, material.items),
        show_provenance(material),
        show_words(material),
    ]
    answer = _add_confusions(answer_question(material, get_experiment(material.experiment), signs), material)
    return replace(answer, evidence=drop_empty(evidence))


def compose_answer(material: Material) -> Report:
    """Compose the answer alone, without the evidence that only a page shows."""
    signs = list_signs(material)
    return _add_confusions(answer_question(material, get_experiment(material.experiment), signs), material)


def _add_confusions(report: Report, material: Material) -> Report:
    """Add to the answer which classes are taken for which."""
    confusions = show_confusions(list_confusions(material.rows, material.items))
    return replace(report, findings=(*report.findings, *drop_empty([confusions])))


def list_facts(material: Material) -> dict[str, Any]:
    """List what the answer rests on for programs: the facts of the kind of experiment, and what training changed."""
    facts: dict[str, Any] = {}
    signs = list_signs(material)
    kind = get_experiment(material.experiment)
    trained = leave_untaught(material, signs)
    if kind and keep_measured(trained.rows):
        try:
            facts[kind.facts_key] = kind.list_facts(trained.spec, trained.rows, trained.items)
        except UNANSWERED as error:
            facts |= {kind.facts_key: [], "unanswered": str(error)}
    changes = [
        {"cell": dict(cell.cell), "against": cell.against, **simplify(change)}
        for cell in list_changes(trained.rows, trained.items, Design.read(material.spec).against)
        for change in cell.changes
    ]
    idle = [
        {"cell": dict(cell), "facts": zero, "episodes": episodes}
        for cell, zero, episodes in list_idle(material.rows, material.items)
    ]
    confusion = list_confusion_facts(list_confusions(material.rows, material.items))
    facts |= _list_strata_facts(material)
    claim = conclude_material(material, kind, signs)
    claimed = dict.fromkeys(answer.metric or "" for answer in (claim, *claim.others))
    parts = [list_parts(material, metric) for metric in claimed]
    facts["unlearnt"] = [simplify(part) for listed in parts for part in listed]
    learning = list_sign_facts(signs)
    tests = [
        {"test": (fact := simplify(stratum)).pop("stratum"), **fact}
        for stratum in list_test_sets(material.spec, material.rows, material.items)
    ]
    facts["tests_differences"] = simplify(list_test_differences(material.spec, material.rows, material.items))
    facts |= {"tests": tests, "left_out": simplify(list(material.left_out))}
    facts = {"conclusion": simplify(claim.document()), **facts}
    return {**facts, "changes": changes, "confusion": confusion, "learning": learning, "idle": idle}


def _list_strata_facts(material: Material) -> dict[str, Any]:
    """List the results by stratum, how strata differ, and how methods differ within them."""
    spec, rows, items = material.spec, material.rows, material.items
    return {
        "strata": [
            {"column": name_stratum(spec, stratum.metric), **simplify(stratum)} for stratum in list_strata(rows, items)
        ],
        "strata_differences": [
            {"column": name_stratum(spec, pair.metric), **simplify(pair)} for pair in list_differences(rows, items)
        ],
        "methods_within": [
            {"column": name_stratum(spec, pair.metric), **_name_value(simplify(pair))}
            for pair in compare_methods_within(rows, items)
        ],
    }


def _name_value(fact: dict[str, Any]) -> dict[str, Any]:
    """Name the value of a stratum instead of a cell."""
    return {WHERE: fact.pop("cell")[WHERE], **fact}
