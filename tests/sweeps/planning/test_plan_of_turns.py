"""A dialogue that cannot be gone on with is refused by the plan, before anything is sampled."""

from typing import Any

import pytest

from sweeps.environments import EpisodeShape, NamedEnvironment, Turn
from sweeps.errors import DataError, PlanError
from sweeps.planning.plan import plan
from sweeps.rendering.renderers import choose_renderer, load_renderer
from sweeps.rendering.turns import refuse_one_turn_only
from sweeps.spec.parse import parse
from sweeps.stage import Plan
from tests.sweeps.questions import prices
from tests.sweeps.templates import THINKING, speaking
from tests.tokenizers import real_tokenizer

ACTING = """
sweep: turns
experiment: grid
model: some/model
train: {method: rl, environment: "a:b", rank: 4, learning_rate: 0.01, steps: 1, groups: 2, group_size: 2}
seeds: 1
evaluate: [{task_completion: {environment: "a:b", episodes: 2}}]
"""
ASKED = [{"role": "user", "content": "a"}]


class Talk:
    version, stop = 1, ()

    def __init__(self, turns: int, answer: Any) -> None:
        self.shape = EpisodeShape(turns=(1, turns))
        self.prompt = ASKED
        self.answer = answer

    def episode(self, *_: Any) -> "Talk":
        return self

    def step(self, action: str) -> Turn:
        if self.answer is None:
            raise RuntimeError(action)
        return Turn(self.answer)


def planned(style: str, turns: int, answer: Any, renderer: str = "chat_template") -> Plan:
    tokenizer = speaking(style)
    return plan(
        parse(ACTING, overrides=[f"renderer={renderer}"]),
        load=lambda *_: None,  # type: ignore[arg-type]
        tokenizers=lambda _: tokenizer,
        prices=prices(),
        environments=lambda name: NamedEnvironment(name, "1", Talk(turns, answer)),
    )


USER = [{"role": "user", "content": "c"}]
TOOL = [{"role": "tool", "content": "c"}]


@pytest.mark.parametrize("style", ["chatml", "headers"])
@pytest.mark.parametrize("answer", [USER, "c", None])
def test_what_can_be_gone_on_with_is_planned(style: str, answer: Any) -> None:
    assert planned(style, 3, answer).stages


@pytest.mark.parametrize("answer", [USER, None])
def test_thoughts_that_are_left_out_of_the_history_end_a_dialogue_at_its_second_turn(answer: Any) -> None:
    with pytest.raises(PlanError, match="a:b: its episodes have several turns"):
        planned(THINKING, 2, answer)
    assert planned(THINKING, 1, answer).stages
    assert planned(THINKING, 2, "text as it is").stages
    assert planned(THINKING, 2, answer, "plain").stages


@pytest.mark.parametrize(
    ("family", "user", "tool"),
    [
        ("qwen3-2507", True, True),
        ("qwen3", False, True),
        ("qwen3.8", True, True),
        ("llama-3.1", True, True),
        ("gpt-oss", False, True),
        ("deepseek-v3.1", True, True),
        ("gemma-3", True, False),
    ],
)
def test_which_real_families_go_on_with_whom(family: str, *, user: bool, tool: bool) -> None:
    tokenizer = real_tokenizer(family)
    renderer = choose_renderer("chat_template", tokenizer, messages=True)

    def goes_on(answer: list[dict[str, Any]]) -> bool:
        try:
            refuse_one_turn_only(ASKED, answer, load_renderer(renderer, tokenizer))
        except DataError:
            return False
        return True

    assert (goes_on(USER), goes_on(TOOL)) == (user, tool)
