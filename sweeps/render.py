"""Records to tokens and loss weights: what the model reads, and what it is asked to predict.

A record becomes segments, each wholly with or wholly without loss. Segments are tokenised one by one and then
joined, so that no token straddles a border and the mask is exact. The price is that a tokenizer cannot merge
across a border (between a prompt and its completion, say): just so do a prompt and a sampled answer meet.

`plain`, the one renderer yet, reads

    text        bos, the text. No eos: a record may be a slice of a longer text.
    completion  bos, the prompt; then the completion and eos, which bear loss.
    chat        bos; then `User: …` and two line breaks, `Assistant: …` and eos (two line breaks where the
                tokenizer has no eos), and so on. The content of every assistant turn and its end bear loss.
    transcript  bos, then its parts as they are; those marked bear loss. No eos: an action ends as its part does.
    preference  two completions of one prompt, each as above: the chosen one, then the rejected one.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from sweeps.errors import DataError
from sweeps.records import Format, Records, Row
from sweeps.tokens import OfflineTokenizer, Tokenizer

LossMask = Literal["all", "completion"]
RENDERERS = ("plain",)
SIDES = ("chosen", "rejected")  # of a preference pair, in this order
ROLES = {"system": "System", "developer": "Developer", "user": "User", "assistant": "Assistant"}


@dataclass(frozen=True, eq=False)
class Example:
    """One rendered record: the model reads `tokens[:-1]` and is asked for `tokens[1:]`."""

    tokens: npt.NDArray[np.int32]  # (n + 1,)
    weights: npt.NDArray[np.float32]  # (n,), 1 where the target tokens[i + 1] bears loss, else 0
    text_bytes: int  # UTF-8 bytes of the text that bears loss: the denominator of bits per byte

    def __len__(self) -> int:
        """Tokens that the model reads, and that are billed."""
        return len(self.weights)


class Segment(NamedTuple):
    """A piece of the rendered text. `ends` puts an eos behind it, which bears loss as the piece does."""

    text: str
    loss: bool
    ends: bool = False


def render_all(
    records: Records, tokenizer: Tokenizer, *, renderer: str = "plain", loss_mask: LossMask
) -> list[Example]:
    """Every record in order; one that cannot be rendered exactly is a DataError that names its row.

    A preference pair is two examples, the chosen completion and then the rejected one.
    """
    examples = []
    for number, row in enumerate(records.rows, start=1):
        with _naming(number, row):
            for side, form in _sides(row, records.format):
                examples.append(render(side, form, tokenizer, renderer=renderer, loss_mask=loss_mask))
    return examples


def render(record: Row, form: Format, tokenizer: Tokenizer, *, renderer: str = "plain", loss_mask: LossMask) -> Example:
    """One record; `loss_mask` is "all" (everything after the first token) or "completion" (the answers)."""
    if form == "text" and loss_mask == "completion":
        raise DataError('loss_mask "completion" on plain text, which has none; use "all"')
    tokens = _begin(tokenizer)
    weights = [0.0] * len(tokens)
    scored = bytearray()
    for segment in _segments(record, form, renderer, tokenizer):
        piece = _encode(segment, tokenizer)
        loss = segment.loss or loss_mask == "all"
        scored += segment.text.encode() if loss else b""
        tokens += piece
        weights += [float(loss)] * len(piece)
    if not any(weights[1:]):
        raise DataError("nothing in it bears loss; it needs text to predict, in a chat an assistant turn")
    context = len(tokenizer.decode(tokens[:1]).encode()) if weights[0] else 0  # without bos a token goes unpredicted
    return Example(np.array(tokens, np.int32), np.array(weights[1:], np.float32), len(scored) - context)


def lengths(records: Records, tokenizer: Tokenizer, renderer: str = "plain") -> npt.NDArray[np.int64]:
    """The length in tokens of each record's model input, whatever its loss mask: len(render(...)).

    Of a preference pair that of both inputs together.
    """
    counts = np.empty(len(records), np.int64)
    begin = len(_begin(tokenizer)) - 1
    for index, row in enumerate(records.rows):
        with _naming(index + 1, row):
            sides = [_segments(side, form, renderer, tokenizer) for side, form in _sides(row, records.format)]
            counts[index] = sum(begin + sum(_token_count(segment, tokenizer) for segment in side) for side in sides)
    return counts


def sides(records: Records) -> Records:
    """The inputs that are made of the records, as records: a preference pair is two completions."""
    if records.format != "preference":
        return records
    return Records("completion", tuple(side for row in records.rows for side, _ in _sides(row, "preference")))


def _sides(record: Row, form: Format) -> Sequence[tuple[Row, Format]]:
    """What is rendered of a record: itself, or the two completions of a pair."""
    if form != "preference":
        return ((record, form),)
    for key in ("prompt", "chosen", "rejected"):
        if not isinstance(record[key], str):
            kind = type(record[key]).__name__
            raise DataError(f"a {key} that is a {kind}: `plain` renders pairs of text only; write it as one string")
    return tuple(({"prompt": record["prompt"], "completion": record[side]}, "completion") for side in SIDES)


def _begin(tokenizer: Tokenizer) -> list[int]:
    return [] if tokenizer.bos is None else [tokenizer.bos]


def _encode(segment: Segment, tokenizer: Tokenizer) -> list[int]:
    end = [tokenizer.eos] if segment.ends and tokenizer.eos is not None else []
    return [*tokenizer.encode(segment.text), *end]


def _token_count(segment: Segment, tokenizer: Tokenizer) -> int:
    if isinstance(tokenizer, OfflineTokenizer):  # one token a character: the length is known without the tokens
        return len(segment.text) + segment.ends
    return len(_encode(segment, tokenizer))


def _segments(record: Row, form: Format, renderer: str, tokenizer: Tokenizer) -> Sequence[Segment]:
    if renderer not in RENDERERS:
        raise DataError(f"renderer {renderer!r} is not known; known: {', '.join(RENDERERS)}")
    match form:
        case "text":
            return (Segment(record["text"], loss=True),)
        case "completion":
            return (
                Segment(record["prompt"], loss=False),
                Segment(record["completion"], loss=True, ends=True),
            )
        case "chat":
            return list(_chat(record, tokenizer))
        case "transcript":
            return [Segment(part["text"], loss=part["loss"]) for part in record["parts"]]
        case "preference":
            raise DataError("a preference pair is two examples; `render_all` renders both")


def _chat(record: Row, tokenizer: Tokenizer) -> Iterator[Segment]:
    if record.get("tools"):
        raise DataError("tools beside the messages: `plain` cannot render them; leave them out or use text")
    for message in record["messages"]:
        _refuse_what_is_not_text(message)
        answer = message["role"] == "assistant"
        ends = answer and tokenizer.eos is not None
        yield Segment(f"{ROLES[message['role']]}: ", loss=False)
        yield Segment(message["content"] + ("" if ends else "\n\n"), loss=answer, ends=ends)


def _refuse_what_is_not_text(message: Mapping[str, Any]) -> None:
    extra = sorted(key for key in message.keys() - {"role", "content"} if message[key] is not None)
    if extra:
        raise DataError(f"a message with {', '.join(extra)}: `plain` renders role and content, nothing else, exactly")
    if not isinstance(message["content"], str):
        kind = type(message["content"]).__name__
        raise DataError(f"a message whose content is a {kind}: `plain` renders text only; write it as one string")
    if message["role"] not in ROLES:
        raise DataError(f"a message of role {message['role']!r}: `plain` knows {', '.join(ROLES)}")


@contextmanager
def _naming(number: int, row: Row) -> Iterator[None]:
    try:
        yield
    except DataError as error:  # rows were moved since they stood in a file: the beginning helps to find them
        raise DataError(f"row {number}, {json.dumps(row, ensure_ascii=False)[:72]}…: {error}") from None
