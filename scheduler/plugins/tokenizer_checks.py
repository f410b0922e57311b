"""Check that transformers loaded the model's own tokenizer from its files.

If transformers does not know the class, or it is an untrusted program, it silently uses a generic class that cuts text
differently: you would pay for training on tokens that the model has never read. So we compare with the files.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from scheduler.errors import ServiceRefused
from scheduler.plugins.lazy_imports import import_alone
from scheduler.settings import TRUST_CODE as TRUST

# What tokenizers cut differently: case, digits, contractions, spaces, accents in two encodings, scripts, symbols.
PROBE = (
    "Hello, world! It's 12345.678 and I'LL  see\tyou\n\n  def f(x):\r\n    return x**2  # ok\n"
    "na\u00efve nai\u0308ve \u4f60\u597d\u4e16\u754c \u041f\u0440\u0438\u0432\u0435\u0442 \u0645\u0631\u062d\u0628 "
    "\u0928\u092e\u0938\u094d\u0924\u0947 \ud55c\uad6d\uc5b4 \U0001f469\u200d\U0001f52c \u00bd \ufb01 \u00a0 e.g. Http2"
)
GENERIC = {"TokenizersBackend", "PreTrainedTokenizerFast", "PreTrainedTokenizer", "PythonBackend"}


def find_program(config: Mapping[str, Any]) -> str:
    """Return the program that the files need, if it is not part of transformers; else an empty text."""
    asked = config.get("auto_map")
    named = asked.get("AutoTokenizer") if isinstance(asked, Mapping) else asked
    names = [named] if isinstance(named, str) else [file_name for file_name in named or () if file_name]
    return str(names[0]) if names else ""


def refuse_program(what: str, name: str, config: Mapping[str, Any]) -> None:
    """Raise ServiceRefused for a tokenizer that is a program; transformers would silently load another one."""
    program = find_program(config)
    if program:
        raise ServiceRefused(
            f"the tokenizer of {what} is a program ({program}: auto_map in tokenizer_config.json); without it, "
            "transformers would use a generic one that cuts text differently\n"
            f"read the program at {name}; if you trust it, set {TRUST}={name}@COMMIT with the commit that you read, on "
            "every worker, and install what it imports (mostly tiktoken); it runs as you, in the sandbox\n"
            "or set `tokenizer: FOLDER` to a folder with the same tokenizer as a tokenizer.json"
        )


def refuse_program_in_files(what: str, files: Mapping[str, Path]) -> None:
    """Refuse a program among files that are to be sent to the workers."""
    if program := find_program(read_json(files.get("tokenizer_config.json"))):
        raise ServiceRefused(
            f"{what} is a program ({program}: auto_map in tokenizer_config.json), which workers do not run from the "
            "store; use the same tokenizer as a tokenizer.json, or, if a model on the hub has it, "
            f"{TRUST}=ORG/NAME@COMMIT without `tokenizer`"
        )


def refuse_mismatch(what: str, loaded: Any, files: Mapping[str, Path]) -> None:
    """Raise ServiceRefused if the loaded tokenizer is not what its files describe."""
    wrong = next(_list_faults(loaded, files), "")
    if wrong:
        raise ServiceRefused(
            f"the tokenizer of {what} does not match its files: {wrong}\n"
            "use another version of transformers, or complete files with a tokenizer.json; "
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
    """Find text that is cut differently: some classes of transformers ignore `tokenizer.json`."""
    try:
        known = import_alone("tokenizers").Tokenizer.from_file(str(file))
    except Exception as error:  # noqa: BLE001 - the library raises nothing narrower
        yield f"cannot read its tokenizer.json ({str(error)[:120]})"
        return
    for text in (PROBE, *PROBE.split(" ")):
        here, there = loaded.encode(text, add_special_tokens=False), known.encode(text, add_special_tokens=False).ids
        if list(here) != list(there):
            kind = type(loaded).__name__
            yield f"{kind} cuts {text[:40]!r} into {len(here)} tokens, its tokenizer.json differently ({len(there)})"
            return


def _find_generic_class(loaded: Any, config: Mapping[str, Any]) -> Iterator[str]:
    wanted, kind = str(config.get("tokenizer_class") or ""), type(loaded).__name__
    if kind in GENERIC or (wanted and wanted.removesuffix("Fast") != kind.removesuffix("Fast")):
        yield f"no tokenizer.json; expected the class {wanted or '(not named)'}, got {kind}"


def _find_lost_tokens(loaded: Any, config: Mapping[str, Any]) -> Iterator[str]:
    """Find added tokens with another number: they are mostly control tokens, and lost ones become words."""
    listed = config.get("added_tokens_decoder") or {}
    for number, token in listed.items() if isinstance(listed, Mapping) else ():
        text = str(token.get("content") if isinstance(token, Mapping) else token)
        got = loaded.convert_tokens_to_ids(text)
        if got != int(number):
            yield f"{text}: expected token {number} (tokenizer_config.json), got {got}"


def _find_broken_controls(loaded: Any) -> Iterator[str]:
    for text in loaded.all_special_tokens:
        tokens = loaded.encode(str(text), add_special_tokens=False)
        if len(tokens) != 1:
            yield f"the control token {text} is cut into {len(tokens)} tokens"


def _find_excess_tokens(loaded: Any, model: Mapping[str, Any]) -> Iterator[str]:
    """Find token numbers beyond the model's vocabulary."""
    text = model.get("text_config")
    room = model.get("vocab_size") or (text.get("vocab_size") if isinstance(text, Mapping) else None)
    highest = find_highest_token_id(loaded)
    if isinstance(room, int) and highest >= room:
        yield f"token {highest} is beyond the vocab_size {room} in config.json"


def find_highest_token_id(loaded: Any) -> int:
    """Return the highest token number of a tokenizer."""
    return (
        max(len(loaded) - 1, *map(int, loaded.added_tokens_decoder)) if loaded.added_tokens_decoder else len(loaded) - 1
    )


def read_json(file: Path | None) -> Mapping[str, Any]:
    """Read a JSON object from a file; empty if there is none."""
    try:
        content = json.loads(file.read_text("utf-8")) if file is not None else {}
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, Mapping) else {}
