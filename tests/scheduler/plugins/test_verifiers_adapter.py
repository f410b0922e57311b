"""Environments of the real library `verifiers`, where it is installed: it is no dependency of ours."""

import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.errors import CodeUnusable
from scheduler.plugins.containment.sandbox import Sandbox, SandboxLimits
from scheduler.plugins.user_environments import load_environment, read_code_digest
from sweeps.environments import Turn
from sweeps.environments.trials import LostEpisode
from tests.wording import naming

verifiers = pytest.importorskip("verifiers")
if not hasattr(verifiers, "MultiTurnEnv"):
    pytest.skip("verifiers 0.1 or 0.2 is needed", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore")

SOURCE = '''
import random
import verifiers as vf
from datasets import Dataset

def rows(n):
    return Dataset.from_list([{"question": f"{i} + {i}?", "answer": str(2 * i)} for i in range(n)])

def right(completion, answer, **_):
    return float(answer in completion[-1]["content"])

def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b

class Guess(vf.MultiTurnEnv):
    async def setup_state(self, state):
        state["secret"] = random.randrange(10**6)

    async def env_response(self, messages, state, **_):
        said = messages[-1]["content"]
        if said == "raise":
            raise ZeroDivisionError("oops")
        if said == "end":
            state["final_env_response"] = [vf.UserMessage(content="bye")]
            return state["final_env_response"]
        return [vf.UserMessage(content=f"no: {state['secret']} {random.random()}")]

class Sandbox(Guess): ...
Sandbox.__name__ = "SandboxEnv"

def whole(completions, **_) -> list:
    return [0.0 for _ in completions]

def load_environment(kind="single", testing=0, n=10):
    rubric = vf.Rubric(funcs=[right], weights=[2.0])
    common = {"dataset": rows(n), "rubric": rubric, "eval_dataset": rows(testing) if testing else None}
    if kind == "tool":
        return vf.ToolEnv(tools=[add], max_turns=4, **common)
    if kind == "group":
        return vf.SingleTurnEnv(**{**common, "rubric": vf.Rubric(funcs=[whole])})
    kinds = {"single": vf.SingleTurnEnv, "guess": Guess, "sandbox": Sandbox}
    return kinds[kind](system_prompt="Add.", **common)
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "doubling_env.py").write_text(textwrap.dedent(SOURCE))
    yield tmp_path
    sys.modules.pop("doubling_env", None)


def test_a_question_is_one_turn_and_the_rubric_is_its_reward(folder: Path) -> None:
    environment = load_environment("verifiers:doubling-env?action=8", folder)
    assert environment.shape == ((1, 1), (1, 8), (0, 1024))
    episode = environment.episode(3, "train")
    assert episode.prompt == [{"role": "system", "content": "Add."}, {"role": "user", "content": "4 + 4?"}]
    assert episode.step("it is 8") == Turn("", 2.0, True, {"right": 1.0, "num_turns": 1.0})
    assert environment.episode(3, "train").step("it is 9").reward == 0.0


def test_a_conversation_goes_on_until_the_library_says_that_it_is_over(folder: Path) -> None:
    environment = load_environment("verifiers:doubling-env?kind=guess", folder)
    first, second = environment.episode(3, "train"), environment.episode(3, "train")
    turns = [first.step("1"), first.step("2"), first.step("end")]
    assert [turn.done for turn in turns] == [False, False, True]
    assert turns[0].observation != turns[1].observation
    assert [second.step("1"), second.step("2"), second.step("end")] == turns, "chance is the same each time"
    with pytest.raises(ZeroDivisionError, match="oops"):
        environment.episode(3, "train").step("raise")


def test_one_without_a_limit_of_turns_gets_one(folder: Path) -> None:
    environment = load_environment("verifiers:doubling-env?kind=guess", folder)
    episode = environment.episode(3, "train")
    assert [episode.step("8").done for _ in range(environment.shape.turns[1])] == [False] * 15 + [True]


def test_tools_are_told_of_called_and_answered_in_text(folder: Path) -> None:
    environment = load_environment("verifiers:doubling-env?kind=tool", folder)
    episode = environment.episode(3, "train")
    assert not isinstance(episode.prompt, str)
    system, question = episode.prompt
    assert '"name":"add"' in system["content"]
    assert question == {"role": "user", "content": "4 + 4?"}
    call = '<tool_call>{"name": "add", "arguments": {"a": 4, "b": 4}}</tool_call>'
    turn = episode.step(f"Let me see. {call}<tool_call>add(4, 4)</tool_call>")
    assert turn.observation[0] == {"role": "user", "content": "<tool_response>\n8\n</tool_response>"}
    assert len(turn.observation) == 2, "a call that cannot be read is answered as well"
    last = episode.step("8")
    assert (last.reward, last.done, last.facts["add_calls"]) == (2.0, True, 1.0)


def test_what_is_tested_is_never_trained_on(folder: Path) -> None:
    environment = load_environment("verifiers:doubling-env", folder)
    trained = {str(environment.episode(seed, "train").prompt) for seed in range(50)}
    tested = {str(environment.episode(seed, "test").prompt) for seed in range(50)}
    assert (len(trained), len(tested)) == (8, 2)
    assert not trained & tested
    own = load_environment("verifiers:doubling-env?testing=3", folder)
    assert len({str(own.episode(seed, "test").prompt) for seed in range(50)}) == 3


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("kind=sandbox", ("sandbox",)),
        ("kind=group", ("several episodes",)),
        ("kind=other", ("KeyError: 'other'",)),
        ("action=many", ("action", "'many'")),
        ("no=1", ("TypeError",)),
    ],
)
def test_what_is_not_supported_is_said(folder: Path, query: str, values: tuple[str, ...]) -> None:
    with pytest.raises(CodeUnusable, match=naming("verifiers:doubling-env", *values)):
        load_environment(f"verifiers:doubling-env?{query}", folder)
    with pytest.raises(CodeUnusable, match="verifiers:not-there"):
        load_environment("verifiers:not-there", folder)


def test_it_is_played_in_the_arena_like_any_other(folder: Path) -> None:
    name = "verifiers:doubling-env?kind=guess"
    limits = SandboxLimits(step=60)
    with Sandbox(name, split="train", code=read_code_digest(name, folder), folder=folder, limits=limits) as sandbox:
        prompts = sandbox.begin({1: 3, 2: 4})
        turns = sandbox.act({1: "raise", 2: "1"})
        sandbox.close()
        turns = {**turns, **sandbox.act({2: "end"})}
    assert [prompt for prompt in prompts.values() if isinstance(prompt, LostEpisode)] == []
    assert isinstance(turns[1], LostEpisode)
    assert "ZeroDivisionError: oops" in turns[1].cause
    assert isinstance(turns[2], Turn)
    assert turns[2].done
    assert sandbox.starts == 2
