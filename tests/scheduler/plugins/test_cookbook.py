"""The renderers of tinker-cookbook: for who has it, exact or refused; for who has not, a sentence that says how."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import scheduler.plugins.cookbook
from scheduler.plugins.cookbook import CookbookRenderer
from sweeps.errors import DataError
from sweeps.records import Records
from sweeps.rendering.render import Example, render
from sweeps.rendering.renderers import choose_renderer, load_renderer
from sweeps.rendering.turns import build_continuation, build_generation_prompt, list_stops
from tests.sweeps.parsed import measure_lengths
from tests.sweeps.templates import chat, speaking
from tests.wording import naming

TOOL = {"type": "function", "function": {"name": "look_up", "description": "", "parameters": {"type": "object"}}}
CALL = {"type": "function", "function": {"name": "look_up", "arguments": {"word": "a"}}}


def rendered(name: str, row: dict[str, Any]) -> tuple[Example, str]:
    """The example, and the text of what it learns."""
    tokenizer = speaking("chatml")
    renderer = choose_renderer(f"cookbook:{name}", tokenizer, messages=True)
    example = render(row, "chat", tokenizer, renderer=renderer, loss_mask="completion")
    assert measure_lengths(Records("chat", (row,)), tokenizer, renderer) == [len(example)]
    return example, tokenizer.decode(example.tokens[1:][example.weights > 0].tolist())


def test_without_it_the_plan_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tinker_cookbook", None)
    with pytest.raises(DataError, match=naming("tinker-cookbook", "pip install 'tinker-cookbook>=0.5.8'")):
        choose_renderer("cookbook:qwen3", speaking("chatml"), messages=True)


class Tensor(list[float]):
    def tolist(self) -> list[float]:
        return list(self)


class Stub:
    """As a renderer of the cookbook: one token a message behind a header of one, one that ends it."""

    has_extension_property = True

    def get_stop_sequences(self) -> list[int]:
        return [9]

    def build_generation_prompt(self, messages: list[Any]) -> Any:
        return SimpleNamespace(to_ints=lambda: [token for _ in messages for token in (1, 5, 9)] + [1])

    def build_supervised_example(self, messages: list[Any], train_on_what: str) -> Any:
        tokens = [token for _ in messages for token in (1, 5, 9)]
        last = len(messages) - 1
        learnt = [
            message.get("trainable", message["role"] == "assistant") and (train_on_what != "LAST" or at == last)
            for at, message in enumerate(messages)
        ]
        weights = [float(is_learnt and part > 0) for is_learnt in learnt for part in range(3)]
        return SimpleNamespace(to_ints=lambda: tokens), Tensor(weights)


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Stub:
    """The shape of the cookbook, where it is not installed: what we ask of it and how, not what it does."""
    made = Stub()
    package, renderers = ModuleType("tinker_cookbook"), ModuleType("tinker_cookbook.renderers")
    which = SimpleNamespace(LAST_ASSISTANT_MESSAGE="LAST", ALL_ASSISTANT_MESSAGES="ALL", CUSTOMIZED="CUSTOM")
    vars(renderers).update(get_renderer=lambda _name, _tokenizer: made, TrainOnWhat=which)
    vars(package).update(renderers=renderers)
    monkeypatch.setitem(sys.modules, "tinker_cookbook", package)
    monkeypatch.setitem(sys.modules, "tinker_cookbook.renderers", renderers)
    monkeypatch.setattr(scheduler.plugins.cookbook, "version", lambda _: "0.5.8")
    return made


@pytest.mark.usefixtures("stub")
def test_the_version_is_in_the_name() -> None:
    tokenizer = speaking(None)
    tokenizer.cookbook.cache_clear()
    assert choose_renderer("cookbook:some", tokenizer, messages=True) == "cookbook:some@0.5.8"
    with pytest.raises(DataError, match=r"tinker-cookbook 0\.6\.1.*0\.5\.8"):
        build_generation_prompt(chat("a"), load_renderer("cookbook:some@0.6.1", tokenizer))
    tokenizer.cookbook.cache_clear()


@pytest.mark.usefixtures("stub")
@pytest.mark.parametrize(
    ("learnt", "weights"), [([3], [0, 0, 0, 1]), ([1, 3], [0, 1, 0, 1]), ([1], [0, 1, 0, 0])], ids=str
)
def test_the_answers_that_are_asked_for_bear_loss(learnt: list[int], weights: list[int]) -> None:
    written = CookbookRenderer("some", None).render_weighted(chat("a", "b", "c", "d"), (), learnt)
    assert written.weights == [float(weight and part) for weight in weights for part in (0, 1, 1)]


def test_where_answers_are_rewritten_only_the_last_one_can_be_learnt(stub: Stub) -> None:
    stub.has_extension_property = False
    renderer = CookbookRenderer("some", None)
    assert sum(renderer.render_weighted(chat("a", "b", "c", "d"), (), [3]).weights) == 2
    with pytest.raises(DataError, match=naming("writes an answer differently", "weight: 0")):
        renderer.render_weighted(chat("a", "b", "c", "d"), (), [1, 3])


class TestReal:
    """With the package itself, on a tokenizer that has the control tokens of ChatML."""

    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        pytest.importorskip("tinker_cookbook.renderers")
        speaking("chatml").cookbook.cache_clear()

    def test_what_is_learnt_is_what_the_assistant_wrote(self) -> None:
        example, learnt = rendered("qwen3_instruct", {"messages": chat("hello", "yes no", "12", "34", system="the")})
        assert learnt == "yes no<|im_end|>34<|im_end|>"
        assert example.text_bytes == len("yes no34")

    def test_tools_and_their_calls_are_written(self) -> None:
        messages = [
            *chat("hello", system="Be brief."),
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "content": "42", "name": "look_up"},
            {"role": "assistant", "content": "yes"},
        ]
        example, learnt = rendered("qwen3_instruct", {"messages": messages, "tools": [TOOL]})
        assert learnt.endswith("<|im_end|>yes<|im_end|>")
        assert '"word": "a"' in learnt
        assert "42" not in learnt
        assert "Be brief." in speaking("chatml").decode(example.tokens.tolist())

    def test_thoughts_that_are_history_are_refused_unless_the_last_answer_alone_is_learnt(self) -> None:
        messages = chat("hello", "yes", "12", "no")
        with pytest.raises(DataError, match=naming("cookbook:qwen3", "writes an answer differently")):
            rendered("qwen3", {"messages": messages})
        messages[1]["weight"] = 0
        assert rendered("qwen3", {"messages": messages})[1].endswith("no<|im_end|>")

    @pytest.mark.parametrize("name", ["qwen3_instruct", "role_colon"])
    @pytest.mark.parametrize("ended", [True, False])
    def test_a_dialogue_that_grew_is_the_prompt_of_the_whole(self, name: str, ended: bool) -> None:
        tokenizer = speaking("chatml")
        renderer = load_renderer(choose_renderer(f"cookbook:{name}", tokenizer, messages=True), tokenizer)
        messages = chat("hello", "yes", "12")
        first = list_stops(renderer)[0]
        end = tokenizer.encode(first) if isinstance(first, str) else [first]
        answer = tokenizer.encode("yes" if name == "qwen3_instruct" else " yes") + (end if ended else [])
        grown = [
            *build_generation_prompt(messages[:1], renderer),
            *answer,
            *build_continuation(messages[:2], messages[2:], renderer, ended=ended),
        ]
        assert tokenizer.decode(grown) == tokenizer.decode(build_generation_prompt(messages, renderer))

    def test_a_dialogue_whose_thoughts_are_left_out_is_refused(self) -> None:
        tokenizer = speaking("chatml")
        renderer = choose_renderer("cookbook:qwen3", tokenizer, messages=True)
        with pytest.raises(DataError, match="what the model said differently"):
            build_continuation(chat("a", "b"), chat("c"), load_renderer(renderer, tokenizer))

    @pytest.mark.parametrize("name", ["nonsense", "llama3"])
    def test_a_renderer_that_does_not_suit_the_tokenizer_is_refused(self, name: str) -> None:
        with pytest.raises(DataError, match=f"cookbook:{name} "):
            choose_renderer(f"cookbook:{name}", speaking("chatml"), messages=True)
