"""Define the characters that the offline models know, and write them as a `transformers` tokenizer.

The table is repeated here and not imported from `sweeps`, because this package stands alone; a test
compares the two.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from tinker_offline.atomic_files import write_text

BEGIN, END, NEWLINE, UNKNOWN = 0, 1, 2, 3
SIZE = 99  # the four above, then the 95 printable characters of ASCII from the space
CONTEXT_LENGTH = 4096

_NAMES = {BEGIN: "<|begin|>", END: "<|end|>", NEWLINE: "\n", UNKNOWN: "\N{REPLACEMENT CHARACTER}"}
_VOCABULARY = {_NAMES.get(token, chr(token + 28)): token for token in range(SIZE)}
_CHARACTERS = ["", "", "\n", _NAMES[UNKNOWN], *map(chr, range(32, 127))]


def encode(text: str) -> list[int]:
    return [_VOCABULARY.get(character, UNKNOWN) for character in text]


def decode(tokens: Iterable[int]) -> str:
    return "".join(_CHARACTERS[token] for token in tokens)


def write_tokenizer(folder: Path) -> None:
    """Write to `folder` what `transformers.AutoTokenizer.from_pretrained(folder)` needs; nothing is fetched."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "tokenizer.json", json.dumps(_describe_tokenizer()))
    write_text(folder / "tokenizer_config.json", json.dumps(_describe_configuration()))


def _describe_tokenizer() -> dict[str, object]:
    special = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "added_tokens": [{"id": token, "content": _NAMES[token], **special} for token in (BEGIN, END)],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": r"[\s\S]"},
            "behavior": "Isolated",
            "invert": False,
        },
        "post_processor": None,
        "decoder": {"type": "Fuse"},
        "model": {"type": "WordLevel", "vocab": _VOCABULARY, "unk_token": _NAMES[UNKNOWN]},
    }


def _describe_configuration() -> dict[str, object]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": _NAMES[BEGIN],
        "eos_token": _NAMES[END],
        "model_max_length": CONTEXT_LENGTH,
        "clean_up_tokenization_spaces": False,
    }
