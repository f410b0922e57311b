"""Stages in which a model answers questions: what they are, and what they use at least and at most."""

from collections.abc import Mapping
from typing import Any

from sweeps.cost import Rates, Usage
from sweeps.evaluation.scoring import bounds
from sweeps.planning import recipe_parts
from sweeps.planning.plan_data import PlanData
from sweeps.planning.recipe_parts import RecipePart
from sweeps.planning.stage_requests import EvaluationRequest
from sweeps.records import Records
from sweeps.rendering.prompts import list_choices
from sweeps.spec.evaluation_section import is_checker


def plan_answers(
    shelf: PlanData, rates: Rates, asked: EvaluationRequest, records: Records, options: Mapping[str, Any]
) -> tuple[RecipePart, Usage, Usage]:
    """The part of the recipe that says what is asked; usage at least and at most."""
    name = asked.evaluation.name
    shelf.look_ahead(records, asked.model, name, options, asked.on)
    if options["check"] == "choice":
        usage = rates.passed(shelf.tokens(list_choices(records)[0], asked.model))
        return recipe_parts.describe_answers(name, (("check", "choice"),), records.sha256), usage, usage
    prompts = shelf.prompts_of(records, asked.model, name, options)
    low, high = bounds(prompts, options.get("samples", 1), options["most"])
    code = (("code", shelf.check(options["check"])),) if is_checker(options["check"]) else ()
    return recipe_parts.describe_answers(name, (*options.items(), *code), records.sha256), low, high
