"""A tokenizer of bytes."""

from collections.abc import Sequence


class Bytes:
    """A tokenizer with neither bos nor eos: one token a byte."""

    name = "bytes"
    bos = None
    eos = None

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def decode(self, tokens: Sequence[int]) -> str:
        return bytes(tokens).decode()
