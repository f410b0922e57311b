"""What the science needs of a tokenizer, and the one tokenizer that is ours."""

from collections.abc import Sequence
from typing import Protocol


class Tokenizer(Protocol):
    """Text to token ids and back. `name` is part of a stage's identity."""

    @property
    def name(self) -> str: ...
    @property
    def bos(self) -> int | None: ...
    @property
    def eos(self) -> int | None: ...
    def encode(self, text: str) -> list[int]: ...
    def decode(self, tokens: Sequence[int]) -> str: ...


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
        return [self._token(character) for character in text]

    def decode(self, tokens: Sequence[int]) -> str:
        return "".join(self._character(token) for token in tokens)

    def _token(self, character: str) -> int:
        if character == "\n":
            return 2
        code = ord(character) - ord(" ")
        return code + 4 if 0 <= code < 95 else 3

    def _character(self, token: int) -> str:
        if token in (self.bos, self.eos):
            return ""
        if token == 2:
            return "\n"
        return "�" if token == 3 else chr(token - 4 + ord(" "))
