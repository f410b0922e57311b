"""Load the tokenizer of a model: ours for offline models, the model's own, or the one that a spec names."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any

from scheduler.artefacts import Artefacts
from scheduler.errors import ServiceRefused
from scheduler.plugins.containment.contained_tokenizer import ContainedTokenizer
from scheduler.plugins.containment.sandbox import read_limits
from scheduler.plugins.cookbook import CookbookRenderer
from scheduler.plugins.hub import HubFiles, describe_silence, fetch_files, fetch_program
from scheduler.plugins.jinja_templates import find_chat_template, list_control_tokens
from scheduler.plugins.lazy_imports import ALONE, import_alone
from scheduler.plugins.tokenizer_checks import (
    find_cut_difference,
    find_highest_token_id,
    read_json,
    refuse_mismatch,
    refuse_program,
)
from scheduler.plugins.tokenizer_files import FILES, VOCABULARIES, TokenizerPack, list_files, pack, unpack
from scheduler.services import ANY_VOCABULARY, find_service
from scheduler.settings import TRUST_CODE as TRUST
from scheduler.settings import read_settings
from sweeps.rendering.tokenizer import OfflineTokenizer, Tokenizer
from sweeps.stage import Json

NAMED = "files:"  # prefix of the content address in the name of such a tokenizer
AS_IT_IS = {"clean_up_tokenization_spaces": False}  # else some remove spaces when they decode
COMMIT = re.compile(r"[0-9a-f]{40}")
# What tokenizers and transformers raise for files that they do not understand.
UNREADABLE = (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError)


def tokenizer_for(model: str) -> Tokenizer:
    """Load the tokenizer of a model. Raises ServiceRefused if it is missing, or would be another one."""
    if find_service(model) == "offline":
        return OfflineTokenizer()
    name = "/".join(model.partition(":")[0].split("/")[:2])  # a variant of a model shares its tokenizer
    return _load_once(name, lambda: _load_for_model(name, model))


def load_named_tokenizer(address: str, folder: Path) -> "tuple[PretrainedTokenizer, TokenizerPack]":
    """Load the tokenizer that a spec names, and pack its files for the workers.

    `address` is a folder, relative to `folder`, or a name on the hub. Raises ServiceRefused.
    """
    packed = pack(address, folder)
    return _load_once(packed.digest, lambda: _load_from_files(packed, f"`tokenizer: {address}`")), packed


def load_recipe_tokenizer(recipe: Mapping[str, Json], artefacts: Artefacts) -> Tokenizer:
    """Load the tokenizer with which a stage was planned. Raises ServiceRefused and ArtefactError."""
    name = str(recipe["tokenizer"])
    if not name.startswith(NAMED):
        return tokenizer_for(str(recipe["model"]))
    digest = name.removeprefix(NAMED)
    return _load_once(digest, lambda: _load_from_files(TokenizerPack.read(digest, artefacts), f"{name[:18]}"))


def fit_to_model(tokenizer: "PretrainedTokenizer", model: str, address: str) -> "PretrainedTokenizer":
    """Check that an offline model has room for the tokens of a tokenizer. Raises ServiceRefused."""
    if find_service(model) != "offline":
        return tokenizer
    if model != ANY_VOCABULARY and tokenizer.size > OfflineTokenizer.size:
        raise ServiceRefused(
            f"tokenizer: {model} reads at most {OfflineTokenizer.size} tokens, {address} has {tokenizer.size:,}; "
            f"to rehearse with it, use `model: {ANY_VOCABULARY}`"
        )
    bounded = copy(tokenizer)
    bounded.longest = OfflineTokenizer.longest
    return bounded


_LOADED: "dict[str, PretrainedTokenizer]" = {}


def _load_once(key: str, load: "Callable[[], PretrainedTokenizer]") -> "PretrainedTokenizer":
    """Load once for all threads; a failure is not cached."""
    with ALONE:
        if key not in _LOADED:
            _LOADED[key] = load()
        return _LOADED[key]


def _load_for_model(name: str, model: str) -> "PretrainedTokenizer":
    if (here := Path(name).absolute()).exists():  # in whichever folder this runs, perhaps one of somebody else
        raise ServiceRefused(f"{model}: the folder {here} would be taken for this model; run the command elsewhere")
    asked = _read_trusted().get(name)
    files, problem = _fetch_files(name, model, revision=asked)
    if asked is None:
        refuse_program(model, name, read_json(files.get("tokenizer_config.json")))
        return PretrainedTokenizer(f"huggingface:{name}", load(name, model, files, local=bool(problem)), files)
    try:
        folder = fetch_program(name, asked, local=bool(problem))
    except UNREADABLE as error:
        raise _make_loading_error(model, error) from None
    loaded = ContainedTokenizer(model, folder, read_limits(read_settings()))
    return PretrainedTokenizer(f"huggingface:{name}", loaded, files)


def _load_from_files(packed: TokenizerPack, what: str) -> "PretrainedTokenizer":
    with unpack(packed) as folder:
        files = list_files(folder)
        return PretrainedTokenizer(f"{NAMED}{packed.digest}", load(str(folder), what, files), files)


def _fetch_files(name: str, model: str, *, revision: str | None) -> HubFiles:
    """Fetch the files of a tokenizer from the hub into this machine's cache. Raises ServiceRefused."""
    try:
        fetched = fetch_files(name, FILES, revision=revision)
    except UNREADABLE as error:
        raise _make_loading_error(model, error) from None
    if fetched.problem and not VOCABULARIES & fetched.files.keys():
        raise ServiceRefused(f"cannot load the tokenizer of {model}: {describe_silence(fetched.problem)}")
    return fetched


