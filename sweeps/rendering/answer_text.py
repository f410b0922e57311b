"""Read what a model wrote in its turn as a person sees it: the answer, without thoughts and marks.

Families of models differ in how they think, call and end, and this is the one place that knows:

thoughts    before the answer, between marks (`<think>…</think>` and its like), of which the prompt may have written
            the first; or in a channel of their own (gpt-oss: `analysis`, where the answer is in `final`)
calls       of tools, in the text as the family writes them; those in a channel are told as `<tool_call>` with an object
ends        the mark of the template behind an answer or a call, the tokenizer's eos, those that the model's
            configuration names, and the end tokens of all families that this tokenizer has

A turn that was stopped before its end, or whose thoughts never close, is cut: a person would wait for the rest.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sweeps.rendering.tokenizer import Tokenizer, compile_words, get_controls

THINK = ("<think>", "</think>")
THINKS = (
    THINK,
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("[THINK]", "[/THINK]"),
    ("<|channel>thought", "<channel|>"),
    ("<seed:think>", "</seed:think>"),
    ("◁think▷", "◁/think▷"),
)
FRAMES = (("<|START_RESPONSE|>", "<|END_RESPONSE|>"),)  # around an answer that comes behind thoughts
ENDS = (  # tokens with which the families end a turn, whatever is said in it
    *("<|eot_id|>", "<|eom_id|>", "<|end_of_text|>", "<|im_end|>", "<|endoftext|>", "<|return|>", "<|call|>"),
    *("<end_of_turn>", "<eos>", "</s>", "<｜end▁of▁sentence｜>", "<|END_OF_TURN_TOKEN|>", "<turn|>", "[EOS]"),
)
CHANNEL, MESSAGE, START = "<|channel|>", "<|message|>", "<|start|>"
BODY_ENDS = ("<|end|>", "<|return|>", "<|call|>")
NAMED = re.compile(r"<\|channel\|>\s*(\w+)")
CALLED = re.compile(r"\bto=(?:functions\.)?([^\s<]+)")


class Call(NamedTuple):
    """A call of a tool: its name, and its arguments as they were written."""

    name: str
    arguments: str


@dataclass(frozen=True)
class Utterance:
    """The text of one turn, without its end, and its parts."""

    whole: str
    answer: str
    thoughts: str = ""
    calls: tuple[Call, ...] = ()  # those that are not in the text of the answer
    end: str = ""  # by what the model ended it; nothing where it was stopped
    closed: bool = True  # are its thoughts?

    @property
    def ended(self) -> bool:
        return bool(self.end)

    @property
    def cut(self) -> bool:
        """Whether the turn was stopped before its end, so that a person would wait for more."""
        return not (self.ended and self.closed)

    @property
    def action(self) -> str:
        """The action in an environment: the answer, and the tools that are called."""
        called = [f"<tool_call>\n{_object(call)}\n</tool_call>" for call in self.calls]
        return "\n".join([*([self.answer] if self.answer or not called else []), *called])

    def messages(self, reads: frozenset[str]) -> Iterator[dict[str, Any]]:
        """Write the turn as a message, in each form that a template with these keys may want."""
        yield {"role": "assistant", "content": self.whole}
        thoughts = [{key: self.thoughts} for key in _KEYS if key in reads] if self.thoughts else [{}]
        calls = {"tool_calls": [_format_call(call) for call in self.calls]} if self.calls else {}
        if self.answer != self.whole or calls:
            yield from ({"role": "assistant", "content": self.answer, **calls, **thought} for thought in thoughts)


_KEYS = ("reasoning_content", "reasoning", "thinking")


def parse_answer(text: str, tokenizer: Tokenizer, *, opened: str = "", end: str = "") -> Utterance:
    """Parse the text of a turn, without its end; `opened` is the mark of a thought that the prompt opened, if any."""
    spoken, controls = text, get_controls(tokenizer)
    if {CHANNEL, MESSAGE} <= controls:
        if CHANNEL in text or MESSAGE in text:
            return _parse_channels(text, controls, end)
        spoken = compile_words(controls).split(text, 1)[0]
    thoughts, answer, closed = _remove_thoughts(spoken, opened)
    return Utterance(text, _unframed(answer) if answer != spoken else spoken, thoughts, end=end, closed=closed)


def find_opening(prompt: str) -> str:
    """Find the mark of a thought that a prompt leaves open, if it does."""
    return next((begin for begin, _ in THINKS if prompt.rstrip().endswith(begin)), "")


def _remove_thoughts(text: str, opened: str) -> tuple[str, str, bool]:
    """Thoughts, what comes behind them, and whether they were closed. Several thoughts may follow one another."""
    thoughts: list[str] = []
    rest = text
    while marks := _thought_of(rest, opened, first=not thoughts):
        begin, finish = marks
        thought, closing, behind = rest.lstrip().removeprefix(begin).partition(finish)
        thoughts.append(thought.strip())
        if not closing:
            return "\n".join(filter(None, thoughts)), "", False
        rest, opened = behind.lstrip(), ""
    return "\n".join(filter(None, thoughts)), rest, True


def _thought_of(text: str, opened: str, *, first: bool) -> tuple[str, str] | None:
    """Find the marks of the thought with which a text begins."""
    for begin, finish in THINKS:
        if opened == begin or text.lstrip().startswith(begin):
            return begin, finish
    begin, finish = THINK  # a prompt may have opened it without our knowing
    at = text.find(finish)
    return THINK if first and at >= 0 and begin not in text[:at] else None


def _unframed(answer: str) -> str:
    for begin, finish in FRAMES:
        if answer.startswith(begin):
            return answer.removeprefix(begin).partition(finish)[0]
    return answer


def _parse_channels(text: str, controls: frozenset[str], end: str) -> Utterance:
    """Parse a text with channels: the last message in the final channel counts, because it takes back the others."""
    thoughts, finals, calls, written = [], [], [], True
    for header, body in _list_texts(_segments(text, controls)):
        channels, tool = NAMED.findall(header), CALLED.search(header)
        written = body is not None
        if body is None:
            continue  # it was stopped in a header
        if tool:
            calls.append(Call(tool[1], body.strip()))
        elif not channels or channels[-1] == "final":
            finals.append(body)
        else:
            thoughts.append(body)
    answer = next((final for final in reversed(finals) if final), "")
    return Utterance(text, answer, "\n".join(thoughts), tuple(calls), end, closed=written and bool(finals or calls))


def _segments(text: str, controls: frozenset[str]) -> Iterator[tuple[str, str | None]]:
    """Header and body of each message, a body without control tokens; None where there is a header alone."""
    header, body = "", None
    for piece in re.split(f"({compile_words(controls).pattern})", text):
        if piece in BODY_ENDS or piece == START or (piece == CHANNEL and body is not None):
            yield header, body
            header, body = "" if piece in BODY_ENDS else piece, None
        elif body is None and piece != MESSAGE:
            header += piece
        elif piece not in controls or body is None:
            body = (body or "") + ("" if piece in controls else piece)
    yield header, body


def _list_texts(segments: Iterable[tuple[str, str | None]]) -> Iterator[tuple[str, str | None]]:
    """Those of the assistant. Behind a turn that it wrote in another's name it answers itself."""
    for header, body in segments:
        name = header.removeprefix(START).lstrip()
        if header.startswith(START) and name and not name.startswith(("assistant", CHANNEL)):
            return
        if header.strip() or body is not None:
            yield header, body


def _object(call: Call) -> str:
    try:
        arguments = json.loads(call.arguments)
    except ValueError:
        arguments = call.arguments
    return json.dumps({"name": call.name, "arguments": arguments}, ensure_ascii=False)


def _format_call(call: Call) -> dict[str, Any]:
    try:
        arguments: Any = json.loads(call.arguments)
    except ValueError:
        arguments = call.arguments
    return {"type": "function", "id": "call00000", "function": {"name": call.name, "arguments": arguments}}


TOOL: Mapping[str, Any] = {
    "type": "function",
    "function": {
        "name": "look",
        "description": "Looks.",
        "parameters": {"type": "object", "properties": {"at": {"type": "string"}}},
    },
}
ASKED: Mapping[str, Any] = {"role": "user", "content": "a"}
# One turn of each kind, by which it is seen how a template ends it: told, thought about, called for.
KINDS: Sequence[tuple[Mapping[str, Any], Sequence[Mapping[str, Any]]]] = (
    ({"role": "assistant", "content": "b"}, ()),
    *(({"role": "assistant", "content": "b", key: "c"}, ()) for key in _KEYS),
    ({"role": "assistant", "content": "", "tool_calls": [_format_call(Call("look", '{"at": "b"}'))]}, (TOOL,)),
)
