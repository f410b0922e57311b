"""What of a chat is to be learnt, worked out without our code: transformers writes it, the turns are found in its text
by the marks of each family, and tokens are told by the characters that they stand for."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from tests.tokenizers import FAMILIES, real_tokenizer, template

Row = Mapping[str, Any]
Found = tuple[list[int], list[bool]]  # tokens, and which of them are learnt


class Grammar(NamedTuple):
    """How a family writes a turn of the assistant: what stands before it, and a pattern of the turn with its end."""

    head: str
    turn: str


CHATML = Grammar("<|im_start|>assistant\n", r"(?s)<\|im_start\|>assistant\n(.*?<\|im_end\|>)")
LLAMA = Grammar(
    "<|start_header_id|>assistant<|end_header_id|>\n\n",
    r"(?s)<\|start_header_id\|>assistant<\|end_header_id\|>\n\n(.*?<\|eot_id\|>)",
)
GRAMMARS = {
    "llama3_1": LLAMA,
    # One message may be two: a thought, and then what is said or called.
    "gptoss": Grammar(
        "<|start|>assistant",
        r"(?s)<\|start\|>assistant((?:<\|channel\|>analysis.*?<\|end\|><\|start\|>assistant)?"
        r".*?(?:<\|end\|>|<\|return\|>|<\|call\|>))",
    ),
    "deepseek_v3": Grammar(
        "<｜Assistant｜>",
        r"(?s)(?:<｜Assistant｜>|(?<=<｜end▁of▁sentence｜>)(?!<｜User｜>|\Z))(.*?<｜end▁of▁sentence｜>)",
    ),
    "gemma3": Grammar("<start_of_turn>model\n", r"(?s)<start_of_turn>model\n(.*?<end_of_turn>)"),
}
FLAGS = ("weight", "trainable", "train")


def expected(family: str, row: Row, arguments: Mapping[str, Any], *, separately: bool) -> list[Found]:
    """The examples of a row. Raises ValueError where the turns cannot be told."""
    messages = [plain(family, message) for message in row["messages"]]
    learnt = [
        at
        for at, message in enumerate(row["messages"])
        if message["role"] == "assistant" and all(message.get(flag, 1) for flag in FLAGS)
    ]
    if separately:
        return [_example(family, messages[: at + 1], row, arguments, [at]) for at in learnt]
    return [_example(family, messages, row, arguments, learnt)]


def plain(family: str, message: Mapping[str, Any]) -> dict[str, Any]:
    """A message as transformers takes it for this family."""
    made = {key: value for key, value in message.items() if key not in FLAGS}
    if isinstance(message["content"], list):
        made["content"] = "".join(part["text"] for part in message["content"])
    made["content"] = made["content"] or ""
    if family == "gpt-oss" and "reasoning_content" in made:
        made["thinking"] = made.pop("reasoning_content")
    return made


def _example(
    family: str, messages: Sequence[Mapping[str, Any]], row: Row, arguments: Mapping[str, Any], learnt: Sequence[int]
) -> Found:
    grammar = GRAMMARS.get(FAMILIES[family].vocabulary, CHATML)
    text = write(family, messages, row, arguments)
    asked = write(family, [{"role": "user", "content": "a"}], row, arguments, add_generation_prompt=True)
    opened = asked[asked.rindex(grammar.head) + len(grammar.head) :]  # what the prompt says already of the answer
    turns = [match.span(1) for match in re.finditer(grammar.turn, text)]
    places = [at for at, message in enumerate(messages) if message["role"] == "assistant"]
    if len(turns) != len(places):
        raise ValueError(f"{len(turns)} turns found in {text!r}, {len(places)} messages of the assistant")
    spans = []
    for place, (begin, end) in zip(places, turns, strict=True):
        if place in learnt:
            spans.append((begin + len(opened) if text.startswith(opened, begin) else begin, end))
    read: Any = real_tokenizer(family)._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    mask = [any(begin <= at and to <= end for begin, end in spans) for at, to in read["offset_mapping"]]
    return list(read["input_ids"]), mask


def write(
    family: str, messages: Sequence[Mapping[str, Any]], row: Row, arguments: Mapping[str, Any], **more: Any
) -> str:
    """The chat as transformers writes it, on the day on which our clock stands still."""
    tokenizer: Any = real_tokenizer(family)._tokenizer
    text = str(
        tokenizer.apply_chat_template(list(messages), tools=row.get("tools"), tokenize=False, **arguments, **more)
    )
    today = datetime.now(UTC)
    for form, day in (("%Y-%m-%d", "2026-01-01"), ("%d %b %Y", "01 Jan 2026")):
        text = text.replace(today.strftime(form), day)
    return text


def marked(family: str, row: Row, arguments: Mapping[str, Any]) -> list[bool] | None:
    """What the template that others have marked says is the assistant's; None where it writes another text."""
    if FAMILIES[family].marked is None:
        return None
    tokenizer: Any = real_tokenizer(family)._tokenizer
    messages = [plain(family, message) for message in row["messages"]]
    source = template(family, marked=True)
    if write(family, messages, row, arguments, chat_template=source) != write(family, messages, row, arguments):
        return None
    rendered = tokenizer.apply_chat_template(
        messages,
        tools=row.get("tools"),
        chat_template=source,
        return_dict=True,
        return_assistant_tokens_mask=True,
        **arguments,
    )
    return [bool(mark) for mark in rendered["assistant_masks"]]
