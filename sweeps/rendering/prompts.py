"""Questions: what of a record the model reads, and what it is asked under which condition.

A prompt is the passages, a line for each, and then the question as it stands in the record; nothing is put between
them, so that what ends the question (a colon, a space) is whatever the data has. The gold passage stands among the
distractors at a place that a hash of the question says. By a renderer of chats the prompt is the user's message, and
the answer the assistant's; by `plain` both are text as they are.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from sweeps.evaluation.item_rows import cluster_by_passage
from sweeps.records import Records, Row
from sweeps.rendering.perturbations import perturb_text
from sweeps.rendering.renderers import PLAIN
from sweeps.rendering.tokenizer import Messages

Context = Literal["none", "gold", "mix"]
CONTEXT: Context = "gold"  # where a data set names none
READ: Mapping[str, tuple[str, ...]] = {"none": (), "gold": ("context",), "mix": ("context", "distractors")}
ASKED = ("answers", "reliability", "rag")  # evaluations in which the model writes an answer
LINE = "\n"


class PromptItem(NamedTuple):
    """One prompt: about which item, under which condition, and what is right there."""

    item: int
    under: str
    prompt: str
    answers: tuple[str, ...]
    context: str = ""  # the passage by which an answer is to be held, where it is the only one
    cluster: str | None = None  # of the questions about the same passage


def select_learnt(records: Records, context: str) -> Records:
    """Of questions what is trained on: what is read, and the answer."""
    rows = ({**_kept(row, ("question", *READ[context])), "answers": row["answers"][:1]} for row in records.rows)
    return replace(records, rows=tuple(rows))


def select_read(records: Records, context: str) -> Records:
    """Of questions what is read, and all that an answer is checked by."""
    keys = ("question", *READ[context], "answers", "candidates", "variants")
    return replace(records, rows=tuple(_kept(row, keys) for row in records.rows))


def build_prompt(row: Row) -> str:
    """What stands before the answer: all passages that the record has, and its question."""
    return join_prompt(row["question"], row.get("context"), row.get("distractors", ()))


def join_prompt(question: str, gold: str | None, distractors: Sequence[str]) -> str:
    passages = list(distractors)
    if gold is not None:
        place = int.from_bytes(hashlib.sha256(question.encode()).digest()[:4], "little")
        passages.insert(place % (len(passages) + 1), gold)
    return LINE.join([*passages, question])


def render_prompt(prompt: str, renderer: str) -> str | Messages:
    """A prompt as the renderer is to write it."""
    return prompt if renderer == PLAIN else [{"role": "user", "content": prompt}]


def build_chat_row(row: Row) -> Row:
    """A question and its first answer as a chat."""
    answer = {"role": "assistant", "content": row["answers"][0]}
    return {"messages": [{"role": "user", "content": build_prompt(row)}, answer]}


def build_prompts(
    name: str, records: Records, *, abstain: str = "", perturb: Sequence[str] = ()
) -> tuple[PromptItem, ...]:
    """All that the model is asked in an evaluation, item by item; `perturb` names perturbations."""
    rows = [read_question(row, records.format) for row in records.rows]
    match name:
        case "answers":
            asks = _once(rows)
        case "reliability":
            asks = _in_other_words(rows, perturb)
        case "rag":
            rows = [row for row in rows if "context" in row]
            asks = _under_conditions(rows, abstain)
        case _:
            raise ValueError(f"nothing is asked in {name!r}")
    clusters = cluster_by_passage([row.get("context") for row in rows])
    return tuple(ask._replace(cluster=clusters[ask.item]) for ask in asks)


def read_question(row: Row, form: str) -> Row:
    """A prompt with its completion is a question with its answer."""
    return row if form == "questions" else {"question": row["prompt"], "answers": [row["completion"]]}


def list_choices(records: Records) -> tuple[Records, list[int]]:
    """Every candidate behind its prompt, as records to be read; and how many each item has."""
    pairs = [
        {"question": build_prompt(row), "answers": [candidate]}
        for row in records.rows
        for candidate in row["candidates"]
    ]
    return Records("questions", tuple(pairs)), [len(row["candidates"]) for row in records.rows]


def _kept(row: Row, keys: Sequence[str]) -> dict[str, Any]:
    return {key: row[key] for key in keys if key in row}


def _once(rows: Sequence[Row]) -> Iterator[PromptItem]:
    return (PromptItem(item, "", build_prompt(row), tuple(row["answers"])) for item, row in enumerate(rows))


def _in_other_words(rows: Sequence[Row], perturb: Sequence[str]) -> Iterator[PromptItem]:
    """Every question that has other words for it, in all of them."""
    for item, row in enumerate(rows):
        words = list_variants(row, perturb)
        for number, each in enumerate([row["question"], *words] if words else ()):
            yield PromptItem(item, str(number), build_prompt({**row, "question": each}), tuple(row["answers"]))


def list_variants(row: Row, perturb: Sequence[str]) -> list[str]:
    """Other words for a question: its own, and those that are made of it."""
    return [*row.get("variants", ()), *perturb_text(row["question"], perturb)]


def _under_conditions(rows: Sequence[Row], abstain: str) -> Iterator[PromptItem]:
    """Every question that has a context; each condition as far as the record has what it takes.

    The passage of another question cannot answer this one: then it is right to abstain. And where the answer stands in
    its passage, another one is put there, which is right as far as the passage goes.
    """
    for item, row in enumerate(rows):
        words, gold, others = row["question"], row["context"], row.get("distractors", ())
        right, other = tuple(row["answers"]), _another(rows, item)
        yield PromptItem(item, "closed", words, right)
        yield PromptItem(item, "open", join_prompt(words, gold, ()), right, gold)
        if others:
            yield PromptItem(item, "distracted", join_prompt(words, None, others), right)
            yield PromptItem(item, "mixed", join_prompt(words, gold, others), right)
        if other is not None:
            yield PromptItem(item, "unanswerable", join_prompt(words, other["context"], ()), (abstain,))
            fake = other["answers"][0]
            if (planted := _planted(gold, right[0], fake)) != gold:
                yield PromptItem(item, "counterfactual", join_prompt(words, planted, ()), (fake,))


def _planted(passage: str, answer: str, fake: str) -> str:
    """The passage with another answer in place of its own: of a word or a number only where it is all of one."""
    first, last = (r"(?<!\w)(?<!\d[.,])" if answer[:1].isalnum() else ""), (r"(?!\w)" if answer[-1:].isalnum() else "")
    return re.sub(f"{first}{re.escape(answer)}{last}", lambda _: fake, passage) if answer.strip() else passage


def _another(rows: Sequence[Row], item: int) -> Row | None:
    """The next question that has another answer."""
    mine = {*rows[item]["answers"]}
    following = (rows[(item + step) % len(rows)] for step in range(1, len(rows)))
    return next((row for row in following if not mine & {*row["answers"]}), None)
