"""The tokenizer of each model: our own for the offline ones, the model's for the rest."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from scheduler.errors import ServiceRefused
from scheduler.services import service_of
from sweeps.tokens import OfflineTokenizer, Tokenizer


@cache
def tokenizer_for(model: str) -> Tokenizer:
    """The tokenizer of a model. Raises ServiceRefused where it cannot be had."""
    return OfflineTokenizer() if service_of(model) == "offline" else _Pretrained(model)


class _Pretrained:
    """A Hugging Face tokenizer, adding no special tokens of its own accord."""

    def __init__(self, model: str) -> None:
        from transformers import AutoTokenizer  # 1.3 seconds, and only for models that need it

        name = "/".join(model.partition(":")[0].split("/")[:2])  # a variant of a model shares its tokenizer
        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(name, use_fast=True)
        except (OSError, ValueError) as error:
            raise ServiceRefused(
                f"the tokenizer of {model} cannot be loaded: {str(error).splitlines()[0]}\n"
                "is the model's name right, and can this machine reach the hub (or is the tokenizer in its cache)?"
            ) from None
        self.name = f"huggingface:{name}"
        self.bos: int | None = self._tokenizer.bos_token_id
        self.eos: int | None = self._tokenizer.eos_token_id

    def encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False))

    def decode(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(tokens)))
