"""The tokenizer of each model: our own for the offline ones, the model's for the rest, or the one that a file names."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any

from scheduler.artefacts import Artefacts
from scheduler.errors import ServiceRefused
from scheduler.plugins.cookbook import CookbookRenderer
from scheduler.plugins.jinja_templates import find_chat_template, list_control_tokens
from scheduler.plugins.lazy_imports import ALONE, import_alone
from scheduler.plugins.tokenizer_checks import (
    find_cut_difference,
    highest_token_id,
    read_json,
    refuse_mismatch,
    refuse_program,
)
from scheduler.plugins.tokenizer_files import FILES, TokenizerPack, list_files, pack, unpack
from scheduler.services import ANY_VOCABULARY, service_of
from scheduler.settings import TRUST_CODE as TRUST
from sweeps.rendering.tokenizer import OfflineTokenizer, Tokenizer
from sweeps.stage import Json

NAMED = "files:"  # before the content address, in the name of a tokenizer that a file named
AS_IT_IS = {"clean_up_tokenization_spaces": False}  # else some take spaces out of what they decode
COMMIT = re.compile(r"[0-9a-f]{40}")
# What a tokenizer's own code, and that of transformers, raises of files that it does not understand.
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError)


def tokenizer_for(model: str) -> Tokenizer:
    """The tokenizer of a model. Raises ServiceRefused where it cannot be had, or would be another one."""
    if service_of(model) == "offline":
        return OfflineTokenizer()
    name = "/".join(model.partition(":")[0].split("/")[:2])  # a variant of a model shares its tokenizer
    return _load_once(name, lambda: _load_for_model(name, model))


def tokenizer_named(address: str, folder: Path) -> "tuple[PretrainedTokenizer, TokenizerPack]":
    """The tokenizer that a file names, and its files, to be put where every worker finds them.

    `address` is a folder, from `folder` on, or a name on the hub. Raises ServiceRefused.
    """
    packed = pack(address, folder)
    return _load_once(packed.digest, lambda: _load_from_files(packed, f"`tokenizer: {address}`")), packed


def tokenizer_of(recipe: Mapping[str, Json], artefacts: Artefacts) -> Tokenizer:
    """The tokenizer by which a stage was planned. Raises ServiceRefused, and ArtefactError."""
    name = str(recipe["tokenizer"])
    if not name.startswith(NAMED):
        return tokenizer_for(str(recipe["model"]))
    digest = name.removeprefix(NAMED)
    return _load_once(digest, lambda: _load_from_files(TokenizerPack.read(digest, artefacts), f"{name[:18]}"))


def fit_to_model(tokenizer: "PretrainedTokenizer", model: str, address: str) -> "PretrainedTokenizer":
    """The tokenizer beside a model of ours, which has room for so many tokens. Raises ServiceRefused."""
    if service_of(model) != "offline":
        return tokenizer
    if model != ANY_VOCABULARY and tokenizer.size > OfflineTokenizer.size:
        raise ServiceRefused(
            f"tokenizer: {address} has {tokenizer.size:,} tokens, and {model} reads {OfflineTokenizer.size}; "
            f"`model: {ANY_VOCABULARY}` reads any, to rehearse with"
        )
    bounded = copy(tokenizer)
    bounded.longest = OfflineTokenizer.longest
    return bounded


_LOADED: "dict[str, PretrainedTokenizer]" = {}


def _load_once(key: str, load: "Callable[[], PretrainedTokenizer]") -> "PretrainedTokenizer":
    """What the first to ask loads, with all others waiting. A failure is not kept."""
    with ALONE:
        if key not in _LOADED:
            _LOADED[key] = load()
        return _LOADED[key]


def _load_for_model(name: str, model: str) -> "PretrainedTokenizer":
    asked = _read_trusted().get(name)
    files = _fetch_files(name, model, revision=asked)
    if asked is None:
        refuse_program(model, name, read_json(files.get("tokenizer_config.json")))
    return PretrainedTokenizer(f"huggingface:{name}", load(name, model, files, revision=asked), files)


def _load_from_files(packed: TokenizerPack, what: str) -> "PretrainedTokenizer":
    with unpack(packed) as folder:
        files = list_files(folder)
        return PretrainedTokenizer(f"{NAMED}{packed.digest}", load(str(folder), what, files), files)


def _fetch_files(name: str, model: str, *, revision: str | None) -> dict[str, Path]:
    """The files of a tokenizer on the hub, in the cache of this machine."""
    cached_file = import_alone("transformers.utils").cached_file
    quietly = {"_raise_exceptions_for_missing_entries": False, "_raise_exceptions_for_connection_errors": False}
    try:
        found = {file: cached_file(name, file, revision=revision, **quietly) for file in FILES}
    except UNREADABLE as error:
        raise _loading_error(model, error) from None
    return {file: Path(path) for file, path in found.items() if path is not None}


def load(name: str, what: str, files: Mapping[str, Path], *, revision: str | None = None) -> Any:
    """What transformers makes of the files at a place. Raises ServiceRefused where that is not what they say.

    With a revision, by the program that comes with them.
    """
    transformers = import_alone("transformers")  # 1.3 seconds, and only for models that need it
    trust = {"trust_remote_code": True, "revision": revision, "code_revision": revision} if revision else {}
    try:
        loaded = transformers.AutoTokenizer.from_pretrained(name, **AS_IT_IS, **trust)
        file = files.get("tokenizer.json")
        if file is not None and not trust and any(find_cut_difference(loaded, file)):
            # Its class has ways of its own to cut text; those of its file are the model's.
            loaded = transformers.PreTrainedTokenizerFast.from_pretrained(name, **AS_IT_IS)
    except ImportError as error:
        said = str(error).strip().splitlines()
        raise ServiceRefused(f"the tokenizer of {what} needs a library: {said[0] if said else error!r}") from None
    except UNREADABLE as error:
        raise _loading_error(what, error) from None
    if not trust:
        refuse_mismatch(what, loaded, files)
    return loaded


def _loading_error(what: str, error: Exception) -> ServiceRefused:
    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ServiceRefused(
        f"the tokenizer of {what} cannot be loaded: {said}\n"
        "is the model's name right, and can this machine reach the hub (or is the tokenizer in its cache)? "
        "`tokenizer: PATH_OR_ID` beside `model` names another place"
    )


def _read_trusted() -> dict[str, str]:
    """The models whose tokenizer's program somebody has read, with the commit that was read."""
    words = os.environ.get(TRUST, "").replace(",", " ").split()
    for word in words:
        name, _, commit = word.partition("@")
        if not name or not COMMIT.fullmatch(commit):
            raise ServiceRefused(
                f"{TRUST}: {word!r} found; ORG/NAME@COMMIT, with all 40 digits of the commit, is right"
            )
    return dict(word.split("@", 1) for word in words)


