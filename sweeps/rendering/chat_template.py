"""Render a chat by the model's own template, and cut it where the assistant's own text begins and ends.

The loss falls on what the assistant writes: content, calls of tools, and the token that ends its turn. Either the
template marks that part itself (`{% generation %}`), or it is found by prefixes: the chat up to an answer, as the model
would read it, and the chat including the answer. The whole chat must begin with both, in text and in tokens. Then the
model learns every answer after exactly the tokens after which it will sample it. Some templates write an earlier answer
differently once messages follow (mostly without its thoughts); such a chat is refused.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from sweeps.errors import DataError
from sweeps.rendering.chats import THOUGHT, THOUGHTS, ParsedChat
from sweeps.rendering.tokenizer import Messages, Template, Tokenizer, Tools, compile_words, get_controls
from sweeps.rendering.written_chat import Stretch

Span = tuple[int, int]
PLAIN = "`renderer: plain`"
SWITCHES = ("enable_thinking", "thinking")  # arguments by which templates ask for an answer without thoughts
KEEPING = {"preserve_thinking": "true", "truncate_history_thinking": "false"}  # by which they keep thoughts of history


@dataclass(frozen=True)
class Chat:
    """A chat that is to be written, by whom, and for whom. What was written once is kept."""

    messages: Messages
    tools: Tools
    template: Template
    controls: frozenset[str]
    _kept: dict[tuple[int, bool], str] = field(default_factory=dict)

    def text(self, upto: int | None = None, *, prompt: bool = False) -> str:
        """Write the messages before a place, or all of them."""
        place = len(self.messages) if upto is None else upto
        if (place, prompt) not in self._kept:
            self._kept[place, prompt] = self.template.text(self.messages[:place], self.tools, prompt=prompt)
        return self._kept[place, prompt]


def build_chat(messages: Messages, tools: Tools, template: Template, tokenizer: Tokenizer) -> Chat:
    """Build a chat for a template; some write arguments of calls as an object, others take only its text."""
    controls = get_controls(tokenizer)
    chat = Chat(_adapt_messages(messages), tools, template, controls)
    if any(message.get("tool_calls") for message in messages):
        try:
            chat.text()
        except DataError:
            return Chat(_adapt_messages(messages, as_text=True), tools, template, controls)
    return chat


def _adapt_messages(messages: Messages, *, as_text: bool = False) -> list[dict[str, Any]]:
    """Write messages as templates take them: arguments as an object or its text, no content as an empty text."""
    return [{key: _adapt_part(key, value, as_text=as_text) for key, value in message.items()} for message in messages]


def _adapt_part(key: str, value: Any, *, as_text: bool) -> Any:
    if key == "tool_calls" and isinstance(value, list):
        return [_adapt_call(call, as_text=as_text) for call in value]
    return "" if key == "content" and value is None else value


def _adapt_call(call: Any, *, as_text: bool) -> Any:
    function = call.get("function") if isinstance(call, Mapping) else None
    if not isinstance(function, Mapping):
        return call
    arguments = function.get("arguments")
    try:
        read = json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        return call
    if not isinstance(read, Mapping):
        return call
    written = json.dumps(read, ensure_ascii=False) if as_text else read
    return {**call, "function": {**function, "arguments": written}}


@dataclass(frozen=True)
class TemplateWriter:
    """Writes chats by a chat template."""

    template: Template
    tokenizer: Tokenizer
    name = "the chat template"

    @property
    def reads(self) -> frozenset[str]:
        return self.template.reads

    def write(self, chat: ParsedChat) -> "TemplateChat":
        """Write a chat. Raises DataError if the part of an answer is not exactly what the assistant writes."""
        written = self._build(chat)
        whole, spans = _find_marked(written, chat.learnt) or _find_nested(written, chat.learnt)
        return TemplateChat(written, whole, dict(zip(chat.learnt, spans, strict=True)), self.tokenizer)

    def write_text(self, chat: ParsedChat) -> str:
        """Write the text alone."""
        return self._build(chat).text()

    def _build(self, chat: ParsedChat) -> Chat:
        return build_chat(chat.messages, chat.tools, self.template, self.tokenizer)


@dataclass(frozen=True)
class TemplateChat:
    """A chat as a template writes it, and where each learnt message begins and ends."""

    chat: Chat
    whole: str
    spans: Mapping[int, Span]
    tokenizer: Tokenizer

    @property
    def learnt(self) -> Mapping[int, str]:
        """The learnt part of each message."""
        return {place: self.whole[begin:end] for place, (begin, end) in self.spans.items()}

    def write_upto(self, place: int) -> str:
        """Write the messages up to this place, as if nothing followed."""
        return self.chat.text(place + 1)

    def split_by_loss(self) -> list[Stretch]:
        """Return the tokens. Raises DataError if a token crosses a border, so that the mask would not be exact."""
        parts = [*_cut_spans(self.whole, self.spans.values())]
        cut = [Stretch(self.tokenizer.encode(part), loss, part) for part, loss in parts]
        tokens = self.tokenizer.encode(self.whole)
        if [token for stretch in cut for token in stretch.tokens] != tokens:
            _refuse_merged(self.chat, self.whole, self.spans, tokens, self.tokenizer)
        return cut


def find_ending(text: str, controls: frozenset[str]) -> Span:
    """Find where the end mark of a turn begins and ends in its text: a control token, else white space.

    Line breaks that a template puts behind the control token are not written by the assistant, and lie behind it.
    """
    body = text.rstrip()
    last = max((token for token in controls if body.endswith(token)), key=len, default="")
    return (len(body) - len(last), len(body)) if last else (len(body), len(text))


def _cut_spans(text: str, spans: Iterable[Span]) -> Iterator[tuple[str, bool]]:
    at = 0
    for begin, end in spans:
        yield text[at:begin], False
        yield text[begin:end], True
        at = end
    yield text[at:], False


def _find_marked(chat: Chat, places: Sequence[int]) -> tuple[str, list[Span]] | None:
    """Find the parts that the template itself marks as the assistant's, each with the token that ends the turn."""
    marked = chat.template.render_marked(chat.messages, chat.tools)
    if marked is None:
        return None
    text, spans = marked
    assistant = [place for place, message in enumerate(chat.messages) if message["role"] == "assistant"]
    if len(spans) != len(assistant):
        problem = f"expected one part for each of the {len(assistant)} messages of the assistant"
        raise DataError(f"{problem}, got {len(spans)} parts marked by the chat template; use `renderer: plain`")
    span_of = dict(zip(assistant, spans, strict=True))
    return text, [_include_end(text, span_of[place], chat.controls) for place in places]


