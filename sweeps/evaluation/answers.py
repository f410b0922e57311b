"""The evaluator `answers`: is what the model writes right, how sure is it, and does it say the same again?

An answer's confidence is the probability of all its tokens; of several samples it is the share of the commonest answer,
and that answer is the one that is right or wrong.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from sweeps.evaluation.answer_evaluator import (
    RIGHT,
    AnswerEvaluator,
    ItemScore,
    ScoredAnswers,
    audit_metrics,
)
from sweeps.evaluation.choice import CHANCE, CHANCE_MRR, CHANCE_NDCG, CHOICE
from sweeps.evaluation.classes import CLASS_METRICS
from sweeps.evaluation.confidence import CALIBRATION_METRICS, calibrate, state_confidence
from sweeps.evaluation.evaluator import FROM_ZERO, Evaluator, Measured, Metric, Option, Options
from sweeps.evaluation.evaluator_options import check_answer_check, check_count, check_temperature
from sweeps.evaluation.item_rows import ItemRow
from sweeps.evaluation.majority import MAJORITY, add_majority
from sweeps.metrics import consistency, matching
from sweeps.records import Row
from sweeps.rendering.prompts import PromptItem, build_prompt, list_passages
from sweeps.spec.scalars import Finding

SAMPLED = ("agreement", "pairwise_agreement", "semantic_entropy", "pass_at_k", "pass_hat_k")  # of several samples
RANKED = ("mrr", "ndcg", CHANCE, CHANCE_MRR, CHANCE_NDCG)  # of candidates
CLASSIFIED = tuple(metric.name for metric in CLASS_METRICS)  # of candidates that are classes


class Answers(AnswerEvaluator):
    """Each question once, answered by one sample or several."""

    name = "answers"
    metrics = (
        Metric("accuracy", "higher", law=True, guessed=CHANCE),
        *CALIBRATION_METRICS,
        Metric("agreement", "higher"),
        Metric("pairwise_agreement", "higher", detail=True),
        Metric("semantic_entropy", "lower", FROM_ZERO, detail=True),
        Metric("pass_at_k", "higher", law=True),
        Metric("pass_hat_k", "higher", law=True),
        *(metric for metric in CHOICE.metrics if metric.name in (*RANKED, MAJORITY, *CLASSIFIED)),
        *audit_metrics("answers"),
    )
    options: ClassVar[Mapping[str, Option]] = {
        "check": Option(check_answer_check("choice"), "exact"),
        "samples": Option(check_count, 1),
        "temperature": Option(check_temperature, 0.0),
        "most": Option(check_count, 32),
    }
    formats = ("questions", "completion")
    data = "questions or prompt/completion"
    may_skip = True

    def vary(self, options: Options) -> Evaluator:
        return CHOICE if options.get("check") == "choice" else self

    def find_errors(self, options: Options) -> Iterator[Finding]:
        several = isinstance(options.get("samples"), int) and options["samples"] > 1
        if several and options.get("temperature") in (0, 0.0):
            yield ("temperature",), "0 found, so all samples are the same; use a temperature above 0"

    def complete(self, options: Options) -> dict[str, Any]:
        """Several samples differ, so they have a temperature above 0 by default."""
        completed = super().complete(options)
        if completed["samples"] > 1 and "temperature" not in options:
            completed["temperature"] = 1.0
        return completed

    def list_metrics(self, options: Options) -> tuple[str, ...]:
        measured = SAMPLED if options.get("samples", 1) > 1 else ()
        known = super().list_metrics(options)
        return tuple(name for name in known if name in measured or name not in (*SAMPLED, *RANKED, *CLASSIFIED))

    def ask(self, rows: Sequence[Row], options: Options) -> Iterator[PromptItem]:
        return (
            PromptItem(item, "", build_prompt(row), tuple(row["answers"]), passages=list_passages(row))
            for item, row in enumerate(rows)
        )

    def measure(self, answered: Sequence[ScoredAnswers], options: Options) -> Measured:
        right = {prompt.ask.item: prompt.ask.answers for prompt in answered}
        rows = add_majority(super().measure(answered, options).rows, right, str(options.get("check", "exact")))
        return Measured(self.summarize(rows), rows)

    def aggregate(self, rows: Sequence[ItemRow]) -> dict[str, float]:
        return calibrate(rows)

    def score_item(self, prompts: Sequence[ScoredAnswers], options: Options) -> ItemScore:
        (only,) = prompts
        if len(only.answers) > 1:
            return _score_samples(only, str(options.get("check", "exact")))
        (answer,) = only.answers
        confident = state_confidence(answer.probability, float(only.score >= RIGHT))
        return ItemScore({"accuracy": only.score, **confident}, {"said": answer.text})


def _score_samples(only: ScoredAnswers, check: str) -> ItemScore:
    """Answers are the same if the check holds them for the same."""
    count, right = len(only.answers), sum(score >= RIGHT for score in only.scores)
    meanings = [matching.read_meaning(text, check) for text in only.texts]
    commonest = max(meanings, key=meanings.count)
    values = {
        "accuracy": only.score,
        **state_confidence(meanings.count(commonest) / count, float(only.scores[meanings.index(commonest)] >= RIGHT)),
        "agreement": consistency.agreement(meanings),
        "semantic_entropy": consistency.semantic_entropy(meanings),
        "pass_at_k": consistency.pass_at_k(count, right, count),
        "pass_hat_k": consistency.pass_all_k(count, right, count),
    }
    pairwise = consistency.pairwise_agreement(meanings)
    values |= {} if pairwise is None else {"pairwise_agreement": pairwise}
    return ItemScore(values, {"said": [*only.texts], "scores": [*only.scores]})


EVALUATOR = ANSWERS = Answers()
