"""The renderers of tinker-cookbook, for those who have it installed and ask for one: `renderer: cookbook:NAME`."""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from scheduler.plugins.lazy_imports import ALONE, import_alone
from sweeps.errors import DataError
from sweeps.rendering.tokenizer import Messages, Stop, Tools, WeightedChat

INSTALL = "pip install 'tinker-cookbook>=0.5.8' installs it"
# What its renderers raise of what they do not take; its own errors are ValueErrors.
REFUSALS = (AssertionError, AttributeError, IndexError, KeyError, NotImplementedError, TypeError, ValueError)
RIGHT = "a renderer that preserves thinking is right, or rows of which only the last answer is learnt (`weight: 0`)"


class CookbookRenderer:
    """One of its renderers, for one tokenizer. Raises DataError for what the renderer does not take."""

    def __init__(self, name: str, tokenizer: Any) -> None:
        try:
            renderers = import_alone("tinker_cookbook.renderers")
            self.version = version("tinker-cookbook")
        except (ImportError, PackageNotFoundError) as error:
            said = f"renderer: cookbook:{name} found, and tinker-cookbook cannot be imported ({error})"
            raise DataError(f"{said}; {INSTALL}, or another renderer is right") from None
        self._cookbook, self._name = renderers, name
        try:
            with ALONE:  # it imports more
                self._renderer: Any = renderers.get_renderer(name, tokenizer)
            # Asked for at once: for a tokenizer without the control tokens of its format a renderer has none to give.
            self.stops: tuple[Stop, ...] = tuple(self._renderer.get_stop_sequences())
        except REFUSALS as error:
            raise self._explain(error) from None

    @property
    def extends(self) -> bool:
        """Whether a longer chat begins with the tokens of a shorter one."""
        return bool(self._renderer.has_extension_property)

    def prompt(self, messages: Messages, tools: Tools) -> list[int]:
        """What the model reads before it answers."""
        try:
            found = self._renderer.build_generation_prompt(self._messages(messages, tools))
            return [int(token) for token in found.to_ints()]
        except REFUSALS as error:
            raise self._explain(error) from None

    def written(self, messages: Messages, tools: Tools, learnt: Sequence[int]) -> WeightedChat:
        """The chat, with loss on what the assistant writes in the messages with these places."""
        if not self.extends and list(learnt) != [len(messages) - 1]:
            raise DataError(f"{self._describe_rewrite('an answer')}; {RIGHT}")
        ours = self._messages(messages, tools)
        shift = len(ours) - len(messages)  # what says the tools may stand before them
        try:
            found, weights = self._renderer.build_supervised_example(
                *self._choose_loss(ours, [at + shift for at in learnt])
            )
            written = WeightedChat(
                [int(token) for token in found.to_ints()], [float(weight) for weight in weights.tolist()]
            )
        except REFUSALS as error:
            raise self._explain(error) from None
        for place in learnt:
            self._refuse_another_beginning(written.tokens, messages[:place], tools, place)
        return written

    def _choose_loss(self, messages: list[dict[str, Any]], learnt: Sequence[int]) -> tuple[list[dict[str, Any]], Any]:
        """The messages, and which of them are to bear loss, as the cookbook has words for it."""
        which = self._cookbook.TrainOnWhat
        assistant = [at for at, message in enumerate(messages) if message["role"] == "assistant"]
        if list(learnt) == [len(messages) - 1]:
            return messages, which.LAST_ASSISTANT_MESSAGE
        if list(learnt) == assistant:
            return messages, which.ALL_ASSISTANT_MESSAGES
        return [{**message, "trainable": at in learnt} for at, message in enumerate(messages)], which.CUSTOMIZED

    def _refuse_another_beginning(self, tokens: list[int], before: Messages, tools: Tools, place: int) -> None:
        """An answer is learnt behind the tokens behind which it will be sampled, or not at all."""
        prompt = self.prompt(before, tools)
        if tokens[: len(prompt)] != prompt:
            raise DataError(f"{self._describe_rewrite(f'what stands before message {place + 1}')}; {RIGHT}")

    def _describe_rewrite(self, what: str) -> str:
        return f"cookbook:{self._name} writes {what} differently once others follow"

    def _messages(self, messages: Messages, tools: Tools) -> list[dict[str, Any]]:
        ours = [self._message(message) for message in messages]
        if not tools:
            return ours
        system = ours[:1] if ours and ours[0]["role"] == "system" else []
        specs = [dict(tool.get("function", tool)) for tool in tools]
        try:
            said = self._renderer.create_conversation_prefix_with_tools(specs, *(one["content"] for one in system))
        except REFUSALS as error:
            raise self._explain(error) from None
        return [*(dict(one) for one in said), *ours[len(system) :]]

    def _message(self, message: Mapping[str, Any]) -> dict[str, Any]:
        kept = {key: value for key, value in message.items() if key != "weight" and value is not None}
        calls = kept.get("tool_calls")
        try:
            if calls is not None:
                kept["tool_calls"] = [self._cookbook.ToolCall.model_validate(_as_text(call)) for call in calls]
        except REFUSALS as error:
            raise self._explain(error) from None
        return {"content": "", **kept}

    def _explain(self, error: Exception) -> DataError:
        said = str(error).strip().splitlines()
        found = (said[0] if said else type(error).__name__)[:240]
        return DataError(f"cookbook:{self._name} does not take this: {found}; another renderer is right")


def _as_text(call: Any) -> Any:
    """A call as the cookbook has it: its arguments are the text of an object."""
    function = call.get("function", {})
    arguments = function.get("arguments", {})
    told = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {**call, "function": {**function, "arguments": told}}
