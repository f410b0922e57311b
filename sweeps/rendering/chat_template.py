"""A chat through the model's own template, cut where what the assistant writes begins and ends.

The loss falls on what the assistant writes: content, calls of tools, and the token that ends its turn. Where that is,
a template says itself (`{% generation %}`), or it is found by prefixes: the chat up to an answer, as the model would
read it, and the chat through the answer. Both must be beginnings of the whole, in text and in tokens. Then every
answer is learnt behind exactly the tokens behind which it will be sampled; where a template writes an earlier answer
differently once it is history (thoughts left out, mostly) that cannot be, and the chat is refused.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple, NoReturn

from sweeps.errors import DataError, NotTaken
from sweeps.records import canonicalize_row
from sweeps.rendering.chats import THOUGHT, THOUGHTS, ParsedChat
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
    refuse_missing,
)
from sweeps.rendering.messages import adapt_messages
from sweeps.rendering.tokenizer import (
    Messages,
    Template,
    Tokenizer,
    Tools,
    compile_words,
    get_controls,
    remove_controls,
)

Span = tuple[int, int]
PLAIN, WHO = "`renderer: plain`", "the chat template"
SWITCHES = ("enable_thinking", "thinking")  # arguments by which templates ask for an answer without thoughts
KEEPING = {"preserve_thinking": "true", "truncate_history_thinking": "false"}  # by which they keep thoughts of history


class Stretch(NamedTuple):
    """A run of tokens, wholly with or wholly without loss, and the UTF-8 bytes of their text without control tokens."""

    tokens: Sequence[int]
    loss: bool
    text_bytes: int


@dataclass(frozen=True)
class Chat:
    """A chat that is to be written, by whom, and for whom. What was written once is kept."""

    messages: Messages
    tools: Tools
    template: Template
    controls: frozenset[str]
    _kept: dict[tuple[int, bool], str] = field(default_factory=dict)

    def text(self, upto: int | None = None, *, prompt: bool = False) -> str:
        """The messages before a place, or all of them."""
        place = len(self.messages) if upto is None else upto
        if (place, prompt) not in self._kept:
            self._kept[place, prompt] = self.template.text(self.messages[:place], self.tools, prompt=prompt)
        return self._kept[place, prompt]


def build_chat(messages: Messages, tools: Tools, template: Template, tokenizer: Tokenizer) -> Chat:
    """The chat for a template: some write the arguments of a call as an object, others take only the text of one."""
    return _chat(messages, tools, template, get_controls(tokenizer))


def _chat(messages: Messages, tools: Tools, template: Template, controls: frozenset[str]) -> Chat:
    chat = Chat(adapt_messages(messages), tools, template, controls)
    if any(message.get("tool_calls") for message in messages):
        try:
            chat.text()
        except DataError:
            return Chat(adapt_messages(messages, as_text=True), tools, template, controls)
    return chat


def split_by_loss(said: ParsedChat, template: Template, tokenizer: Tokenizer) -> list[Stretch]:
    """The chat as the model reads it. Raises DataError where the mask would not be exact, or something is left out."""
    try:
        chat = build_chat(said.messages, said.tools, template, tokenizer)
        text, spans = _spans(chat, said.learnt)
    except NotTaken as error:
        _refuse_to_begin(said)
        raise error from None
    _refuse_what_is_left_out(said, chat, _cut_texts(text, spans, said.learnt))
    cut = [
        Stretch(tokenizer.encode(part), loss, len(remove_controls(part, tokenizer).encode()))
        for part, loss in _cut_spans(text, spans)
    ]
    whole = tokenizer.encode(text)
    if [token for stretch in cut for token in stretch.tokens] != whole:
        _refuse_merged(chat, text, dict(zip(said.learnt, spans, strict=True)), whole, tokenizer)
    return cut


def _refuse_to_begin(said: ParsedChat) -> None:
    """Raise DataError where nobody asked the assistant anything: a template says that in words of its own."""
    roles = [message["role"] for message in said.messages]
    place = next((at for at, role in enumerate(roles) if role not in ("system", "developer")), 0)
    if roles[place] == "assistant":
        wrong = f"message {place + 1}: expected one of the user first, got one of the assistant"
        raise DataError(f"{wrong}; add what was asked before it, or leave it out, or use {PLAIN}")


def _spans(chat: Chat, places: Sequence[int]) -> tuple[str, list[Span]]:
    return _find_marked(chat, places) or _find_nested(chat, places)


def _cut_texts(text: str, spans: Sequence[Span], places: Sequence[int]) -> RenderedText:
    return RenderedText(text, {place: text[begin:end] for place, (begin, end) in zip(places, spans, strict=True)})


def _refuse_what_is_left_out(said: ParsedChat, chat: Chat, text: RenderedText) -> None:
    planted = plant(said)
    if (at := _find_lost_mark(planted, chat.template, chat.controls)) is not None:
        refuse_missing(planted.leaves[at], said, WHO)
    if leaf := find_missing_leaf(planted.leaves, text):
        refuse_missing(leaf, said, WHO)
    for tool in said.tools:
        if leaf := _find_lost_leaf(canonicalize_row(tool), chat.template, chat.controls):
            refuse_missing(leaf, said, WHO)


@lru_cache(maxsize=4096)
def _find_lost_mark(planted: Planted, template: Template, controls: frozenset[str]) -> int | None:
    """Which piece of a chat of this shape the template does not write."""
    chat = _chat(planted.said.messages, planted.said.tools, template, controls)
    try:
        text, spans = _spans(chat, planted.said.learnt)
        texts = _cut_texts(text, spans, planted.said.learnt)
        missing = find_missing_mark(planted, texts, lambda place: chat.text(place + 1))
    except DataError as error:
        said = f"{WHO} does not take a chat of this shape with other words in it"
        raise DataError(f"{said}, so what it leaves out is unknown: {error}") from None
    if missing is not None:
        return missing
    return find_ignored(planted, lambda place: place != TOOLS, _writer(template, controls))


@lru_cache(maxsize=4096)
def _find_lost_leaf(tool: bytes, template: Template, controls: frozenset[str]) -> Leaf | None:
    """Which piece of a tool may be changed, and the template writes the same."""
    planted = plant_tool(tool)
    at = _find_ignored_leaf(planted, template, controls)
    return None if at is None else planted.leaves[at]


@lru_cache(maxsize=4096)
def _find_ignored_leaf(planted: Planted, template: Template, controls: frozenset[str]) -> int | None:
    """The same of all tools of this shape."""
    return find_ignored(planted, lambda place: place == TOOLS, _writer(template, controls))


def _writer(template: Template, controls: frozenset[str]) -> Callable[[ParsedChat], str]:
    return lambda said: _chat(said.messages, said.tools, template, controls).text()


def find_ending(text: str, controls: frozenset[str]) -> Span:
    """Where, in what was written of a turn, its end mark begins and ends: a control token, else white space.

    Line breaks that a template puts behind the control token are not written by the assistant, and lie behind it.
    """
    body = text.rstrip()
    last = max((token for token in controls if body.endswith(token)), key=len, default="")
    return (len(body) - len(last), len(body)) if last else (len(body), len(text))


def _cut_spans(text: str, spans: Sequence[Span]) -> Iterator[tuple[str, bool]]:
    at = 0
    for begin, end in spans:
        yield text[at:begin], False
        yield text[begin:end], True
        at = end
    yield text[at:], False


def _find_marked(chat: Chat, places: Sequence[int]) -> tuple[str, list[Span]] | None:
    """Where the template itself says that the assistant writes, each time with the token that ends the turn."""
    found = chat.template.render_marked(chat.messages, chat.tools)
    if found is None:
        return None
    text, spans = found
    assistant = [place for place, message in enumerate(chat.messages) if message["role"] == "assistant"]
    if len(spans) != len(assistant):
        said = f"expected one part for each of the {len(assistant)} messages of the assistant"
        raise DataError(f"{said}, got {len(spans)} parts marked by the chat template; use `renderer: plain`")
    of = dict(zip(assistant, spans, strict=True))
    return text, [_include_end(text, of[place], chat.controls) for place in places]


def _include_end(text: str, span: Span, controls: frozenset[str]) -> Span:
    begin, end = span
    mark, behind = find_ending(text[begin:end], controls)
    if text[begin + mark : begin + behind] in controls:
        return begin, begin + behind
    following = compile_words(controls).match(text, end)
    return begin, following.end() if following else end


def _find_nested(chat: Chat, places: Sequence[int]) -> tuple[str, list[Span]]:
    """Where the assistant writes, by prefixes."""
    whole = chat.text()
    return whole, [_locate_message(whole, chat, place) for place in places]


def _locate_message(whole: str, chat: Chat, place: int) -> Span:
    """From where to where the message at this place is written in the whole chat."""
    begin, _, end = locate_answer(chat, place)
    through = chat.text(place + 1)
    if not whole.startswith(through[:end]):
        said = f"the chat template writes an answer differently when messages follow: {_diff(place, whole, through)}"
        raise DataError(f"{said}; {_advise_turns(chat)}")
    return begin, end


def locate_answer(chat: Chat, place: int) -> tuple[int, int, int]:
    """Where, in the chat through the answer at this place, that begins, and where its end mark begins and ends."""
    before, through = chat.text(place, prompt=True), chat.text(place + 1)
    if not through.startswith(before):
        said = f"the chat template writes an answer differently from its prompt: {_diff(place, through, before)}"
        raise DataError(f"{said}; {_advise_thoughts(chat, place)}")
    _refuse_a_header(chat, place, before, through)
    mark, end = find_ending(through[len(before) :], chat.controls)
    if mark == end:
        said = f"the chat template writes no end after the answer of message {place + 1}, so no end would be trained on"
        raise DataError(f"{said}; use a renderer that ends turns (`cookbook:NAME`, `plain`)")
    return len(before), len(before) + mark, len(before) + end


def _refuse_a_header(chat: Chat, place: int, before: str, through: str) -> None:
    """A template that ignores the wish for a prompt would have the assistant learn its own header."""
    content = chat.messages[place].get("content")
    said = content.strip() if isinstance(content, str) else ""
    header = through[len(before) :].partition(said)[0] if said else ""
    if "assistant" in header.lower() and before == chat.text(place):
        said = f"the chat template writes {header!r} before an answer, but not in a prompt"
        raise DataError(f"{said}; use a template with add_generation_prompt, or `renderer: plain`")


def _diff(place: int, found: str, wanted: str) -> str:
    at = next((at for at, (one, other) in enumerate(zip(found, wanted, strict=False)) if one != other), len(wanted))
    near = slice(max(0, at - 12), at + 24)
    return f"expected {wanted[near]!r} for message {place + 1}, got {found[near]!r}"


def _refuse_merged(
    chat: Chat, text: str, spans: Mapping[int, Span], whole: Sequence[int], tokenizer: Tokenizer
) -> NoReturn:
    for border, place in sorted((at, place) for place, span in spans.items() for at in span):
        if [*tokenizer.encode(text[:border]), *tokenizer.encode(text[border:])] != whole:
            near, behind = text[max(0, border - 12) : border], text[border : border + 12]
            said = f"the tokenizer merges across {near!r} | {behind!r}, where an answer begins or ends"
            if THOUGHT in behind:  # an empty thought behind a prompt that opens one
                raise DataError(f"{said}; {_advise_thoughts(chat, place)}")
            raise DataError(f"{said}; remove the white space there, or use {PLAIN}")
    raise DataError(f"the tokens of the chat differ from those of its parts; use {PLAIN}")


def _advise_thoughts(chat: Chat, place: int) -> str:
    """What is right where a prompt and an answer do not agree, about thoughts mostly: what row and template lack."""
    given = [name for name in SWITCHES if name in chat.template.arguments]
    if given:
        return f"use {', or '.join([f'`renderer: chat_template` without {given[0]}', *_plainly(chat)])}"
    ways = [f"`renderer: chat_template:{name}=false`" for name in SWITCHES if name in chat.template.takes][:1]
    message = chat.messages[place]
    thinks = THOUGHT in str(message.get("content")) or any(message.get(key) for key in THOUGHTS)
    key = next((key for key in THOUGHTS if key in chat.template.reads), None)
    if key and not thinks:
        ways.append(f"thoughts with every answer (`{key}`)")
    if place and chat.messages[place - 1]["role"] == "assistant":
        ways.append("one message of the assistant for each turn")
    return f"use {', or '.join([*ways, *_plainly(chat)]) or 'another model'}"


def _plainly(chat: Chat) -> list[str]:
    """`plain`, for a chat that it takes: text alone."""
    beyond = (message.keys() - {"role", "content"} or message["role"] == "tool" for message in chat.messages)
    return [] if chat.tools or any(beyond) else [PLAIN]


def _advise_turns(chat: Chat) -> str:
    """What is right where an answer that is history is written as no answer would be given."""
    kept = [
        f"`renderer: chat_template:{name}={value}`" for name, value in KEEPING.items() if name in chat.template.takes
    ]
    ways = ["`turns: each` (each answer behind what was said before it, as the model would be asked)", *kept]
    last = "only the last answer learnt (`weight: 0` on those before it)"
    return f"use {', or '.join([*ways, *_plainly(chat)])}, or {last}"
