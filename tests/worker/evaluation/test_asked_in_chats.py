"""Questions are asked through the renderer of the recipe, and what answers them is what the assistant says."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from types import MappingProxyType

import numpy as np
import pytest

from scheduler import prepare
from scheduler.state.costs import read_costs
from sweeps.errors import DataError
from sweeps.rendering.renderers import choose_renderer, load_renderer
from sweeps.rendering.tokenizer import Argument, Messages, Template, Tokenizer, Tools
from sweeps.stage import Stage
from tests.sweeps.templates import speaking
from tests.worker.results import count_at_service, read_items, read_usage
from tests.worker.specs import submit_and_train
from tests.worker.workshop import Workshop
from worker import examples
from worker.evaluation.ask_questions import AnswerReader
from worker.sdk.responses import SampledSequence

END = "<end>"


class Named:
    """A template that writes who speaks, for the characters of tinker_offline."""

    digest = "0123456789ab"
    reads = takes = frozenset[str]()
    arguments: Mapping[str, Argument] = MappingProxyType({})

    def apply_arguments(self, arguments: Mapping[str, Argument]) -> Template:
        raise DataError(f"{', '.join(arguments)} found, which it never reads")

    def text(self, messages: Messages, tools: Tools, *, prompt: bool) -> str:  # noqa: ARG002 - the protocol's
        turns = "".join(f"[{message['role'][0]}]{message['content']}{END}" for message in messages)
        return turns + ("[a]" if prompt else "")

    def render_marked(self, messages: Messages, tools: Tools) -> None:  # noqa: ARG002 - the protocol's
        return None


class Characters:
    """The characters of tinker_offline, and a template beside them."""

    name = "offline-characters-1"
    bos: int | None = 0
    eos: int | None = 1
    controls = frozenset([END])

    @cached_property
    def chat(self) -> Template:
        return Named()

    def encode(self, text: str) -> list[int]:
        parts = text.split(END)
        plain = [[2 if character == "\n" else ord(character) - 28 for character in part] for part in parts]
        return [token for at, part in enumerate(plain) for token in ([1] if at else []) + part]

    def decode(self, tokens: Sequence[int]) -> str:
        return "".join(END if token == 1 else "" if token == 0 else chr(token + 28) for token in tokens)


@pytest.mark.parametrize("evaluation", ["{answers: {most: 6}}", "{answers: {check: choice}}"])
def test_by_a_template_from_the_plan_to_the_items(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, evaluation: str
) -> None:
    as_text = submit_and_train(workshop, evaluation, "text")
    before = count_at_service(workshop)
    tokenizer = Characters()
    monkeypatch.setattr(prepare, "tokenizer_for", lambda _: tokenizer)
    monkeypatch.setattr(examples, "load_recipe_tokenizer", lambda *_: tokenizer)
    stages = submit_and_train(workshop, evaluation)
    assert {stage.recipe["renderer"] for stage in stages} == {"chat_template:0123456789ab"}
    assert not {stage.id for stage in stages} & {stage.id for stage in as_text}
    assert read_usage(workshop, *stages) == count_at_service(workshop).minus(before), "metered to the token"
    for costs in read_costs(workshop.store, "one").kinds:
        assert costs.low is not None
        assert costs.high is not None
        assert costs.low <= costs.metered <= costs.high
    _are_answers(workshop, stages[1])
    if "choice" not in evaluation:
        usage = read_usage(workshop, stages[1])
        read = stages[1].low_tokens - stages[1].examples  # the least that is written is one token each
        assert usage.prefill + usage.cached_prefill == read, "what is read is what was reckoned with"


def _are_answers(workshop: Workshop, stage: Stage) -> None:
    for row in read_items(workshop, stage):
        assert END not in str(row.get("said"))
        assert 0 < row["confidence"] <= 1


def heard(tokenizer: Tokenizer, renderer: str, text: str) -> str:
    tokens = tokenizer.encode(text)
    written = SampledSequence(np.array(tokens, np.int32), np.full(len(tokens), -0.1, np.float32))
    return AnswerReader(load_renderer(renderer, tokenizer)).read(written, len(written.tokens) + 1).text


@pytest.mark.parametrize(("style", "end"), [("chatml", "<|im_end|>"), ("headers", "<|eot|>"), ("colons", "<|eos|>")])
def test_the_end_of_a_turn_and_a_thought_before_it_are_no_part_of_the_answer(style: str, end: str) -> None:
    tokenizer = speaking(style)
    renderer = choose_renderer(None, tokenizer, messages=True)
    assert heard(tokenizer, renderer, f"hello{end}") == "hello"
    assert heard(tokenizer, renderer, f"<think>12?</think>34{end}") == "34"
    assert heard(tokenizer, renderer, "hello") == "hello", "one that was cut off is what it is"
    assert heard(tokenizer, "plain", "hello<|eos|>") == "hello"
    assert heard(tokenizer, "plain", "a</think>b") == "a</think>b", "text is not taken apart"
    assert tokenizer.decode(AnswerReader(load_renderer("plain", tokenizer)).encode("hello")) == "<|begin|>hello"
    ends = AnswerReader(load_renderer(renderer, tokenizer)).stops
    assert tokenizer.encode(end)[0] in ends
    assert AnswerReader(load_renderer("plain", tokenizer)).stops == (tokenizer.eos,)
