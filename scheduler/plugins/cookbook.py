"""Use a renderer of tinker-cookbook, if it is installed: `renderer: cookbook:NAME`."""

import json
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from scheduler.plugins.lazy_imports import ALONE, import_alone
from sweeps.errors import DataError
from sweeps.rendering.tokenizer import Messages, Stop, Tools, WeightedChat

INSTALL = "`pip install 'tinker-cookbook>=0.5.8'`"
# What its renderers raise for input that they refuse; its own errors are ValueErrors.
REFUSALS = (AssertionError, AttributeError, IndexError, KeyError, NotImplementedError, TypeError, ValueError)
RIGHT = "use a renderer that preserves thinking, or learn only the last answer of each row (`weight: 0` on the others)"


class CookbookRenderer:
    """One renderer of the cookbook, for one tokenizer. Raises DataError for input that it refuses."""

    def __init__(self, name: str, tokenizer: Any) -> None:
        try:
            renderers = import_alone("tinker_cookbook.renderers")
            self.version = version("tinker-cookbook")
        except (ImportError, PackageNotFoundError) as error:
            cause = f"renderer: cookbook:{name}: cannot import tinker-cookbook ({error})"
            raise DataError(f"{cause}; run {INSTALL}, or choose another renderer") from None
        self._cookbook, self._name = renderers, name
        try:
            with ALONE:  # it imports more
                self._renderer: Any = renderers.get_renderer(name, tokenizer)
            # Read now, because this fails if the tokenizer lacks the control tokens of the format.
            self.stops: tuple[Stop, ...] = tuple(self._renderer.get_stop_sequences())
        except REFUSALS as error:
            raise self._explain(error) from None

    @property
    def extends(self) -> bool:
        """Whether a longer chat begins with the tokens of a shorter one."""
        return bool(self._renderer.has_extension_property)

    def prompt(self, messages: Messages, tools: Tools) -> list[int]:
        """Return the tokens that the model reads before it answers."""
        try:
            prompt = self._renderer.build_generation_prompt(self._convert_messages(messages, tools))
            return [int(token) for token in prompt.to_ints()]
        except REFUSALS as error:
            raise self._explain(error) from None

    def render_weighted(self, messages: Messages, tools: Tools, learnt: Sequence[int]) -> WeightedChat:
        """Return the tokens of the chat, with loss on the assistant's messages at these positions."""
        if not self.extends and list(learnt) != [len(messages) - 1]:
            raise DataError(f"{self._describe_rewrite('an answer')}; {RIGHT}")
        ours = self._convert_messages(messages, tools)
        shift = len(ours) - len(messages)  # a message that describes the tools may come first
        try:
            example, weights = self._renderer.build_supervised_example(
                *self._choose_loss(ours, [at + shift for at in learnt])
            )
            written = WeightedChat(
                [int(token) for token in example.to_ints()], [float(weight) for weight in weights.tolist()]
            )
        except REFUSALS as error:
            raise self._explain(error) from None
        for place in learnt:
            self._refuse_another_beginning(written.tokens, messages[:place], tools, place)
        return written

    def _choose_loss(self, messages: list[dict[str, Any]], learnt: Sequence[int]) -> tuple[list[dict[str, Any]], Any]:
        """Return the messages, and the cookbook's name for those that get loss."""
        which = self._cookbook.TrainOnWhat
        assistant = [at for at, message in enumerate(messages) if message["role"] == "assistant"]
        if list(learnt) == [len(messages) - 1]:
            return messages, which.LAST_ASSISTANT_MESSAGE
        if list(learnt) == assistant:
            return messages, which.ALL_ASSISTANT_MESSAGES
        return [{**message, "trainable": at in learnt} for at, message in enumerate(messages)], which.CUSTOMIZED

    def _refuse_another_beginning(self, tokens: list[int], before: Messages, tools: Tools, place: int) -> None:
        """Refuse a chat in which an answer does not follow the tokens after which it will be sampled."""
        prompt = self.prompt(before, tools)
        if tokens[: len(prompt)] != prompt:
            raise DataError(f"{self._describe_rewrite(f'the text before message {place + 1}')}; {RIGHT}")

    def _describe_rewrite(self, what: str) -> str:
        return f"cookbook:{self._name} writes {what} differently if other messages follow"

    def _convert_messages(self, messages: Messages, tools: Tools) -> list[dict[str, Any]]:
        ours = [self._convert_message(message) for message in messages]
        if not tools:
            return ours
        system = ours[:1] if ours and ours[0]["role"] == "system" else []
        specs = [dict(tool.get("function", tool)) for tool in tools]
        try:
            prefix = self._renderer.create_conversation_prefix_with_tools(
                specs, *(message["content"] for message in system)
            )
        except REFUSALS as error:
            raise self._explain(error) from None
        return [*(dict(message) for message in prefix), *ours[len(system) :]]

    def _convert_message(self, message: Mapping[str, Any]) -> dict[str, Any]:
        kept = {key: value for key, value in message.items() if key != "weight" and value is not None}
        calls = kept.get("tool_calls")
        try:
            if calls is not None:
                kept["tool_calls"] = [self._cookbook.ToolCall.model_validate(_adapt_call(call)) for call in calls]
        except REFUSALS as error:
            raise self._explain(error) from None
        return {"content": "", **kept}

    def _explain(self, error: Exception) -> DataError:
        lines = str(error).strip().splitlines()
        cause = (lines[0] if lines else type(error).__name__)[:240]
        return DataError(f"cookbook:{self._name} refuses this chat: {cause}; choose another renderer")


def _adapt_call(call: Any) -> Any:
    """Return a call as the cookbook expects it: arguments as JSON text."""
    function = call.get("function", {})
    arguments = function.get("arguments", {})
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {**call, "function": {**function, "arguments": text}}
