"""The evaluator `rag`: does the model use the passages that it reads, and does it abstain where they do not answer?"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from sweeps.evaluation.answer_evaluator import AnswerEvaluator, ItemScore, ScoredAnswers, audit_metrics
from sweeps.evaluation.evaluator import FROM_ZERO, Metric, Option, Options, Values
from sweeps.evaluation.evaluator_options import check_answer_check, check_count, check_text
from sweeps.evaluation.item_rows import ItemRow
from sweeps.metrics import matching, rag_scores
from sweeps.records import Records, Row
from sweeps.rendering.prompts import PromptItem, join_prompt, order_passages

CONDITIONS = {  # each metric that is the score under one condition, and that condition
    "open_book": "open",
    "closed_book": "closed",
    "distracted": "distracted",
    "mixed": "mixed",
    "abstention": "unanswerable",
    "faithfulness": "counterfactual",
}
MIXED_GUESS = "mixed_guess"  # what answering from any one of the passages of `mixed` scores
NEEDS_DISTRACTORS = "distracted, mixed, distractor_robustness, false_answers, harmful_context"
UPLIFT = "uplift"  # what context is worth: open less closed book
UP_TO_ONE = (-FROM_ZERO[1], 1.0)


def read_utilisation(values: Values) -> tuple[float, float] | None:
    """Read what an item adds to the gain, and to the possible gain."""
    if "open_book" not in values or "closed_book" not in values:
        return None
    return values["open_book"] - values["closed_book"], 1 - values["closed_book"]


def read_robustness(values: Values) -> tuple[float, float] | None:
    """Read the score among distractors, and without them."""
    return (values["mixed"], values["open_book"]) if "mixed" in values and "open_book" in values else None


def read_abstention(values: Values) -> tuple[float, float] | None:
    """Read how often it abstained rightly about an item, and how often in all."""
    if "silent" not in values:
        return None
    rightly = values.get("abstention", 0.0)
    return rightly, rightly + values["silent"]


class Rag(AnswerEvaluator):
    """Each question that has a passage under up to six conditions; a condition is left out if its record lacks it."""

    name = "rag"
    version = AnswerEvaluator.version + 1  # of `mixed_guess`
    metrics = (
        *(Metric(name, "higher", law=True) for name in ("open_book", "closed_book", "distracted")),
        Metric("mixed", "higher", law=True, guessed=MIXED_GUESS),
        Metric(MIXED_GUESS, fixed=True, detail=True),
        Metric(UPLIFT, "higher", (-1.0, 1.0)),
        Metric("utilisation", "higher", UP_TO_ONE, read=read_utilisation, detail=True),
        Metric("distractor_robustness", "higher", FROM_ZERO, read=read_robustness, detail=True),
        Metric("harmful_context", "lower", conditional=True),
        Metric("abstention", "higher", law=True),
        Metric("abstention_precision", "higher", read=read_abstention),
        Metric("false_answers", "lower"),
        Metric("faithfulness", "higher", law=True, conditional=True),
        Metric("token_support", "higher", conditional=True, detail=True),
        *audit_metrics("rag"),
    )
    options: ClassVar[Mapping[str, Option]] = {
        "check": Option(check_answer_check(), "exact"),
        "most": Option(check_count, 32),
        "abstain": Option(check_text, "unknown"),
    }
    reads_whole_context = True

    def find_missing(self, records: Records, options: Options) -> str:
        if missing := super().find_missing(records, options):
            return missing
        return "" if any("context" in row for row in records.rows) else "a context that they can be answered by"

    def describe_items(self, rows: Sequence[Row], options: Options, where: str) -> Iterator[str]:
        read = self.select(rows)
        if read and not any(row.get("distractors") for row in read):
            yield f"no question has distractors, so these are not measured: {NEEDS_DISTRACTORS}"
        held = sum(row["answers"][0] in row["context"] for row in read)
        if held < len(read):
            without = f"{len(read) - held:,} of {len(read):,} passages do not hold the answer"
            yield f"{without}; faithfulness is of the others"

    def select(self, rows: Sequence[Row]) -> Sequence[Row]:
        return [row for row in rows if "context" in row]

    def ask(self, rows: Sequence[Row], options: Options) -> Iterator[PromptItem]:
        """The passage of another question cannot answer this one, so there it is right to abstain.

        If a passage holds the answer, another answer is put in its place: that one is right as far as the passage goes.
        """
        for item, row in enumerate(rows):
            words, gold, distractors = row["question"], row["context"], row.get("distractors", ())
            right, other = tuple(row["answers"]), _find_other(rows, item)
            read = {"closed": (), "open": (gold,)}
            if distractors:
                read |= {"distracted": tuple(distractors), "mixed": order_passages(words, gold, distractors)}
            asked = {under: (passages, right) for under, passages in read.items()}
            if other is not None:
                asked["unanswerable"] = (other["context"],), (str(options["abstain"]),)
                fake = other["answers"][0]
                if (planted := _plant(gold, right[0], fake)) != gold:
                    asked["counterfactual"] = (planted,), (fake,)
            for under, (passages, answers) in asked.items():
                prompt = join_prompt(words, passages)
                held_by = gold if under == "open" else ""
                yield PromptItem(item, under, prompt, answers, held_by, passages=passages)

    def score_item(self, prompts: Sequence[ScoredAnswers], options: Options) -> ItemScore:
        under, abstain = {prompt.ask.under: prompt for prompt in prompts}, str(options["abstain"])
        scores = {metric: under[name].score for metric, name in CONDITIONS.items() if name in under}
        opened = under["open"]
        supported = rag_scores.token_support(opened.texts[0], opened.ask.context)
        values = {
            **scores,
            UPLIFT: scores["open_book"] - scores["closed_book"],
            "silent": matching.exact_match(opened.texts[0], abstain),
            **({} if supported is None else {"token_support": supported}),
            **dict(_score_distracted(scores, under.get("distracted"), abstain)),
            **({MIXED_GUESS: _guess_mixed(under["mixed"].ask, opened.ask.context)} if "mixed" in under else {}),
        }
        return ItemScore(values, {"said": {name: prompt.texts[0] for name, prompt in under.items()}})

    def aggregate(self, rows: Sequence[ItemRow]) -> dict[str, float]:
        return _ratios([row.values for row in rows if "open_book" in row.values])


def _guess_mixed(ask: PromptItem, gold: str) -> float:
    """Compute what answering from any one of the passages scores: the gold one is right, and others that hold it."""
    right = [passage == gold or any(answer in passage for answer in ask.answers) for passage in ask.passages]
    return sum(right) / len(right) if right else 0.0


def _score_distracted(scores: Values, distracted: ScoredAnswers | None, abstain: str) -> Iterator[tuple[str, float]]:
    """Is the answer wrong and given nevertheless? Was it right without the passages?"""
    if distracted is None:
        return
    silent = matching.exact_match(distracted.texts[0], abstain)
    yield "false_answers", float(distracted.score < 1 and not silent)
    if scores["closed_book"] == 1:
        yield "harmful_context", float(distracted.score < 1)


def _ratios(items: Sequence[Values]) -> dict[str, float]:
    """Compute the ratios of means, where there is something to divide by."""
    if not items:
        return {}
    mixed = [item for item in items if "mixed" in item]
    silent = [(item["silent"], 0.0) for item in items]
    silent += [(item["abstention"], 1.0) for item in items if "abstention" in item]
    ratios = {
        "utilisation": rag_scores.utilisation(_column(items, "closed_book"), _column(items, "open_book")),
        "distractor_robustness": rag_scores.distractor_robustness(_column(mixed, "open_book"), _column(mixed, "mixed"))
        if mixed
        else None,
        "abstention_precision": rag_scores.abstention(*zip(*silent, strict=True)).precision,
    }
    return {name: ratio for name, ratio in ratios.items() if ratio is not None}


def _column(items: Sequence[Values], name: str) -> list[float]:
    return [item[name] for item in items]


def _plant(passage: str, answer: str, fake: str) -> str:
    """Put another answer in place of the passage's own: of a word or a number only where it is all of one."""
    first, last = (r"(?<!\w)(?<!\d[.,])" if answer[:1].isalnum() else ""), (r"(?!\w)" if answer[-1:].isalnum() else "")
    return re.sub(f"{first}{re.escape(answer)}{last}", lambda _: fake, passage) if answer.strip() else passage


def _find_other(rows: Sequence[Row], item: int) -> Row | None:
    """Find the next question that has another answer."""
    mine = {*rows[item]["answers"]}
    following = (rows[(item + step) % len(rows)] for step in range(1, len(rows)))
    return next((row for row in following if not mine & {*row["answers"]}), None)


EVALUATOR = RAG = Rag()