def _include_end(text: str, span: Span, controls: frozenset[str]) -> Span:
    begin, end = span
    mark, behind = find_ending(text[begin:end], controls)
    if text[begin + mark : begin + behind] in controls:
        return begin, begin + behind
    following = compile_words(controls).match(text, end)
    return begin, following.end() if following else end


def _find_nested(chat: Chat, places: Sequence[int]) -> tuple[str, list[Span]]:
    """Find the parts that the assistant writes, by prefixes."""
    whole = chat.text()
    return whole, [_locate_message(whole, chat, place) for place in places]


def _locate_message(whole: str, chat: Chat, place: int) -> Span:
    """Find where the message at this place begins and ends in the whole chat."""
    begin, _, end = locate_answer(chat, place)
    through = chat.text(place + 1)
    if not whole.startswith(through[:end]):
        problem = f"the chat template writes an answer differently when messages follow: {_diff(place, whole, through)}"
        raise DataError(f"{problem}; {_advise_turns(chat)}")
    return begin, end


def locate_answer(chat: Chat, place: int) -> tuple[int, int, int]:
    """Find where the answer at this place begins, and where its end mark begins and ends, in the chat up to it."""
    before, through = chat.text(place, prompt=True), chat.text(place + 1)
    if not through.startswith(before):
        problem = f"the chat template writes an answer differently from its prompt: {_diff(place, through, before)}"
        raise DataError(f"{problem}; {_advise_thoughts(chat, place)}")
    _refuse_a_header(chat, place, before, through)
    mark, end = find_ending(through[len(before) :], chat.controls)
    if mark == end:
        problem = (
            f"the chat template writes no end after the answer of message {place + 1}, so no end would be trained on"
        )
        raise DataError(f"{problem}; use a renderer that ends turns (`cookbook:NAME`, `plain`)")
    return len(before), len(before) + mark, len(before) + end


def _refuse_a_header(chat: Chat, place: int, before: str, through: str) -> None:
    """Refuse a template without a prompt for answers: the assistant would learn its own header."""
    content = chat.messages[place].get("content")
    answer = content.strip() if isinstance(content, str) else ""
    header = through[len(before) :].partition(answer)[0] if answer else ""
    if "assistant" in header.lower() and before == chat.text(place):
        problem = f"the chat template writes {header!r} before an answer, but not in a prompt"
        raise DataError(f"{problem}; use a template with add_generation_prompt, or `renderer: plain`")


def _diff(place: int, given: str, wanted: str) -> str:
    at = next((at for at, (got, right) in enumerate(zip(given, wanted, strict=False)) if got != right), len(wanted))
    near = slice(max(0, at - 12), at + 24)
    return f"expected {wanted[near]!r} for message {place + 1}, got {given[near]!r}"


def _refuse_merged(
    chat: Chat, text: str, spans: Mapping[int, Span], whole: Sequence[int], tokenizer: Tokenizer
) -> NoReturn:
    for border, place in sorted((at, place) for place, span in spans.items() for at in span):
        if [*tokenizer.encode(text[:border]), *tokenizer.encode(text[border:])] != whole:
            near, behind = text[max(0, border - 12) : border], text[border : border + 12]
            problem = f"the tokenizer merges across {near!r} | {behind!r}, where an answer begins or ends"
            if THOUGHT in behind:  # an empty thought behind a prompt that opens one
                raise DataError(f"{problem}; {_advise_thoughts(chat, place)}")
            raise DataError(f"{problem}; remove the white space there, or use {PLAIN}")
    raise DataError(f"the tokens of the chat differ from those of its parts; use {PLAIN}")


def _advise_thoughts(chat: Chat, place: int) -> str:
    """Say what to use if a prompt and an answer do not agree, mostly about thoughts."""
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
    """Offer `plain`, for a chat that it can write: text alone."""
    beyond = any(message.keys() - {"role", "content"} for message in chat.messages)
    return [] if chat.tools or beyond else [PLAIN]


def _advise_turns(chat: Chat) -> str:
    """Say what to use if an earlier answer is written differently once messages follow."""
    kept = [
        f"`renderer: chat_template:{name}={value}`" for name, value in KEEPING.items() if name in chat.template.takes
    ]
    ways = ["`turns: each` (each answer behind what was said before it, as the model would be asked)", *kept]
    last = "only the last answer learnt (`weight: 0` on those before it)"
    return f"use {', or '.join([*ways, *_plainly(chat)])}, or {last}"
