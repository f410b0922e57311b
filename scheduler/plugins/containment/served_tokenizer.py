"""Serve a tokenizer that is a program, in the process of `sandbox_main.py`: the other end of contained_tokenizer.py.

Answers are `ready FACTS` or `unfit "CAUSE"`, and then for each line `0 encode "TEXT"` or `0 decode [TOKENS]` one
`answer …` or `broken "CAUSE"`.
"""

import json
from collections.abc import Callable
from typing import Any, BinaryIO

from scheduler.plugins.tokenizer_checks import find_highest_token_id
from scheduler.plugins.user_code import describe_error

Say = Callable[[str], None]


def serve_tokenizer(folder: str, requests: BinaryIO, say: Say) -> None:
    """Load the tokenizer in a folder, running its program, and answer until nobody asks any more."""
    try:
        tokenizer, facts = _load(folder)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - other people's code may raise anything
        say(f"unfit {json.dumps(describe_error(error))}")
        return
    say(f"ready {json.dumps(facts)}")
    for line in requests:
        _, verb, rest = line.split(b" ", 2)
        try:
            say(f"answer {json.dumps(_answer(tokenizer, verb, json.loads(rest)))}")
        except (Exception, SystemExit) as error:  # noqa: BLE001 - as above
            say(f"broken {json.dumps(describe_error(error))}")


def _load(folder: str) -> tuple[Any, dict[str, Any]]:
    import transformers  # takes a second, and only such tokenizers need it here

    options = {"clean_up_tokenization_spaces": False, "local_files_only": True}
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=True, **options)
    added = tokenizer.added_tokens_decoder.values()
    special = {name: value for name, value in tokenizer.special_tokens_map.items() if isinstance(value, str)}
    return tokenizer, {
        "length": find_highest_token_id(tokenizer) + 1,
        "bos": tokenizer.bos_token_id,
        "eos": tokenizer.eos_token_id,
        "chat_template": tokenizer.chat_template,
        "special_tokens": special,
        "controls": [*(str(token) for token in added if token.special), *map(str, tokenizer.all_special_tokens)],
    }


def _answer(tokenizer: Any, verb: bytes, argument: Any) -> Any:
    if verb == b"encode":
        return [int(token) for token in tokenizer.encode(argument, add_special_tokens=False)]
    return str(tokenizer.decode(argument))
