"""Adapt environments of the library `verifiers` (0.1 and 0.2): `verifiers:ID?argument=value&…`.

The library runs its own rollout, with stop conditions, tools and rubric, and calls a model. We are that model: each
question of the library is our prompt or next observation, and the next action is the answer. So none of the library's
logic is repeated here.

Arguments go to the environment's `load_environment`, as JSON if they are JSON. `action=…` and `observation=…` are
ours: the maximum tokens of an action and of an observation, which the library does not know.

Tools are described, called and answered as text, as many open models are trained to: `<tool_call>{…}</tool_call>`.
"""

import asyncio
import hashlib
import json
import random
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from importlib.metadata import version as version_of
from typing import Any
from urllib.parse import parse_qsl

from scheduler.errors import CodeUnusable
from sweeps.environments import EpisodeShape, Messages, Split, Turn

TURNS = 16  # if the environment has no limit
TOKENS = 1024  # of an action and of an observation, by default
HELD_OUT = 5  # every fifth row is held out, if the environment has no rows for testing
CALL = re.compile(r"<tool_call>\s*(.*?)\s*</tool_call>", re.DOTALL)
NEEDS = {
    "SandboxEnv": "a sandbox",
    "SandboxMixin": "a sandbox",
    "EnvGroup": "a choice: name one environment of the group",
}
TOOLS = """You may call these functions, described in JSON:
<tools>
{}
</tools>
To call one, write <tool_call>{{"name": …, "arguments": {{…}}}}</tool_call>, as often as you need to."""


def load_verifiers(name: str, rest: str) -> "VerifiersEnvironment":
    """Load the environment with an id. Raises CodeUnusable."""
    library = _import_library(name)
    identity, _, query = rest.partition("?")
    arguments = dict(_parse_arguments(query))
    spans = [_check_tokens(name, what, arguments.pop(what, TOKENS)) for what in ("action", "observation")]
    try:
        inner = library.load_environment(identity, **arguments)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - an import, a download, anything
        cause = error.__cause__ or error
        raise CodeUnusable(f"cannot load {name}: {type(cause).__name__}: {str(cause)[:300]}") from None
    if need := _find_need(library, inner):
        raise CodeUnusable(f"{name} needs {need}, which is not supported")
    return VerifiersEnvironment(library, inner, EpisodeShape(action=(1, spans[0]), observation=(0, spans[1])))


def name_module(rest: str) -> str:
    """Return the module of an environment, from its name without `verifiers:`."""
    return rest.partition("?")[0].replace("-", "_").split("/")[-1]


def list_sources(environment: "VerifiersEnvironment", rest: str) -> tuple[str, set[str]]:
    """Return what identifies its code: the library's version, and the modules of the environment."""
    inner = type(environment.inner).__module__
    own = set[str]() if inner.startswith("verifiers.") else {inner}
    return f"verifiers {version_of('verifiers')}", {name_module(rest)} | own


def _import_library(name: str) -> Any:
    try:
        import verifiers
    except ImportError as error:
        raise CodeUnusable(
            f"{name}: cannot import the library verifiers ({error}); run `pip install 'verifiers<0.3'` where the "
            "workers run, and install the package of the environment"
        ) from None
    if not hasattr(verifiers, "MultiTurnEnv"):
        raise CodeUnusable(
            f"{name}: expected verifiers 0.1 or 0.2, got {version_of('verifiers')}, whose environments run whole "
            "programs around a model; run `pip install 'verifiers<0.3'`"
        )
    return verifiers


def _parse_arguments(query: str) -> Iterator[tuple[str, Any]]:
    for key, text in parse_qsl(query, keep_blank_values=True):
        try:
            yield key, json.loads(text)
        except ValueError:
            yield key, text


def _check_tokens(name: str, what: str, value: object) -> int:
    if type(value) is not int or value < 1:
        raise CodeUnusable(f"{name}: {what}: expected a whole number of tokens, got {value!r}")
    return value


