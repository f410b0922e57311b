"""Which renderer writes messages: what a file may ask for, and what of it is part of a stage's identity.

plain            `User: …`, `Assistant: …`
chat_template    the model's own; the identity has 12 digits of its hash: another template, another stage. Behind a
                 colon it may be given arguments that it reads: `chat_template:enable_thinking=false`
cookbook:NAME    a renderer of tinker-cookbook; the identity has the version, which may write otherwise
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
    """The check of the key `renderer`."""
    if not ASKED.fullmatch(value):
        raise ValueError(f"expected one of {KNOWN}, got {value!r}")
    return value


def choose_renderer(asked: str | None, tokenizer: Tokenizer, *, messages: bool) -> str:
    """The renderer that a file asks for (None: leaves open) as the recipe names it; of text always `plain`.

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
        said = f"the chat template of {tokenizer.name} writes {lost}, which is not one token of this tokenizer"
        raise DataError(f"{said}, so it belongs to another model; use the tokenizer that the template came with")
    before, _, behind = rest.rpartition(":")
    said, digest = (rest, "") if "=" in behind else (before, behind)
    if digest not in ("", template.digest):
        said = f"the chat template of {tokenizer.name}: expected the hash {digest} of the plan, got {template.digest}"
        raise DataError(f"{said}; use the same version of the tokenizer on every machine, or plan again")
    return template.apply_arguments({name: _value(value) for name, _, value in _parts(said)}) if said else template


@lru_cache(maxsize=64)
def _lost_controls(template: Template, known: Hashable) -> str:
    """A control token that the template writes and the tokenizer cuts into pieces; nothing where all are tokens."""
    tokenizer, written = cast(Tokenizer, known), set[str]()
    for messages in (SMALL, (*SMALL, {"role": "assistant", "content": "b"})):
        try:
            written |= set(CONTROL.findall(template.text(messages, (), prompt=len(messages) == 1)))
        except DataError:
            continue
    return next((text for text in sorted(written) if len(tokenizer.encode(text)) != 1), "")


def _parts(said: str) -> list[tuple[str, str, str]]:
    return [part.partition("=") for part in said.split(",")]


def _value(said: str) -> Argument:
    if said in ("true", "false"):
        return said == "true"
    return int(said) if re.fullmatch(r"-?\d{1,9}", said) else said


def _cookbook(rest: str, tokenizer: Tokenizer) -> Cookbook:
    name, _, version = rest.partition("@")
    found = load_cookbook(tokenizer, name)
    if found is None:
        raise DataError(f"renderer: got {COOKBOOK}:{name}, which {tokenizer.name} cannot use; use `renderer: {PLAIN}`")
    if version not in ("", found.version):
        said = f"expected tinker-cookbook {version}, with which it was planned, got {found.version}"
        raise DataError(f"{said}; use the same version on every machine, or plan again")
    return found
