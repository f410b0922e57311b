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

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Literal

import numpy as np
import numpy.typing as npt

from sweeps.errors import DataError
from sweeps.records import Format, Records, Row, canonicalize_row
from sweeps.rendering.chat_template import Stretch, split_by_loss
from sweeps.rendering.chats import ParsedChat, read_chat, split_at_answers
from sweeps.rendering.completeness import (
    TOOLS,
    Leaf,
    Planted,
    RenderedText,
    find_ignored,
    find_missing_leaf,
    find_missing_mark,
    plant,
    plant_tool,
    refuse_controls,
    refuse_missing,
)
from sweeps.rendering.messages import build_conversation, is_pair_of_messages
from sweeps.rendering.plain_chat import Segment, render_plain_chat
from sweeps.rendering.prompts import build_chat_row, build_prompt
from sweeps.rendering.renderers import load_renderer
from sweeps.rendering.row_errors import name_row_in_errors
from sweeps.rendering.tokenizer import (
    Cookbook,
    OfflineTokenizer,
    Tokenizer,
    compile_words,
    get_controls,
    remove_controls,
)

LossMask = Literal["all", "completion", "each"]
SIDES = ("chosen", "rejected")  # of a preference pair, in this order
NOTHING = "expected text to train on, in a chat an answer of the assistant that is trained on, got none"
COOKBOOK = "the cookbook's renderer"


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
    for stretch in _stretches(record, form, renderer, tokenizer):
        loss = stretch.loss or loss_mask == "all"
        scored += stretch.text_bytes if loss else 0
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
            counts.append([_length(part, form, renderer, tokenizer) for part, form in parts])
    return counts


def _length(record: Row, form: Format, renderer: str, tokenizer: Tokenizer) -> int:
    """Measure one input. Raises DataError also if nothing would be learnt, before anything is paid for."""
    if isinstance(tokenizer, OfflineTokenizer):  # one token a character: the length is known without the tokens
        segments = _segments(record, form, renderer, tokenizer)
        is_learnt, counted = (
            any(piece.loss for piece in segments),
            sum(len(piece.text) + piece.ends for piece in segments),
        )
    else:
        cut = _stretches(record, form, renderer, tokenizer)
        is_learnt, counted = any(piece.loss for piece in cut), sum(len(piece.tokens) for piece in cut) - 1
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


def _stretches(record: Row, form: Format, renderer: str, tokenizer: Tokenizer) -> Sequence[Stretch]:
    """Turn a record into tokens."""
    if form in ("chat", "questions"):
        voice, chat = load_renderer(renderer, tokenizer), record if form == "chat" else build_chat_row(record)
        if voice.template is not None:
            return split_by_loss(_parse_chat(chat, voice.template.reads, tokenizer), voice.template, tokenizer)
        if voice.cookbook is not None:
            return render_by_cookbook(_parse_chat(chat, (), tokenizer), voice.cookbook, tokenizer)
    begin = Stretch([] if tokenizer.bos is None else [tokenizer.bos], loss=False, text_bytes=0)
    return [begin, *(_encode(segment, tokenizer) for segment in _segments(record, form, renderer, tokenizer))]


def _parse_chat(chat: Row, reads: Collection[str], tokenizer: Tokenizer) -> ParsedChat:
    parsed = read_chat(chat, reads)
    refuse_controls(parsed, compile_words(get_controls(tokenizer)))
    return parsed


def _encode(segment: Segment, tokenizer: Tokenizer) -> Stretch:
    end = [tokenizer.eos] if segment.ends and tokenizer.eos is not None else []
    return Stretch([*tokenizer.encode(segment.text), *end], segment.loss, len(segment.text.encode()))


def render_by_cookbook(parsed: ParsedChat, cookbook: Cookbook, tokenizer: Tokenizer) -> list[Stretch]:
    """Render a chat as the cookbook writes it. Raises DataError if it leaves something out."""
    stretches = _cookbook_stretches(parsed, cookbook, tokenizer)
    planted = plant(parsed)
    if (at := _find_lost_mark(planted, cookbook, tokenizer)) is not None:
        refuse_missing(planted.leaves[at], parsed, COOKBOOK)
    if leaf := find_missing_leaf(planted.leaves, _text(stretches, parsed.learnt, tokenizer)):
        refuse_missing(leaf, parsed, COOKBOOK)
    for tool in parsed.tools:
        if leaf := _find_lost_leaf(canonicalize_row(tool), cookbook, tokenizer):
            refuse_missing(leaf, parsed, COOKBOOK)
    return stretches


@lru_cache(maxsize=4096)
def _find_lost_leaf(tool: bytes, cookbook: Cookbook, tokenizer: Tokenizer) -> Leaf | None:
    """Find a piece of a tool that can be changed without a change of the cookbook's text."""

    def write(parsed: ParsedChat) -> str:
        return tokenizer.decode(cookbook.prompt(parsed.messages, parsed.tools))

    planted = plant_tool(tool)
    at = find_ignored(planted, lambda place: place == TOOLS, write)
    return None if at is None else planted.leaves[at]


def _find_lost_mark(planted: Planted, cookbook: Cookbook, tokenizer: Tokenizer) -> int | None:
    """Find a piece of a chat of this shape that the cookbook does not write."""
    parsed = planted.marked

    def moment(place: int) -> str:
        shorter = ParsedChat(parsed.messages[: place + 1], parsed.tools, [place])
        return _text(_cookbook_stretches(shorter, cookbook, tokenizer), [place], tokenizer).whole

    def write(parsed: ParsedChat) -> str:
        return _text(_cookbook_stretches(parsed, cookbook, tokenizer), parsed.learnt, tokenizer).whole

    try:
        marked = _text(_cookbook_stretches(parsed, cookbook, tokenizer), parsed.learnt, tokenizer)
        missing = find_missing_mark(planted, marked, moment)
    except DataError as error:
        wrong = f"{COOKBOOK} refuses a chat of this shape with other words in it"
        raise DataError(f"{wrong}, so what it leaves out is unknown: {error}") from None
    return find_ignored(planted, lambda place: place != TOOLS, write) if missing is None else missing


def _cookbook_stretches(parsed: ParsedChat, cookbook: Cookbook, tokenizer: Tokenizer) -> list[Stretch]:
    written = cookbook.render_weighted(parsed.messages, parsed.tools, parsed.learnt)
    runs = groupby(zip(written.tokens, written.weights, strict=True), key=lambda pair: pair[1] > 0)
    cut = [(loss, [token for token, _ in pairs]) for loss, pairs in runs]
    return [
        Stretch(tokens, loss, len(remove_controls(tokenizer.decode(tokens), tokenizer).encode()))
        for loss, tokens in cut
    ]


def _text(stretches: Sequence[Stretch], places: Sequence[int], tokenizer: Tokenizer) -> RenderedText:
    """Decode the text, and the learnt part of each message: a run of tokens for each, or all runs for all."""
    runs = [tokenizer.decode(stretch.tokens) for stretch in stretches if stretch.loss]
    if len(runs) != len(places):
        runs = ["".join(runs)] * len(places)
    whole = tokenizer.decode([token for stretch in stretches for token in stretch.tokens])
    return RenderedText(whole, dict(zip(places, runs, strict=True)))


def _segments(record: Row, form: Format, renderer: str, tokenizer: Tokenizer) -> Sequence[Segment]:
    """Split a record into segments as `plain` reads it."""
    load_renderer(renderer, tokenizer)
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