def _find_need(library: Any, inner: Any) -> str | None:
    """Return what the environment needs and we do not support, or None."""
    kinds = [kind.__name__ for kind in type(inner).__mro__]
    for kind, need in NEEDS.items():
        if kind in kinds:
            return need
    if not isinstance(inner, library.MultiTurnEnv):
        return f"to run by itself ({kinds[0]} is not a MultiTurnEnv)"
    if inner.rubric.has_group_rewards:
        return "to judge several episodes of a task together"
    rubrics = [inner.rubric, *getattr(inner.rubric, "rubrics", [])]
    if any("JudgeRubric" in [kind.__name__ for kind in type(rubric).__mro__] for rubric in rubrics):
        return "another model as a judge"
    return None


class VerifiersEnvironment:
    """An environment of verifiers with our protocol."""

    version = 1
    stop = ()

    def __init__(self, library: Any, inner: Any, shape: EpisodeShape) -> None:
        self.library = library
        self.inner = inner
        if inner.max_turns < 1:
            inner.max_turns = TURNS  # then it ends, and is scored
        inner.timeout_seconds = None  # the model may be slow; the environment's time is limited elsewhere
        self.shape = shape._replace(turns=(1, inner.max_turns))
        self.loop = asyncio.new_event_loop()
        self.model = _make_model(library)
        self._rows: dict[Split, Any] = {}

    def episode(self, seed: int, split: Split) -> "VerifiersEpisode":
        if split not in self._rows:
            self._rows[split] = self._read_rows(split)
        rows = self._rows[split]
        return VerifiersEpisode(self, seed, rows[seed % len(rows)])

    def _read_rows(self, split: Split) -> Any:
        """Read the rows for training or testing. If the environment has one kind only, split it."""
        inner = self.inner
        training, testing = inner.build_dataset(), inner.build_eval_dataset()
        rows = training if split == "train" else testing
        if training is None or testing is None:
            rows = training if testing is None else testing
            held_out = [number for number in range(len(rows)) if (number % HELD_OUT == 0) == (split == "test")]
            rows = rows.select(held_out)
        if not len(rows):
            raise LookupError(f"the environment has no rows to {split} with")
        return rows

    async def play(self, row: Mapping[str, Any]) -> Any:
        """Run the library's rollout and score it, with us as the model."""
        state = await self.inner.rollout(dict(row), self.model, "tinker-sweeps", {})
        if state.get("error") is not None:
            raise RuntimeError(f"the rollout ended with {state['error']!r}")
        await self.inner.rubric.score_rollout(state)
        await self.inner.rubric.cleanup(state)
        return state


class VerifiersEpisode:
    """A rollout of the library, which waits whenever it calls the model."""

    def __init__(self, environment: VerifiersEnvironment, seed: int, row: Mapping[str, Any]) -> None:
        self._loop = environment.loop
        self._seed = seed
        self._steps = 0
        self._asked: asyncio.Future[list[dict[str, str]]] = environment.loop.create_future()
        self._action: asyncio.Future[str] = environment.loop.create_future()
        token = _PLAYING.set(self)  # the task copies the context
        self._rollout = environment.loop.create_task(environment.play(row))
        _PLAYING.reset(token)
        if self._continue() is not None:
            raise RuntimeError("the rollout ended before it called the model")
        self._heard = self._asked.result()
        self.prompt: Messages = self._heard

    def step(self, action: str) -> Turn:
        self._asked = self._loop.create_future()
        answered, self._action = self._action, self._loop.create_future()
        answered.set_result(action)
        over = self._continue()
        if over is not None:
            return Turn(reward=float(over["reward"]), done=True, facts=_convert_metrics(over["metrics"]))
        before, self._heard = self._heard, self._asked.result()
        if self._heard[: len(before)] != before:
            raise RuntimeError("it changes earlier messages, which is not supported")
        return Turn(self._heard[len(before) + 1 :])  # after those, and the action

    async def answer(self, conversation: Sequence[Any], tools: Sequence[Any] | None) -> str:
        """Answer as the model."""
        action = self._action
        self._asked.set_result([*_convert_messages(conversation, tools)])
        return await action

    def _continue(self) -> Any:
        """Run until the rollout calls the model, or ends: then return its state. Raises what the rollout raised."""
        self._seed_chance()
        both = asyncio.wait({self._rollout, self._asked}, return_when=asyncio.FIRST_COMPLETED)
        self._loop.run_until_complete(both)
        return self._rollout.result() if self._rollout.done() else None

    def _seed_chance(self) -> None:
        """Seed the usual random generators, because the library takes no seed."""
        digest = hashlib.sha256(f"{self._seed} {self._steps}".encode()).digest()
        self._steps += 1
        random.seed(digest)
        if numpy := sys.modules.get("numpy"):
            numpy.random.seed(int.from_bytes(digest[:4], "big"))