class PretrainedTokenizer:
    """A Hugging Face tokenizer, adding no special tokens of its own accord, with its chat template if it has one.

    `ends` are the tokens at which the model's own configuration lets an answer end, `size` is how many tokens there
    are, and `files` what it was loaded from.
    """

    def __init__(self, name: str, tokenizer: Any, files: Mapping[str, Path] | None = None) -> None:
        self._tokenizer = tokenizer
        self.name = name
        self.bos: int | None = tokenizer.bos_token_id
        self.eos: int | None = tokenizer.eos_token_id
        self.controls = list_control_tokens(tokenizer)
        self.size = highest_token_id(tokenizer) + 1
        self.longest: int | None = None  # tokens in one input; not known
        self.ends = _read_end_tokens((files or {}).get("generation_config.json"))
        self.chat = find_chat_template(tokenizer)
        self.cookbook = cache(self._cookbook)  # the renderer of a name, made once

    def encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False))

    def decode(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(tokens)))

    def _cookbook(self, name: str) -> CookbookRenderer:
        return CookbookRenderer(name, self._tokenizer)


def _read_end_tokens(file: Path | None) -> tuple[int, ...]:
    found = read_json(file).get("eos_token_id")
    listed = found if isinstance(found, list) else [found]
    return tuple(token for token in listed if isinstance(token, int) and not isinstance(token, bool))
