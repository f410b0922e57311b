"""Real tokenizers with the chat templates of real models, as `make tokenizers` has put them into `.tokenizers`.

Each family is a folder that transformers reads: `tokenizer.json`, and `tokenizer_config.json` with the chat template.
Without them tests that ask for one are skipped, and say so.
"""

import copy
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from scheduler.plugins.lazy_imports import import_alone
from scheduler.plugins.tokenizers import PretrainedTokenizer

PLACE = Path(__file__).parents[1] / ".tokenizers"
MADE = PLACE / "made"  # for which families
ABSENT = "NO REAL TOKENIZERS: `make tokenizers` gets them; what needs one is skipped"


class Family(NamedTuple):
    """A served model as a folder: whose vocabulary it has, and where its chat template is from.

    `marked` is the same template with `{% generation %}` marks by other people's hands, where trl has one. `borrowed`
    says that the vocabulary is another model's, for its own is in no package: the control tokens are the same text.
    `code` names the class of a tokenizer that is a program: such a folder has a template, and no vocabulary.
    """

    model: str
    vocabulary: str
    template: str
    marked: str | None = None
    borrowed: bool = False
    code: str | None = None


def _of_trl(model: str, vocabulary: str, name: str, *, marked: bool = True, borrowed: bool = False) -> Family:
    return Family(model, vocabulary, f"trl/{name}", f"trl/{name}_training" if marked else None, borrowed)


FAMILIES: Mapping[str, Family] = {
    "qwen3-2507": _of_trl("Qwen/Qwen3-4B-Instruct-2507", "qwen3", "qwen3_instruct_2507"),
    "qwen3": _of_trl("Qwen/Qwen3-8B", "qwen3", "qwen3"),
    "qwen3-vl": _of_trl("Qwen/Qwen3-VL-30B-A3B-Instruct", "qwen3", "qwen3_vl"),
    "qwen3-coder": Family("Qwen/Qwen3-Coder-30B-A3B-Instruct", "qwen3", "llama.cpp/Qwen3-Coder"),
    "qwen3.5": _of_trl("Qwen/Qwen3.5-4B", "qwen3_6", "qwen3_5_think"),
    "qwen3.6": _of_trl("Qwen/Qwen3.6-27B", "qwen3_6", "qwen3_6"),
    "qwen3.8": _of_trl("Qwen/Qwen3.8-27B", "qwen3_6", "qwen3_8"),
    "llama-3.1": _of_trl("meta-llama/Llama-3.1-8B-Instruct", "llama3_1", "llama3_1", marked=False),
    "llama-3.2": _of_trl("meta-llama/Llama-3.2-1B-Instruct", "llama3_1", "llama3_2", marked=False),
    "llama-3.3": Family("meta-llama/Llama-3.3-70B-Instruct", "llama3_1", "llama.cpp/meta-llama-Llama-3.3-70B-Instruct"),
    "gpt-oss": _of_trl("openai/gpt-oss-20b", "gptoss", "gptoss"),
    "deepseek-v3.1": Family("deepseek-ai/DeepSeek-V3.1", "deepseek_v3", "llama.cpp/deepseek-ai-DeepSeek-V3.1"),
    "nemotron-3-nano": _of_trl("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "qwen3", "nemotron_3_nano", borrowed=True),
    "nemotron-3-super": _of_trl(
        "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-BF16", "qwen3", "nemotron_3_super", borrowed=True
    ),
    "gemma-3": _of_trl("google/gemma-3-4b-it", "gemma3", "gemma3"),
    "kimi-k2": Family(
        "moonshotai/Kimi-K2-Instruct", "", "llama.cpp/Kimi-K2-Instruct", code="tokenization_kimi.TikTokenTokenizer"
    ),
}


def are_there() -> bool:
    """Have they been fetched, all that are wanted today?"""
    return MADE.exists() and MADE.read_text() == repr(FAMILIES)


def folder(family: str) -> Path:
    """The folder of a family, as a model on the hub has it. Skips the test where there is none."""
    if not are_there():
        pytest.skip(ABSENT)
    return PLACE / family


@cache
def real_tokenizer(family: str) -> PretrainedTokenizer:
    """The tokenizer of a family as our own value; what shares a vocabulary shares it in memory."""
    loaded = copy.copy(_vocabulary(FAMILIES[family].vocabulary, str(folder(family).parent)))
    loaded.chat_template = template(family)
    return PretrainedTokenizer(f"huggingface:{FAMILIES[family].model}", loaded)


@cache
def template(family: str, *, marked: bool = False) -> str:
    """The chat template's source; `marked`: the one with `{% generation %}` marks, which not every family has."""
    return (folder(family) / ("marked.jinja" if marked else "chat_template.jinja")).read_text()


@cache
def _vocabulary(name: str, place: str) -> Any:
    """By its file alone, which is what the model has read; it is the half of what `load` does, which checks it too."""
    first = next(family for family, known in FAMILIES.items() if known.vocabulary == name)
    return import_alone("transformers").PreTrainedTokenizerFast.from_pretrained(
        Path(place) / first, clean_up_tokenization_spaces=False
    )
