"""Real chat templates on real tokenizers: what is learnt is what an independent computation says, or it is refused."""

import itertools
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from sweeps.rendering.render import Example
from tests.independent import Found, expected, marked
from tests.scenarios import SCENARIOS
from tests.template_table import DOCUMENT, FIRST, LAST, measure, table
from tests.tokenizers import FAMILIES, are_there, real_tokenizer

pytestmark = pytest.mark.skipif(not are_there(), reason="NO REAL TOKENIZERS: `make tokenizers` gets them")
EMPTY = re.compile(r"<think>\s*</think>\s*")
SERVED = [name for name, family in FAMILIES.items() if family.code is None]


def found(example: Example) -> Found:
    return example.tokens.tolist(), [False, *(weight > 0 for weight in example.weights.tolist())]


@pytest.mark.parametrize("family", SERVED)
def test_what_is_learnt_is_what_others_work_out(family: str) -> None:
    exact = 0
    for kind, row in SCENARIOS.items():
        cell = measure(family, kind)
        if cell.way is None:
            continue
        ours = [found(example) for example in cell.examples]
        assert ours == expected(family, row, cell.way.arguments, separately=cell.way.mask == "each"), kind
        exact += 1
    assert exact >= 9, "most kinds of chats can be learnt exactly"


@pytest.mark.parametrize("family", SERVED)
def test_all_that_a_row_says_is_read_and_what_its_answers_say_is_learnt(family: str) -> None:
    tokenizer = real_tokenizer(family)
    for kind, row in SCENARIOS.items():
        cell = measure(family, kind)
        if cell.way is None:
            continue
        whole = "".join(tokenizer.decode(example.tokens.tolist()) for example in cell.examples)
        learnt = "".join(
            tokenizer.decode(example.tokens[1:][example.weights > 0].tolist()) for example in cell.examples
        )
        last = max(at for at, message in enumerate(row["messages"]) if message["role"] == "assistant")
        for at, message in enumerate(row["messages"]):
            mine = message["role"] == "assistant" and message.get("weight", 1)
            for text in texts(message) if at <= last else ():  # by `each` nobody reads what follows the last answer
                assert stands(text, learnt if mine else whole), f"{kind}: {text!r}"
        for tool in row.get("tools", ()):
            for word in (tool["function"]["name"], *tool["function"]["parameters"]["properties"]):
                assert word in whole, f"{kind}: {word}"


def stands(text: str, whole: str) -> bool:
    """As it is or in JSON; some vocabularies put letters and their accents together."""
    forms = (text, json.dumps(text, ensure_ascii=False)[1:-1])
    return any(unicodedata.normalize("NFC", form) in unicodedata.normalize("NFC", whole) for form in forms)


def texts(message: Mapping[str, Any]) -> Iterator[str]:
    """The pieces of text of a message, as they stand there or in JSON."""
    content = message["content"] or ""
    parts = [part["text"] for part in content] if isinstance(content, list) else content.split("\n")
    yield from (part for part in parts if part not in ("<think>", "</think>"))
    yield message.get("reasoning_content", "")
    for call in message.get("tool_calls", ()):
        yield call["function"]["name"]
        for key, value in call["function"]["arguments"].items():
            yield key
            yield from (
                [str(value)] if isinstance(value, int | str) and str(value).isalnum() and value is not True else []
            )


@pytest.mark.parametrize("family", [name for name in SERVED if FAMILIES[name].marked])
def test_marks_by_others_are_what_is_learnt_but_for_what_the_prompt_says_and_line_breaks(family: str) -> None:
    tokenizer, compared = real_tokenizer(family), 0
    for kind, row in SCENARIOS.items():
        cell = measure(family, kind)
        if cell.way is None or cell.way.mask == "each" or any("weight" in message for message in row["messages"]):
            continue
        theirs = marked(family, row, cell.way.arguments)
        if theirs is None:
            continue
        (example,) = cell.examples
        tokens, ours = found(example)
        assert not [at for at, mine in enumerate(ours) if mine and not theirs[at]], kind
        for more, group in itertools.groupby(range(len(tokens)), key=lambda at: theirs[at] and not ours[at]):
            piece = tokenizer.decode([tokens[at] for at in group]) if more else ""
            assert piece.strip() in ("", "<think>", "<|start|>assistant") or EMPTY.fullmatch(piece), (
                f"{kind}: {piece!r}"
            )
        compared += 1
    assert compared >= 4


@pytest.mark.parametrize("family", SERVED)
def test_a_refusal_names_a_way_that_is_exact(family: str) -> None:
    for kind in SCENARIOS:
        cell = measure(family, kind)
        if cell.way is not None and cell.refusals:
            words = ["`turns: each`"] * (cell.way.mask == "each") + [f"{key}=false" for key in cell.way.arguments]
            assert any(word in cell.refusals[0] for word in words), f"{kind}: {cell.refusals[0]}"


def test_the_document_says_what_is_measured() -> None:
    text = DOCUMENT.read_text()
    assert table() == text[text.index(FIRST) : text.index(LAST) + len(LAST)], "python -m tests.template_table"


def test_scenarios_are_23_and_can_be_spelled() -> None:
    assert len(SCENARIOS) == 23
    json.dumps(SCENARIOS)
