"""Render messages with the chat template of a Hugging Face tokenizer. Templates run in jinja2's sandbox."""

import hashlib
import json
import re
import threading
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sweeps.errors import DataError, NotTaken
from sweeps.rendering.tokenizer import Argument, Messages, Tools

if TYPE_CHECKING:
    from jinja2 import nodes

# Some templates write today's date. A stage that is rendered tomorrow must be the same stage, so this macro, with a
# fixed date, replaces theirs.
DAY = {"%Y": "2026", "%y": "26", "%m": "01", "%d": "01", "%B": "January", "%b": "Jan", "%A": "Thursday", "%a": "Thu"}
DAY |= {"%H": "00", "%M": "00", "%S": "00", "%j": "001", "%-d": "1", "%-m": "1"}
CLOCK = "".join(
    [
        "{%- macro strftime_now(format) -%}{{- format",
        *(f"|replace('{directive}', '{value}')" for directive, value in DAY.items()),
        " -}}{%- endmacro -%}",
    ]
)
OURS = {"messages", "tools", "documents", "add_generation_prompt", "strftime_now", "raise_exception"}
RENDERING = threading.Lock()  # transformers caches compiled templates, which keep the assistant's marks in themselves
MISTAKES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)  # in templates
LACKING = re.compile(r"'dict object' has no attribute '(\w+)'")  # jinja2's message
MARKS = re.compile(r"{%-?\s*(end)?generation\s*-?%}")
MARKED = re.compile(r"{%-?\s*generation\s*-?%}")


class ChatTemplate:
    """Renders messages with the template of a tokenizer."""

    def __init__(self, tokenizer: Any, arguments: Mapping[str, Argument] | None = None) -> None:
        self._tokenizer = tokenizer
        self.arguments: Mapping[str, Argument] = dict(arguments or {})
        self._given: dict[str, ChatTemplate] = {}
        known = {"template": tokenizer.chat_template, "controls": tokenizer.special_tokens_map}
        self.digest = hashlib.sha256(json.dumps(known, sort_keys=True, default=str).encode()).hexdigest()[:12]

    def apply_arguments(self, arguments: Mapping[str, Argument]) -> "ChatTemplate":
        """Return the same template with arguments. Raises DataError for one that the template does not read."""
        for name in arguments:
            if name not in self.takes:
                known = ", ".join(sorted(self.takes)) or "none"
                raise DataError(f"renderer: the model's chat template has no argument {name}; it has: {known}")
        key = repr(sorted(arguments.items()))  # by repr, because True and 1 differ
        if key not in self._given:
            self._given[key] = ChatTemplate(self._tokenizer, arguments)
        return self._given[key]

    @cached_property
    def reads(self) -> frozenset[str]:
        """Every word that the template uses as a key or an attribute."""
        from jinja2 import nodes

        trees = self._trees
        keys = {node.attr for tree in trees for node in tree.find_all(nodes.Getattr)}
        return frozenset(keys | {str(node.value) for tree in trees for node in tree.find_all(nodes.Const)})

    @cached_property
    def takes(self) -> frozenset[str]:
        """Its free variables, without those that we set."""
        from jinja2 import meta

        free = {name for tree in self._trees for name in meta.find_undeclared_variables(tree)}
        return frozenset(free - OURS - set(self._tokenizer.special_tokens_map))

    @cached_property
    def _trees(self) -> Sequence["nodes.Template"]:
        """The template as jinja2 parses it; empty if it cannot be parsed."""
        from jinja2 import Environment, TemplateError

        template = self._tokenizer.chat_template
        sources = list(template.values()) if isinstance(template, Mapping) else [str(template)]
        parser = Environment(extensions=["jinja2.ext.loopcontrols"])  # noqa: S701 - it only parses
        try:
            return [parser.parse(MARKS.sub("", source)) for source in sources]
        except TemplateError:
            return []

    def text(self, messages: Messages, tools: Tools, *, prompt: bool) -> str:
        """Render the messages; with `prompt`, up to the start of the assistant's answer. Raises DataError."""
        return self._render(messages, tools, prompt=prompt, mark=False)[0]

    def render_marked(self, messages: Messages, tools: Tools) -> tuple[str, Sequence[tuple[int, int]]] | None:
        """Render the messages, and return the spans that the template marks as the assistant's; None without marks."""
        if not MARKED.search(self._compose_source(tools)):
            return None
        return self._render(messages, tools, prompt=False, mark=True)

    def _compose_source(self, tools: Tools) -> str:
        source = str(self._tokenizer.get_chat_template(tools=list(tools) or None))
        return CLOCK + source if "strftime_now" in source else source

    def _render(
        self, messages: Messages, tools: Tools, *, prompt: bool, mark: bool
    ) -> tuple[str, Sequence[tuple[int, int]]]:
        from jinja2 import TemplateError
        from transformers.utils.chat_template_utils import render_jinja_template

        beside: dict[str, Any] = {**self._tokenizer.special_tokens_map, **self.arguments}
        # Like apply_chat_template, which does not return the marks, and refuses a chat without messages.
        chat = [{key: value for key, value in message.items() if value is not None} for message in messages]
        try:
            with RENDERING:
                rendered: Any = render_jinja_template(  # its annotation is wrong
                    conversations=[chat],
                    tools=[dict(tool) for tool in tools] or None,
                    chat_template=self._compose_source(tools),
                    return_assistant_tokens_mask=mark,
                    add_generation_prompt=prompt,
                    **beside,
                )
        except (TemplateError, *MISTAKES) as error:
            lacking = LACKING.search(str(error))
            cause = f"expected `{lacking[1]}` in a message or a tool, got none" if lacking else str(error)[:200]
            refusal = f"the model's chat template refuses the messages: {cause}"
            raise NotTaken(f"{refusal}; read the template, or use `renderer: plain`") from None
        texts, marks = rendered
        return texts[0], marks[0] if mark else ()


def find_chat_template(tokenizer: Any) -> ChatTemplate | None:
    """Return the template of a tokenizer, or None."""
    return ChatTemplate(tokenizer) if tokenizer.chat_template else None


def list_control_tokens(tokenizer: Any) -> frozenset[str]:
    """List the control tokens of a tokenizer as text."""
    added = (str(token) for token in tokenizer.added_tokens_decoder.values() if token.special)
    return frozenset((*added, *tokenizer.all_special_tokens))
