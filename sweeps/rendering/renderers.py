"""Choose the renderer that writes messages; its name and content are part of a stage's identity.

plain            `User: …`, `Assistant: …`
chat_template    the model's own; the identity has 12 digits of its hash, so another template is another stage. After a
                 colon it takes arguments that it reads: `chat_template:enable_thinking=false`
cookbook:NAME    a renderer of tinker-cookbook; the identity has the version, because versions may write differently
"""

import re
from collections.abc import Hashable
from functools import lru_cache
from typing import NamedTuple, cast

from sweeps.errors import DataError
from sweeps.rendering.tokenizer import (
    Argument,
    Cookbook,
    Template,
    Tokenizer,
    get_template,
    load_cookbook,
)

PLAIN, TEMPLATE, COOKBOOK = "plain", "chat_template", "cookbook"
KNOWN = f"{PLAIN}, {TEMPLATE}, {COOKBOOK}:NAME"
ARGUMENT = r"[a-z_]+=[\w.-]+"
CONTROL = re.compile(r"<[|｜][^<>\s]+?[|｜]>")  # as all families but Gemma and Mistral spell theirs
SMALL = ({"role": "user", "content": "a"},)
ASKED = re.compile(rf"{PLAIN}|{TEMPLATE}(:{ARGUMENT}(,{ARGUMENT})*)?|{COOKBOOK}:[\w./-]+")


class Renderer(NamedTuple):
    """Writes messages as tokens: by a chat template, by a renderer of the cookbook, or, as `plain`, by neither."""

    tokenizer: Tokenizer
    template: Template | None = None
    cookbook: Cookbook | None = None

    @property
    def is_plain(self) -> bool:
        return self.template is None and self.cookbook is None


def check_renderer(value: str) -> str:
    """Check the key `renderer`."""
    if not ASKED.fullmatch(value):
        raise ValueError(f"expected one of {KNOWN}, got {value!r}")
    return value


def choose_renderer(asked: str | None, tokenizer: Tokenizer, *, messages: bool) -> str:
    """Choose the renderer, as the recipe names it, from what a file asks for (or None); text is always `plain`.

    Raises DataError where the tokenizer does not have it.
    """
    if not messages or asked == PLAIN:
        return PLAIN
    if asked is None and get_template(tokenizer) is None:
        return PLAIN
    asked = asked or TEMPLATE
    voice = load_renderer(asked, tokenizer)
    if voice.template is not None:
        return f"{asked}:{voice.template.digest}"
    return f"{asked}@{voice.cookbook.version}" if voice.cookbook is not None else asked


def load_renderer(renderer: str, tokenizer: Tokenizer) -> Renderer:
    """Load the renderer that a recipe names. Raises DataError if this machine has another one, or none."""
    kind, _, rest = renderer.partition(":")
    if kind == TEMPLATE:
        return Renderer(tokenizer, template=_template(rest, tokenizer))
    if kind == COOKBOOK:
        return Renderer(tokenizer, cookbook=_cookbook(rest, tokenizer))
    if renderer != PLAIN:
        raise DataError(f"renderer: expected one of {KNOWN}, got {renderer!r}")
    return Renderer(tokenizer)


def _template(rest: str, tokenizer: Tokenizer) -> Template:
    template = get_template(tokenizer)
    if template is None:
        raise DataError(f"renderer: got {TEMPLATE}, but {tokenizer.name} has none; use `renderer: {PLAIN}`")
    if lost := _lost_controls(template, cast(Hashable, tokenizer)):
        problem = f"the chat template of {tokenizer.name} writes {lost}, which is not one token of this tokenizer"
        raise DataError(f"{problem}, so it belongs to another model; use the tokenizer that the template came with")
    before, _, behind = rest.rpartition(":")
    arguments, digest = (rest, "") if "=" in behind else (before, behind)
    if digest not in ("", template.digest):
        problem = (
            f"the chat template of {tokenizer.name}: expected the hash {digest} of the plan, got {template.digest}"
        )
        raise DataError(f"{problem}; use the same version of the tokenizer on every machine, or plan again")
    if not arguments:
        return template
    return template.apply_arguments({name: _value(value) for name, _, value in _parts(arguments)})


@lru_cache(maxsize=64)
def _lost_controls(template: Template, known: Hashable) -> str:
    """Find a control token of the template that the tokenizer cuts into pieces; empty if there is none."""
    tokenizer, written = cast(Tokenizer, known), set[str]()
    for messages in (SMALL, (*SMALL, {"role": "assistant", "content": "b"})):
        try:
            written |= set(CONTROL.findall(template.text(messages, (), prompt=len(messages) == 1)))
        except DataError:
            continue
    return next((text for text in sorted(written) if len(tokenizer.encode(text)) != 1), "")


def _parts(words: str) -> list[tuple[str, str, str]]:
    return [part.partition("=") for part in words.split(",")]


def _value(word: str) -> Argument:
    if word in ("true", "false"):
        return word == "true"
    return int(word) if re.fullmatch(r"-?\d{1,9}", word) else word


def _cookbook(rest: str, tokenizer: Tokenizer) -> Cookbook:
    name, _, version = rest.partition("@")
    cookbook = load_cookbook(tokenizer, name)
    if cookbook is None:
        raise DataError(f"renderer: got {COOKBOOK}:{name}, which {tokenizer.name} cannot use; use `renderer: {PLAIN}`")
    if version not in ("", cookbook.version):
        problem = f"expected tinker-cookbook {version}, with which it was planned, got {cookbook.version}"
        raise DataError(f"{problem}; use the same version on every machine, or plan again")
    return cookbook
