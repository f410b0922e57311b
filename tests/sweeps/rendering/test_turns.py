"""The tokens of a dialogue only grow, and are those of the chat written as a whole."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.errors import DataError
from sweeps.rendering.render import render
from sweeps.rendering.renderers import Renderer, choose_renderer, load_renderer
from sweeps.rendering.tokenizer import OfflineTokenizer, Tokenizer
from sweeps.rendering.turns import build_continuation, build_generation_prompt, list_stops
from tests.sweeps.rendering.byte_tokenizer import Bytes
from tests.sweeps.templates import STYLES, chat, speaking

OURS: dict[str, Tokenizer] = {"offline": OfflineTokenizer(), "bytes": Bytes()}
VOICES = (*OURS, *STYLES)
tidy = st.text(alphabet="ab 12.{}", min_size=1, max_size=9).map(str.strip).filter(bool)


def voice(name: str) -> tuple[Tokenizer, str]:
    tokenizer = OURS[name] if name in OURS else speaking(name)
    return tokenizer, choose_renderer(None, tokenizer, messages=True)


def load(name: str) -> Renderer:
    tokenizer, renderer = voice(name)
    return load_renderer(renderer, tokenizer)


def end(renderer: Renderer) -> list[int]:
    first = list_stops(renderer)[0]
    return renderer.tokenizer.encode(first) if isinstance(first, str) else [first]


@pytest.mark.parametrize("name", VOICES)
@settings(max_examples=40, deadline=None)
@given(st.lists(tidy, min_size=3, max_size=7).filter(lambda texts: len(texts) % 2 == 1), st.booleans())
def test_a_dialogue_that_grew_is_the_prompt_of_the_whole(name: str, texts: list[str], ended: bool) -> None:
    renderer = load(name)
    tokenizer = renderer.tokenizer
    messages = chat(*texts)
    tokens = build_generation_prompt(messages[:1], renderer)
    for place in range(1, len(messages), 2):
        sampled = tokenizer.encode(texts[place]) + (end(renderer) if ended else [])
        so_far, new = messages[: place + 1], messages[place + 1 : place + 2]
        tokens += [*sampled, *build_continuation(so_far, new, renderer, ended=ended)]
    assert tokens == build_generation_prompt(messages, renderer)


@pytest.mark.parametrize("name", VOICES)
@settings(max_examples=40, deadline=None)
@given(tidy, tidy)
def test_an_answer_is_learnt_behind_just_the_prompt_behind_which_it_is_sampled(
    name: str, asked: str, answer_text: str
) -> None:
    tokenizer, named = voice(name)
    renderer = load_renderer(named, tokenizer)
    messages = chat(asked, answer_text)
    prompt = build_generation_prompt(messages[:1], renderer)
    example = render({"messages": messages}, "chat", tokenizer, renderer=named, loss_mask="completion")
    answer = [*tokenizer.encode(answer_text), *end(renderer)]
    assert example.tokens[: len(prompt) + len(answer)].tolist() == [*prompt, *answer]
    assert example.weights.nonzero()[0].tolist() == [len(prompt) - 1 + at for at in range(len(answer))]


@pytest.mark.parametrize("name", VOICES)
def test_text_is_taken_as_it_is(name: str) -> None:
    renderer = load(name)
    tokenizer = renderer.tokenizer
    begin = [] if tokenizer.bos is None else [tokenizer.bos]
    assert build_generation_prompt("12 + 34 = ", renderer) == [
        *begin,
        *tokenizer.encode("12 + 34 = "),
    ]
    assert build_continuation(chat("a", "b"), "\nno\n", renderer) == tokenizer.encode("\nno\n")


def test_what_ends_a_turn() -> None:
    local = speaking("headers")
    assert list_stops(Renderer(OfflineTokenizer())) == (OfflineTokenizer.eos,)
    assert list_stops(Renderer(Bytes())) == ("\n\n",)
    assert list_stops(load("headers")) == (*local.encode("<|eot|>"), local.eos, *local.encode("<|im_end|>"))
    assert list_stops(load("colons")) == (speaking("colons").eos, *local.encode("<|im_end|>"))


def test_results_of_tools_are_an_answer_too() -> None:
    renderer = load("tools")
    tokenizer = renderer.tokenizer
    tool: dict[str, Any] = {"type": "function", "function": {"name": "look_up"}}
    so_far = [{"role": "user", "content": "Which?"}, {"role": "assistant", "content": "<call>look_up{}</call>"}]
    new = [{"role": "tool", "content": "42"}]
    prompt = build_generation_prompt(so_far[:1], renderer, tools=[tool])
    assert "look_up" in tokenizer.decode(prompt)
    added = build_continuation(so_far, new, renderer, tools=[tool])
    call = tokenizer.encode("<call>look_up{}</call><|im_end|>")
    assert [*prompt, *call, *added] == build_generation_prompt([*so_far, *new], renderer, tools=[tool])
    assert tokenizer.decode(added) == "\n<|im_start|>user\n<result>42</result><|im_end|>\n<|im_start|>assistant\n"


def test_a_template_that_rewrites_what_the_model_said_is_refused() -> None:
    renderer = load("forgetful")
    with pytest.raises(DataError, match="'<think>a</think>b', to 'b"):
        build_continuation(chat("a", "<think>a</think>b"), chat("c"), renderer)


def test_white_space_that_a_template_trims_stays_as_it_was_sampled() -> None:
    renderer = load("headers")
    added = build_continuation(chat("a", " b\n"), chat("c"), renderer)
    assert added == build_continuation(chat("a", "b"), chat("c"), renderer)


def test_what_goes_on_must_follow_the_assistant() -> None:
    with pytest.raises(DataError, match="assistant last"):
        build_continuation(chat("a"), chat("b"), Renderer(OfflineTokenizer()))


def test_a_chat_may_begin_with_the_assistant_where_the_template_takes_that() -> None:
    tokenizer, named = voice("chatml")
    renderer = load_renderer(named, tokenizer)
    row = {"messages": [{"role": "assistant", "content": "hello"}]}
    example = render(row, "chat", tokenizer, renderer=named, loss_mask="completion")
    prompt = build_generation_prompt([], renderer)
    assert tokenizer.decode(prompt) == "<|im_start|>assistant\n"
    assert example.tokens[: len(prompt)].tolist() == prompt
