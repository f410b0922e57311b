"""The tokenizer of each model: our own for the offline ones, the model's for the rest."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from scheduler.chat_templates import chat_template_of, controls_of
from scheduler.cookbook import CookbookRenderer
from scheduler.errors import ServiceRefused
from scheduler.services import service_of
from sweeps.tokens import OfflineTokenizer, Tokenizer


@cache
def tokenizer_for(model: str) -> Tokenizer:
    """The tokenizer of a model. Raises ServiceRefused where it cannot be had."""
    if service_of(model) == "offline":
        return OfflineTokenizer()
    name = "/".join(model.partition(":")[0].split("/")[:2])  # a variant of a model shares its tokenizer
    return PretrainedTokenizer(f"huggingface:{name}", _load(name, model))


def _load(name: str, model: str) -> Any:
    from transformers import AutoTokenizer  # 1.3 seconds, and only for models that need it

    try:
        return AutoTokenizer.from_pretrained(name, use_fast=True)  # never the code that may come with one
    except (OSError, ValueError) as error:
        raise ServiceRefused(
            f"the tokenizer of {model} cannot be loaded: {str(error).splitlines()[0]}\n"
            "is the model's name right, and can this machine reach the hub (or is the tokenizer in its cache)?"
        ) from None


class PretrainedTokenizer:
    """A Hugging Face tokenizer, adding no special tokens of its own accord, with its chat template if it has one."""

    def __init__(self, name: str, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.name = name
        self.bos: int | None = tokenizer.bos_token_id
        self.eos: int | None = tokenizer.eos_token_id
        self.controls = controls_of(tokenizer)
        self.chat = chat_template_of(tokenizer)
        self.cookbook = cache(self._cookbook)  # the renderer of a name, made once

    def encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False))

    def decode(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(tokens)))

    def _cookbook(self, name: str) -> CookbookRenderer:
        return CookbookRenderer(name, self._tokenizer)
