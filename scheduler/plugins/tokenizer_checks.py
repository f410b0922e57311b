"""Is what transformers made of a tokenizer's files the tokenizer of the model?

It does not always say so where it is not. Where a class is unknown to it, or is a program of the model's own that is
not trusted, it takes a generic one that cuts text otherwise: a training would then be paid for on tokens that the
model has never read. Everything here is checked by the files themselves.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scheduler.errors import ServiceRefused
from scheduler.plugins.lazy_imports import import_alone
from scheduler.settings import TRUST_CODE as TRUST

# What tokenizers cut differently: case, digits, contractions, white space, accents in two spellings, scripts, symbols.
PROBE = (
    "Hello, world! It's 12345.678 and I'LL  see\tyou\n\n  def f(x):\r\n    return x**2  # ok\n"
    "na\u00efve nai\u0308ve \u4f60\u597d\u4e16\u754c \u041f\u0440\u0438\u0432\u0435\u0442 \u0645\u0631\u062d\u0628 "
    "\u0928\u092e\u0938\u094d\u0924\u0947 \ud55c\uad6d\uc5b4 \U0001f469\u200d\U0001f52c \u00bd \ufb01 \u00a0 e.g. Http2"
)
GENERIC = {"TokenizersBackend", "PreTrainedTokenizerFast", "PreTrainedTokenizer", "PythonBackend"}


def find_program(config: Mapping[str, Any]) -> str:
    """The program by which the files want to be read, where that is not one of transformers; else nothing."""
    asked = config.get("auto_map")
    named = asked.get("AutoTokenizer") if isinstance(asked, Mapping) else asked
    names = [named] if isinstance(named, str) else [each for each in named or () if each]
    return str(names[0]) if names else ""


def refuse_program(what: str, name: str, config: Mapping[str, Any]) -> None:
    """Raise ServiceRefused for a tokenizer that is a program: without it, another one would be loaded in silence."""
    program = find_program(config)
    if program:
        raise ServiceRefused(
            f"the tokenizer of {what} is a program of its own ({program}: auto_map of its tokenizer_config.json), and "
            "transformers would take a generic one in its place, which cuts text otherwise\n"
            f"read that program at {name}; if you trust it, name it and the commit that you read: "
            f"{TRUST}={name}@COMMIT (on every worker; it runs as you, with TINKER_API_KEY in reach), and install what "
            "it imports (mostly tiktoken). Or `tokenizer: FOLDER` names the same as files, with a tokenizer.json"
        )


def refuse_program_in_files(what: str, files: Mapping[str, Path]) -> None:
    """The same for files that are to be carried to the workers."""
    if program := find_program(read_json(files.get("tokenizer_config.json"))):
        raise ServiceRefused(
            f"{what} is a program of its own ({program}: auto_map of its tokenizer_config.json), which no worker runs "
            "from the store; the same tokenizer as a tokenizer.json is right, or, where a model on the hub has it, "
            f"{TRUST}=ORG/NAME@COMMIT without `tokenizer`"
        )


def refuse_mismatch(what: str, loaded: Any, files: Mapping[str, Path]) -> None:
    """Raise ServiceRefused where what was loaded is not what the files say."""
    wrong = next(_list_faults(loaded, files), "")
    if wrong:
        raise ServiceRefused(
            f"the tokenizer of {what} is not loaded as its files say: {wrong}\n"
            "another version of transformers, or files that are whole, with a tokenizer.json, are right; "
            "`tokenizer: PATH_OR_ID` beside `model` names others"
        )


def _list_faults(loaded: Any, files: Mapping[str, Path]) -> Iterator[str]:
    config = read_json(files.get("tokenizer_config.json"))
    if "tokenizer.json" in files:
        yield from find_cut_difference(loaded, files["tokenizer.json"])
    else:
        yield from _find_generic_class(loaded, config)
    yield from _find_lost_tokens(loaded, config)
    yield from _find_broken_controls(loaded)
    yield from _find_excess_tokens(loaded, read_json(files.get("config.json")))


def find_cut_difference(loaded: Any, file: Path) -> Iterator[str]:
    """Some classes of transformers build their own way of cutting text, whatever `tokenizer.json` says."""
    try:
        known = import_alone("tokenizers").Tokenizer.from_file(str(file))
    except Exception as error:  # noqa: BLE001 - the library raises nothing narrower
        yield f"its tokenizer.json cannot be read ({str(error)[:120]})"
        return
    for text in (PROBE, *PROBE.split(" ")):
        here, there = loaded.encode(text, add_special_tokens=False), known.encode(text, add_special_tokens=False).ids
        if list(here) != list(there):
            kind = type(loaded).__name__
            yield f"{kind} cuts {text[:40]!r} into {len(here)} tokens, its tokenizer.json otherwise ({len(there)})"
            return


def _find_generic_class(loaded: Any, config: Mapping[str, Any]) -> Iterator[str]:
    wanted, kind = str(config.get("tokenizer_class") or ""), type(loaded).__name__
    if kind in GENERIC or (wanted and wanted.removesuffix("Fast") != kind.removesuffix("Fast")):
        yield f"there is no tokenizer.json, and for {wanted or 'a class that is not named'} it took {kind}"


def _find_lost_tokens(loaded: Any, config: Mapping[str, Any]) -> Iterator[str]:
    """The tokens that were added to a vocabulary are where control tokens stand; lost ones become words."""
    listed = config.get("added_tokens_decoder") or {}
    for number, token in listed.items() if isinstance(listed, Mapping) else ():
        text = str(token.get("content") if isinstance(token, Mapping) else token)
        found = loaded.convert_tokens_to_ids(text)
        if found != int(number):
            yield f"{text} is token {found}, and {number} by its tokenizer_config.json"


def _find_broken_controls(loaded: Any) -> Iterator[str]:
    for text in loaded.all_special_tokens:
        tokens = loaded.encode(str(text), add_special_tokens=False)
        if len(tokens) != 1:
            yield f"its control token {text} is cut into {len(tokens)} tokens"


def _find_excess_tokens(loaded: Any, model: Mapping[str, Any]) -> Iterator[str]:
    """A model has room for so many tokens; its tokenizer has as many or fewer."""
    text = model.get("text_config")
    room = model.get("vocab_size") or (text.get("vocab_size") if isinstance(text, Mapping) else None)
    highest = highest_token_id(loaded)
    if isinstance(room, int) and highest >= room:
        yield f"it has a token {highest}, and the vocab_size of its config.json is {room}"


def highest_token_id(loaded: Any) -> int:
    """The highest token id that a tokenizer of transformers gives."""
    return (
        max(len(loaded) - 1, *map(int, loaded.added_tokens_decoder)) if loaded.added_tokens_decoder else len(loaded) - 1
    )


def read_json(file: Path | None) -> Mapping[str, Any]:
    """An object from a file; empty where there is no file, or no object in it."""
    try:
        found = json.loads(file.read_text("utf-8")) if file is not None else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, Mapping) else {}
