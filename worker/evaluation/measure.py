"""Measure a model: ask as the recipe's evaluator asks, have it sum up the answers, and keep each item's row."""

from collections.abc import Mapping
from typing import Any, cast

from sweeps.evaluation.answer_evaluator import AnswerEvaluator
from sweeps.evaluation.episode_evaluator import EpisodeEvaluator
from sweeps.evaluation.evaluator import Evaluator, Measured
from sweeps.evaluation.forward_evaluator import ForwardEvaluator
from sweeps.evaluation.item_rows import label_rows
from sweeps.evaluation.registry import find_evaluator
from worker.attempt import Attempt
from worker.evaluation.ask_questions import evaluate_answers
from worker.evaluation.episodes import evaluate_episodes
from worker.evaluation.forward import evaluate_forward
from worker.evaluation.result import keep_result
from worker.open_model import open_for_evaluation
from worker.outcome import Outcome, StageError, Stopped, Succeeded
from worker.sdk.session import Session, Trainer


def evaluate(this: Attempt, source: Session | Trainer) -> Outcome:
    """Measure a stage's items on the model that it names: a live one, or one opened from a checkpoint."""
    trainer = source if isinstance(source, Trainer) else open_for_evaluation(this, source)
    recipe = cast(Mapping[str, Any], this.recipe)
    options = recipe["evaluator"]
    renderer = this.context.examples.open_renderer(recipe)
    match find_evaluator(options["name"], options):
        case ForwardEvaluator() as evaluator:
            measured = evaluate_forward(this, trainer, evaluator, renderer)
        case AnswerEvaluator() as evaluator:
            measured = evaluate_answers(this, trainer, evaluator, renderer)
        case EpisodeEvaluator() as evaluator:
            measured = evaluate_episodes(this, trainer, evaluator, renderer)
        case _:
            known = "a ForwardEvaluator, AnswerEvaluator or EpisodeEvaluator"
            raise StageError(f"evaluator {options['name']}: expected {known}")
    if isinstance(measured, Stopped):
        return measured
    return Succeeded(keep_result(this, _label(this, evaluator, measured)), steps=0)


def _label(this: Attempt, evaluator: Evaluator, measured: Measured) -> Measured:
    """Give each row the group and the stratum of its record, if the data has some.

    The pairs of one training are read by that training alone, so they need none.
    """
    examples, sha256 = this.context.examples, str(this.recipe.get("items"))
    if "part" in this.recipe or not examples.are_labelled(sha256):
        return measured
    records = examples.read_records(sha256)
    rows = label_rows(measured.rows, evaluator.locate_items(records), records.groups, records.strata)
    return measured._replace(rows=rows)
