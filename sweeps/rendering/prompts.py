"""Questions: what of a record the model reads, and what it is asked under which condition.

A prompt is the passages, a line for each, and then the question as it stands in the record; nothing is put between
them, so that what ends the question (a colon, a space) is whatever the data has. The gold passage stands among the
distractors at a place that a hash of the question says. By a renderer of chats the prompt is the user's message, and
the answer the assistant's; by `plain` both are text as they are.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

from sweeps.records import Records, Row
from sweeps.rendering.perturbations import perturb_text
from sweeps.rendering.renderers import Renderer
from sweeps.rendering.tokenizer import Messages

Context = Literal["none", "gold", "mix"]
CONTEXT: Context = "gold"  # where a data set names none
READ: Mapping[str, tuple[str, ...]] = {"none": (), "gold": ("context",), "mix": ("context", "distractors")}
LINE = "\n"
PROMPT_KEYS = ("context", "columns", "renderer")  # parts of a path of a spec that change what a model reads


class PromptItem(NamedTuple):
    """One prompt: about which item, under which condition, and what is right there."""

    item: int
    under: str
    prompt: str
    answers: tuple[str, ...]
    context: str = ""  # the passage by which an answer is to be held, where it is the only one
    cluster: str | None = None  # of the questions about the same passage
    passages: tuple[str, ...] = ()  # all that the prompt has, in their order


def select_learnt(records: Records, context: str) -> Records:
    """Select of questions what is trained on: the passages that are read, the question and the answer."""
    rows = ({**_keep_keys(row, ("question", *READ[context])), "answers": row["answers"][:1]} for row in records.rows)
    return replace(records, rows=tuple(rows))


def select_read(records: Records, context: str) -> Records:
    """Select of questions what is read, and all that an answer is checked by."""
    keys = ("question", *READ[context], "answers", "candidates", "variants")
    return replace(records, rows=tuple(_keep_keys(row, keys) for row in records.rows))


def build_prompt(row: Row) -> str:
    """Build the text before the answer: all passages that the record has, and its question."""
    return join_prompt(row["question"], list_passages(row))


def list_passages(row: Row) -> tuple[str, ...]:
    """List the passages of the prompt of a record, in their order."""
    return order_passages(row["question"], row.get("context"), row.get("distractors", ()))


def order_passages(question: str, gold: str | None, distractors: Sequence[str]) -> tuple[str, ...]:
    """Put the gold passage among the distractors, at a place that the question says."""
    passages = list(distractors)
    if gold is not None:
        place = int.from_bytes(hashlib.sha256(question.encode()).digest()[:4], "little")
        passages.insert(place % (len(passages) + 1), gold)
    return tuple(passages)


def join_prompt(question: str, passages: Sequence[str]) -> str:
    return LINE.join([*passages, question])


def render_prompt(prompt: str, renderer: Renderer) -> str | Messages:
    """Return a prompt as the renderer takes it: text for `plain`, a message of the user for all others."""
    return prompt if renderer.is_plain else [{"role": "user", "content": prompt}]


def build_chat_row(row: Row) -> Row:
    """Build a chat from a question and its first answer."""
    answer = {"role": "assistant", "content": row["answers"][0]}
    return {"messages": [{"role": "user", "content": build_prompt(row)}, answer]}


def read_question(row: Row, form: str) -> Row:
    """Read a prompt with its completion as a question with its answer."""
    return row if form == "questions" else {"question": row["prompt"], "answers": [row["completion"]]}


def list_choices(records: Records) -> tuple[Records, list[int]]:
    """Every candidate behind its prompt, as records to be read; and how many each item has."""
    pairs = [
        {"question": build_prompt(row), "answers": [candidate]}
        for row in records.rows
        for candidate in row["candidates"]
    ]
    return Records("questions", tuple(pairs)), [len(row["candidates"]) for row in records.rows]


def _keep_keys(row: Row, keys: Sequence[str]) -> dict[str, Any]:
    return {key: row[key] for key in keys if key in row}


def list_variants(row: Row, perturb: Sequence[str]) -> list[str]:
    """Other words for a question: its own, and those that are made of it."""
    return [*row.get("variants", ()), *perturb_text(row["question"], perturb)]


def find_prompt_axes(paths: Iterable[str]) -> list[str]:
    """Find the varied paths of a spec by which conditions are asked with other prompts."""
    return [path for path in paths if not {*path.split(".")}.isdisjoint(PROMPT_KEYS)]