_PLAYING: ContextVar[VerifiersEpisode] = ContextVar("playing")


def _make_model(library: Any) -> Any:
    """Make the object that the library calls as its model."""
    from verifiers import types

    async def get_response(_: object, prompt: Any, model: str, *__: object, tools: Any = None, **___: object) -> Any:
        text = await _PLAYING.get().answer(prompt, tools)
        content, calls = _split_calls(text) if tools else (text, [])
        message = types.ResponseMessage(
            content=content,
            tool_calls=[types.ToolCall(**call) for call in calls] or None,
            finish_reason="tool_calls" if calls else "stop",
            is_truncated=False,
        )
        return types.Response(id="", created=0, model=model, usage=None, message=message)

    kind: Any = type("Asked", (library.Client,), {"get_response": get_response})
    kind.__abstractmethods__ = frozenset()  # the other methods talk to a service, and are never called
    return kind(None)


def _split_calls(text: str) -> tuple[str, list[dict[str, str]]]:
    """Split an answer into text and tool calls. The environment gets a malformed call as a bad one."""
    calls = []
    for number, spelled in enumerate(CALL.findall(text)):
        try:
            call = json.loads(spelled)
            name, arguments = str(call["name"]), json.dumps(call.get("arguments", {}))
        except (ValueError, TypeError, KeyError, AttributeError):
            name, arguments = "", spelled
        calls.append({"id": f"call_{number}", "name": name, "arguments": arguments})
    return CALL.sub("", text).strip(), calls


def _convert_messages(conversation: Sequence[Any], tools: Sequence[Any] | None) -> Iterator[dict[str, str]]:
    """Convert the library's messages to ours: text, and roles that every chat template knows."""
    described = TOOLS.format("\n".join(tool.model_dump_json(exclude_none=True) for tool in tools)) if tools else ""
    messages = [(str(message.role), _read_content(message)) for message in conversation]
    if described and (not messages or messages[0][0] != "system"):
        yield {"role": "system", "content": described}
        described = ""
    for role, content in messages:
        if role == "tool":
            yield {"role": "user", "content": f"<tool_response>\n{content}\n</tool_response>"}
        else:
            yield {"role": role, "content": f"{content}\n\n{described}" if described else content}
        described = ""


def _read_content(message: Any) -> str:
    content = message.content or ""
    if not isinstance(content, str):
        kinds = {part.get("type") for part in content} - {"text"}
        if kinds:
            raise ValueError(f"expected text in a message, got {', '.join(map(str, kinds))}")
        content = "".join(part["text"] for part in content)
    calls = [{"name": call.name, "arguments": call.arguments} for call in getattr(message, "tool_calls", None) or []]
    return "\n".join([*filter(None, [content]), *(f"<tool_call>{json.dumps(call)}</tool_call>" for call in calls)])


def _convert_metrics(metrics: Mapping[str, Any] | None) -> dict[str, float]:
    return {str(name): float(value) for name, value in (metrics or {}).items()}
