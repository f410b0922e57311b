"""Plan the stages in which a model answers questions: what is asked, and how much it uses at least and at most."""

from collections.abc import Mapping
from typing import Any

from sweeps.cost import Usage
from sweeps.evaluation.answer_evaluator import AnswerEvaluator, bound_usage
from sweeps.evaluation.evaluator_options import is_user_check
from sweeps.planning import recipe_parts
from sweeps.planning.plan_data import PlanData
from sweeps.planning.recipe_parts import RecipePart
from sweeps.planning.stage_requests import EvaluationRequest
from sweeps.records import Records


def plan_answers(
    data: PlanData, asked: EvaluationRequest, records: Records, evaluator: AnswerEvaluator, options: Mapping[str, Any]
) -> tuple[RecipePart, Usage, Usage]:
    """Plan an evaluation by prompts: its part of the recipe, and its usage at least and at most."""
    prompts = data.prompts_of(records, asked.model, evaluator, options)
    low, high = bound_usage(prompts, options.get("samples", 1), options["most"])
    code = (("code", data.check(options["check"])),) if is_user_check(options["check"]) else ()
    identity = (*evaluator.identify(options).items(), *code)
    return recipe_parts.describe_evaluator(evaluator.name, evaluator.version, identity, records.sha256), low, high
