"""Who does what a refusal says is right gets what was wanted: it names what this row and this template lack."""

import re
from typing import Any

import pytest

from sweeps.errors import DataError
from sweeps.records import Records
from sweeps.rendering.render import LossMask, render_all
from sweeps.rendering.renderers import choose_renderer
from tests.sweeps.templates import THINKING, chat, speaking
from tests.wording import naming

THOUGHTFUL = [*chat("hello"), {"role": "assistant", "content": "yes", "reasoning_content": "a"}]
OTHER_NAME = THINKING.replace("enable_thinking", "thinking")
NO_SWITCH = THINKING[: THINKING.index("{%- if enable_thinking")] + "{%- endif %}"
KEEPS = THINKING.replace("loop.last", "(loop.last or (preserve_thinking is defined and preserve_thinking))")


def refusal(
    template: str, messages: list[dict[str, Any]], asked: str | None = None, mask: LossMask = "completion"
) -> str:
    """What is said of the row; nothing where it is rendered."""
    tokenizer = speaking(template)
    renderer = choose_renderer(asked, tokenizer, messages=True)
    try:
        render_all(Records("chat", ({"messages": messages},)), tokenizer, renderer=renderer, loss_mask=mask)
    except DataError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(("template", "switch"), [(THINKING, "enable_thinking"), (OTHER_NAME, "thinking")])
def test_the_switch_that_is_named_is_the_one_that_the_template_reads(template: str, switch: str) -> None:
    message = refusal(template, chat("hello", "yes"))
    assert re.findall(r"chat_template:(\w+)=false", message) == [switch]
    assert not refusal(template, chat("hello", "yes"), f"chat_template:{switch}=false")
    assert "thoughts with every answer (`reasoning_content`)" in message
    assert not refusal(template, THOUGHTFUL)


def test_no_switch_is_named_where_there_is_none() -> None:
    message = refusal(NO_SWITCH, chat("hello", "yes"))
    assert "chat_template:" not in message
    assert "`renderer: plain`" in message


def test_thoughts_are_not_asked_for_where_the_row_has_them() -> None:
    message = refusal(THINKING, THOUGHTFUL, "chat_template:enable_thinking=false")
    assert "reasoning_content" not in message
    assert "plain" not in message, "which takes no thoughts"
    assert "`renderer: chat_template` without enable_thinking" in message


@pytest.mark.parametrize(("template", "keeps"), [(THINKING, []), (KEEPS, ["preserve_thinking"])])
def test_of_several_turns_every_way_that_is_named_is_one(template: str, keeps: list[str]) -> None:
    messages = [dict(message) for message in (*THOUGHTFUL, *THOUGHTFUL)]
    message = refusal(template, messages)
    assert "`turns: each`" in message
    assert "plain" not in message, "which takes no thoughts"
    assert "plain" in refusal(template, [*chat("a", "<think>b</think>c"), *chat("a", "b")]), "which takes text"
    assert not refusal(template, messages, mask="each")
    assert re.findall(r"chat_template:(\w+)=true", message) == keeps
    for name in keeps:
        assert not refusal(template, messages, f"chat_template:{name}=true")
    messages[1]["weight"] = 0
    assert "`weight: 0`" in message
    assert not refusal(template, messages)


def test_an_argument_that_is_not_taken_is_refused_with_those_that_are() -> None:
    with pytest.raises(DataError, match=naming("effort", "enable_thinking, preserve_thinking")):
        choose_renderer("chat_template:effort=low", speaking(KEEPS), messages=True)
