"""Define what `sweeps` needs of a tokenizer, and the tokenizer of the offline models."""

import re
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol, cast

Messages = Sequence[Mapping[str, Any]]
Tools = Sequence[Mapping[str, Any]]
Argument = bool | int | str  # of a chat template
Stop = int | str  # what ends a turn: a token, or a text


class Tokenizer(Protocol):
    """Text to token ids and back. `name` is part of a stage's identity.

    Beside these a tokenizer may have `chat`, its model's chat template, `controls`, its control tokens spelled out,
    `ends`, at which the model's configuration has an answer end, `size`, how many tokens there are, and `cookbook`,
    which makes a renderer of tinker-cookbook by its name; the functions `…_of` ask for them.
    """

    def __hash__(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def bos(self) -> int | None: ...
    @property
    def eos(self) -> int | None: ...
    def encode(self, text: str) -> list[int]: ...
    def decode(self, tokens: Sequence[int]) -> str: ...


class Template(Protocol):
    """A model's own chat template: messages as text, its control tokens spelled out. Raises DataError for messages
    that it does not take."""

    def __hash__(self) -> int: ...

    @property
    def digest(self) -> str:
        """12 hexadecimal digits, of the template and of the control tokens that it is given."""

    @property
    def reads(self) -> frozenset[str]:
        """Keys of messages that it reads, and perhaps some more words."""

    @property
    def takes(self) -> frozenset[str]:
        """Arguments that it accepts."""

    @property
    def arguments(self) -> Mapping[str, Argument]:
        """Those that it was given."""

    def apply_arguments(self, arguments: Mapping[str, Argument]) -> "Template":
        """Add arguments such as `enable_thinking` to the template. Raises DataError for one that it never reads."""

    def text(self, messages: Messages, tools: Tools, *, prompt: bool) -> str:
        """Write the messages; with `prompt` up to where the assistant begins to write."""

    def render_marked(self, messages: Messages, tools: Tools) -> tuple[str, Sequence[tuple[int, int]]] | None:
        """Write the messages, with the spans that the template marks as the assistant's; None if it marks none."""


class WeightedChat(NamedTuple):
    """A chat as tokens, each with its weight in the loss."""

    tokens: list[int]
    weights: list[float]


class Cookbook(Protocol):
    """A renderer of tinker-cookbook for one tokenizer. Raises DataError for messages that it does not take."""

    def __hash__(self) -> int: ...
    @property
    def version(self) -> str: ...
    @property
    def extends(self) -> bool:
        """Whether a longer chat begins with the tokens of a shorter one."""

    @property
    def stops(self) -> tuple[Stop, ...]: ...
    def render_weighted(self, messages: Messages, tools: Tools, learnt: Sequence[int]) -> WeightedChat:
        """Render the chat, with loss on what the assistant writes in the messages at these places."""

    def prompt(self, messages: Messages, tools: Tools) -> list[int]: ...


def get_template(tokenizer: Tokenizer) -> Template | None:
    """Return the chat template that comes with the tokenizer, if there is one."""
    return cast(Template | None, getattr(tokenizer, "chat", None))


def get_controls(tokenizer: Tokenizer) -> frozenset[str]:
    """Return the control tokens of the tokenizer, spelled out, as far as it names them."""
    return cast(frozenset[str], getattr(tokenizer, "controls", frozenset()))


def remove_controls(text: str, tokenizer: Tokenizer) -> str:
    """Remove control tokens from a text: they are not counted as bytes of it."""
    return compile_words(get_controls(tokenizer)).sub("", text)


@lru_cache(maxsize=64)
def compile_words(words: Collection[str]) -> re.Pattern[str]:
    """Compile a pattern that matches any of the words, longer ones first; without words it matches nothing."""
    return re.compile("|".join(map(re.escape, sorted(words, key=len, reverse=True))) or "(?!)")


def get_ends(tokenizer: Tokenizer) -> tuple[int, ...]:
    """Return the tokens that end an answer by the model's own configuration, as far as they are known."""
    return cast(tuple[int, ...], getattr(tokenizer, "ends", ()))


def get_longest(tokenizer: Tokenizer) -> int | None:
    """Return how many tokens one input of the model may have; None if that is not known."""
    return cast(int | None, getattr(tokenizer, "longest", None))


def get_size(tokenizer: Tokenizer) -> int | None:
    """Return how many tokens there are; None if that is not known."""
    return cast(int | None, getattr(tokenizer, "size", None))


def load_cookbook(tokenizer: Tokenizer, name: str) -> Cookbook | None:
    """Load the tokenizer's renderer of tinker-cookbook; None if the model has none (an offline one).

    Raises DataError where the cookbook is not installed or does not know the name.
    """
    make = getattr(tokenizer, "cookbook", None)
    return None if make is None else cast(Cookbook, make(name))


NOT_ASCII = re.compile(r"[^\0-\x7f]")
TOKEN_OF_BYTE = bytes(2 if byte == ord("\n") else byte - 28 if 32 <= byte < 127 else 3 for byte in range(256))


class OfflineTokenizer:
    """The characters of `tinker_offline`: one token each, in an order that a contract test pins.

    0 begins a text, 1 ends it, 2 is a line break, 3 stands for anything unknown, then the 95 printable
    characters of ASCII from the space (4) to the tilde (98). 99 tokens in all.
    """

    name = "offline-characters-1"
    bos = 0
    eos = 1
    size = 99
    longest = 4096  # tokens in one input; more than that the models refuse

    def encode(self, text: str) -> list[int]:
        # By a table, because a worker encodes all rows of a file before its first step.
        return [*NOT_ASCII.sub("\0", text).encode().translate(TOKEN_OF_BYTE)]

    def decode(self, tokens: Sequence[int]) -> str:
        return "".join(self._character(token) for token in tokens)

    def _character(self, token: int) -> str:
        if token in (self.bos, self.eos):
            return ""
        if token == 2:
            return "\n"
        return "�" if token == 3 else chr(token - 4 + ord(" "))