def load(name: str, what: str, files: Mapping[str, Path], *, local: bool = False) -> Any:
    """Load a tokenizer with transformers. Raises ServiceRefused if it does not match its files.

    `local` asks the cache alone, not the hub.
    """
    transformers = import_alone("transformers")  # takes 1.3 seconds, and only some models need it
    options = {**AS_IT_IS, "local_files_only": local}
    try:
        loaded = transformers.AutoTokenizer.from_pretrained(name, **options)
        file = files.get("tokenizer.json")
        if file is not None and any(find_cut_difference(loaded, file)):
            # The class cuts text in its own way; the model was trained with that of the file.
            loaded = transformers.PreTrainedTokenizerFast.from_pretrained(name, **options)
    except ImportError as error:
        lines = str(error).strip().splitlines()
        raise ServiceRefused(f"the tokenizer of {what} needs a library: {lines[0] if lines else error!r}") from None
    except UNREADABLE as error:
        raise _make_loading_error(what, error) from None
    refuse_mismatch(what, loaded, files)
    return loaded


def _make_loading_error(what: str, error: Exception) -> ServiceRefused:
    cause = (str(error).strip() or type(error).__name__).splitlines()[0]
    return ServiceRefused(
        f"cannot load the tokenizer of {what}: {cause}\n"
        "check the model's name, and whether this machine can reach the hub or has the tokenizer in its cache; "
        "`tokenizer: PATH_OR_ID` beside `model` names another place"
    )


def _read_trusted() -> dict[str, str]:
    """Read the models whose tokenizer program the user trusts, each with its commit."""
    words = os.environ.get(TRUST, "").replace(",", " ").split()
    for word in words:
        name, _, commit = word.partition("@")
        if not name or not COMMIT.fullmatch(commit):
            raise ServiceRefused(f"{TRUST}: expected ORG/NAME@COMMIT with all 40 digits of the commit, got {word!r}")
    return dict(word.split("@", 1) for word in words)


class PretrainedTokenizer:
    """A Hugging Face tokenizer with its chat template, if any. It adds no special tokens by itself.

    `ends`: tokens that end an answer, by the model's configuration. `size`: how many tokens there are. `files`: what it
    was loaded from.
    """

    def __init__(self, name: str, tokenizer: Any, files: Mapping[str, Path] | None = None) -> None:
        self._tokenizer = tokenizer
        self.name = name
        self.bos: int | None = tokenizer.bos_token_id
        self.eos: int | None = tokenizer.eos_token_id
        self.controls = list_control_tokens(tokenizer)
        self.size = find_highest_token_id(tokenizer) + 1
        self.longest: int | None = None  # tokens in one input; None: unknown
        self.ends = _read_end_tokens((files or {}).get("generation_config.json"))
        self.chat = find_chat_template(tokenizer)
        self.cookbook = cache(self._cookbook)  # makes each renderer once

    def encode(self, text: str) -> list[int]:
        return list(self._tokenizer.encode(text, add_special_tokens=False))

    def decode(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(tokens)))

    def _cookbook(self, name: str) -> CookbookRenderer:
        return CookbookRenderer(name, self._tokenizer)


def _read_end_tokens(file: Path | None) -> tuple[int, ...]:
    end = read_json(file).get("eos_token_id")
    listed = end if isinstance(end, list) else [end]
    return tuple(token for token in listed if isinstance(token, int) and not isinstance(token, bool))
