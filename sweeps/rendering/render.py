"""Turn records into tokens and loss weights: what the model reads, and what it is asked to predict.

A record becomes segments, each wholly with or wholly without loss. Segments are tokenised one by one and then joined,
so that no token crosses a border and the mask is exact. A tokenizer therefore cannot merge across a border, such as the
one between a prompt and its completion; a prompt and a sampled answer meet in the same way.

`plain` reads

    text        bos, the text. No eos: a record may be a slice of a longer text.
    completion  bos, the prompt; then the completion and eos, which bear loss.
    chat        bos; then `User: …` and two line breaks, `Assistant: …` and eos (two line breaks where the
                tokenizer has no eos), and so on. The content of every assistant turn and its end bear loss.
    transcript  bos, then its parts as they are; those marked bear loss. No eos: an action ends as its part does.
    questions   as a completion: the passages that are read, a line for each, and the question; then its first answer.
    preference  two completions of one prompt, each as above: the chosen one, then the rejected one. Where they are
                messages, two chats, of which what answers the prompt bears loss.

Nothing bears loss in a message with `weight: 0`. The other renderers are for messages: the model's own chat template
(`sweeps.rendering.chat_template`) and those of tinker-cookbook. They write a question as the user's message and its
answer as the assistant's. They leave text, and a prompt with its completion, as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from sweeps.errors import DataError, NotTaken
from sweeps.records import Format, Records, Row
from sweeps.rendering.chat_template import TemplateWriter
from sweeps.rendering.chats import ParsedChat, parse_chat, split_at_answers
from sweeps.rendering.completeness import refuse_incomplete
from sweeps.rendering.cookbook_chat import CookbookWriter
from sweeps.rendering.messages import build_conversation, is_pair_of_messages
from sweeps.rendering.plain_chat import Segment, render_plain_chat
from sweeps.rendering.prompts import build_chat_row, build_prompt
from sweeps.rendering.renderers import Renderer, load_renderer
from sweeps.rendering.row_errors import name_row_in_errors
from sweeps.rendering.tokenizer import OfflineTokenizer, Tokenizer, remove_controls
from sweeps.rendering.written_chat import ChatWriter, Stretch

LossMask = Literal["all", "completion", "each"]
SIDES = ("chosen", "rejected")  # of a preference pair, in this order
NOTHING = "expected text to train on, in a chat an answer of the assistant that is trained on, got none"


@dataclass(frozen=True, eq=False)
class Example:
    """One rendered record: the model reads `tokens[:-1]` and is asked for `tokens[1:]`."""

    tokens: npt.NDArray[np.int32]  # (n + 1,)
    weights: npt.NDArray[np.float32]  # (n,), 1 where the target tokens[i + 1] bears loss, else 0
    text_bytes: int  # UTF-8 bytes of the text that bears loss: the denominator of bits per byte

    def __len__(self) -> int:
        """Tokens that the model reads, and that are billed."""
        return len(self.weights)


def render_all(
    records: Records, tokenizer: Tokenizer, *, renderer: str = "plain", loss_mask: LossMask
) -> list[Example]:
    """Render every record, and list all examples in order."""
    return [
        example for row in render_rows(records, tokenizer, renderer=renderer, loss_mask=loss_mask) for example in row
    ]


def render_rows(
    records: Records, tokenizer: Tokenizer, *, renderer: str = "plain", loss_mask: LossMask
) -> list[tuple[Example, ...]]:
    """Render each record; one that cannot be rendered exactly is a DataError that names its row.

    A preference pair is two examples, the chosen completion and then the rejected one. By the mask "each" a chat is as
    many as there are answers in it that are learnt; else a record is one example.
    """
    rows = []
    for index, row in enumerate(records.rows):
        with name_row_in_errors(records, index):
            parts = _parts(row, records.format, loss_mask)
            rows.append(
                tuple(render(part, form, tokenizer, renderer=renderer, loss_mask=loss_mask) for part, form in parts)
            )
    return rows


def render(record: Row, form: Format, tokenizer: Tokenizer, *, renderer: str = "plain", loss_mask: LossMask) -> Example:
    """Render one record; with the `loss_mask` "all" everything after the first token bears loss, else the answers."""
    if form == "text" and loss_mask == "completion":
        raise DataError('expected loss_mask "all" for plain text, got "completion"')
    tokens: list[int] = []
    weights: list[float] = []
    scored = 0
    for stretch in _stretches(record, form, load_renderer(renderer, tokenizer)):
        loss = stretch.loss or loss_mask == "all"
        scored += len(stretch.text.encode()) if loss else 0
        tokens += stretch.tokens
        weights += [float(loss)] * len(stretch.tokens)
    if not any(weights[1:]):
        raise DataError(NOTHING)
    if weights[0]:  # the first token goes unpredicted; that of a text without bos is a part of the text
        scored -= len(remove_controls(tokenizer.decode(tokens[:1]), tokenizer).encode())
    return Example(np.array(tokens, np.int32), np.array(weights[1:], np.float32), scored)


def measure_inputs(
    records: Records, tokenizer: Tokenizer, renderer: str = "plain", *, loss_mask: LossMask = "completion"
) -> list[list[int]]:
    """Measure each input that is made of a record, in tokens: one, two for a pair, several for the mask "each"."""
    counts = []
    for index, row in enumerate(records.rows):
        with name_row_in_errors(records, index):
            parts = _parts(row, records.format, loss_mask)
            counts.append([_length(part, form, load_renderer(renderer, tokenizer)) for part, form in parts])
    return counts


def _length(record: Row, form: Format, renderer: Renderer) -> int:
    """Measure one input. Raises DataError also if nothing would be learnt, before anything is paid for."""
    if isinstance(renderer.tokenizer, OfflineTokenizer):  # one token a character: no need to make the tokens
        segments = _segments(record, form, renderer.tokenizer)
        is_learnt = any(segment.loss for segment in segments)
        counted = sum(len(segment.text) + segment.ends for segment in segments)
    else:
        stretches = _stretches(record, form, renderer)
        is_learnt = any(stretch.loss for stretch in stretches)
        counted = sum(len(stretch.tokens) for stretch in stretches) - 1
    if not is_learnt:
        raise DataError(NOTHING)
    return counted


def _parts(record: Row, form: Format, loss_mask: LossMask) -> Sequence[tuple[Row, Format]]:
    """Split a record: itself, the two completions of a pair, or a chat up to each of its answers."""
    if form == "chat" and loss_mask == "each":
        return [(part, form) for part in split_at_answers(record)]
    if form != "preference":
        return ((record, form),)
    if is_pair_of_messages(record):
        return tuple((build_conversation(record, side), "chat") for side in SIDES)
    return tuple(({"prompt": record["prompt"], "completion": record[side]}, "completion") for side in SIDES)


def _stretches(record: Row, form: Format, renderer: Renderer) -> Sequence[Stretch]:
    """Turn a record into tokens."""
    tokenizer = renderer.tokenizer
    if form in ("chat", "questions") and (writer := _open_writer(renderer)) is not None:
        chat = record if form == "chat" else build_chat_row(record)
        return _render_chat(parse_chat(chat, writer.reads, tokenizer), writer, tokenizer)
    begin = Stretch([] if tokenizer.bos is None else [tokenizer.bos], loss=False, text="")
    segments = _segments(record, form, tokenizer)
    return [begin, *(Stretch(segment.encode(tokenizer), segment.loss, segment.text) for segment in segments)]


def _open_writer(renderer: Renderer) -> ChatWriter | None:
    """Return what writes chats, or None for `plain`, which writes text."""
    if renderer.template is not None:
        return TemplateWriter(renderer.template, renderer.tokenizer)
    return None if renderer.cookbook is None else CookbookWriter(renderer.cookbook, renderer.tokenizer)


def _render_chat(chat: ParsedChat, writer: ChatWriter, tokenizer: Tokenizer) -> list[Stretch]:
    """Write a chat. Raises DataError if something is left out, or the mask would not be exact."""
    try:
        written = writer.write(chat)
    except NotTaken:
        _refuse_to_begin(chat)
        raise
    refuse_incomplete(chat, written, writer)
    return [stretch._replace(text=remove_controls(stretch.text, tokenizer)) for stretch in written.split_by_loss()]


def _refuse_to_begin(chat: ParsedChat) -> None:
    """Raise DataError where nobody asked the assistant anything: a template says that in words of its own."""
    roles = [message["role"] for message in chat.messages]
    place = next((at for at, role in enumerate(roles) if role not in ("system", "developer")), 0)
    if roles[place] == "assistant":
        wrong = f"message {place + 1}: expected one of the user first, got one of the assistant"
        raise DataError(f"{wrong}; add what was asked before it, or leave it out, or use `renderer: plain`")


def _segments(record: Row, form: Format, tokenizer: Tokenizer) -> Sequence[Segment]:
    """Split a record into segments as `plain` reads it."""
    match form:
        case "text":
            return (Segment(record["text"], loss=True),)
        case "completion":
            return (
                Segment(record["prompt"], loss=False),
                Segment(record["completion"], loss=True, ends=True),
            )
        case "chat":
            return list(render_plain_chat(record, tokenizer))
        case "transcript":
            return [Segment(part["text"], loss=part["loss"]) for part in record["parts"]]
        case "questions":
            return (Segment(build_prompt(record), loss=False), Segment(record["answers"][0], loss=True, ends=True))
        case "preference":
            raise DataError("expected one example, got a preference pair; `render_all` renders both sides")
