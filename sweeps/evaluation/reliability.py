"""The evaluator `reliability`: does the model answer the same question alike when it is put in other words?"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from sweeps.evaluation.answer_evaluator import AnswerEvaluator, ItemScore, ScoredAnswers, audit_metrics
from sweeps.evaluation.evaluator import Metric, Option, Options
from sweeps.evaluation.evaluator_options import check_answer_check, check_count, check_perturbations
from sweeps.metrics import consistency
from sweeps.records import Records, Row
from sweeps.rendering.perturbations import CHANGES
from sweeps.rendering.prompts import PromptItem, build_prompt, list_passages, list_variants


class AnswerReliability(AnswerEvaluator):
    """Every question that has variants, in all of them: its own, and those that rules make of it."""

    name = "reliability"
    metrics = (
        Metric("mean_accuracy", "higher", law=True),
        Metric("worst_accuracy", "higher", law=True),
        Metric("spread", "lower"),
        Metric("flip_rate", "lower"),
        *audit_metrics("reliability"),
    )
    options: ClassVar[Mapping[str, Option]] = {
        "check": Option(check_answer_check(), "exact"),
        "most": Option(check_count, 32),
        "perturb": Option(check_perturbations),
    }

    def complete(self, options: Options) -> dict[str, Any]:
        """The order in which the spec names perturbations is no part of a stage's identity."""
        completed = super().complete(options)
        if "perturb" in completed:
            completed["perturb"] = tuple(name for name in CHANGES if name in completed["perturb"])
        return completed

    def find_missing(self, records: Records, options: Options) -> str:
        if missing := super().find_missing(records, options):
            return missing
        has_variants = any(list_variants(row, options.get("perturb", ())) for row in records.rows)
        return "" if has_variants else "variants, other words for a question"

    def ask(self, rows: Sequence[Row], options: Options) -> Iterator[PromptItem]:
        for item, row in enumerate(rows):
            variants = list_variants(row, options.get("perturb", ()))
            for number, words in enumerate([row["question"], *variants] if variants else ()):
                asked = {**row, "question": words}
                right, passages = tuple(row["answers"]), list_passages(asked)
                yield PromptItem(item, str(number), build_prompt(asked), right, passages=passages)

    def score_item(self, prompts: Sequence[ScoredAnswers], options: Options) -> ItemScore:
        robustness = consistency.robustness([[variant.score for variant in prompts]])
        values = {
            "mean_accuracy": robustness.mean,
            "worst_accuracy": robustness.worst,
            "spread": robustness.spread,
            "flip_rate": robustness.flip_rate,
        }
        return ItemScore(values, {"said": [variant.texts[0] for variant in prompts]})


EVALUATOR = RELIABILITY = AnswerReliability()
