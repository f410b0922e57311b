"""A tokenizer that is a program, in a process of its own: it sees no key, whatever it is.

It has of a tokenizer of transformers what is read here. The process lives as long as ours; served_tokenizer.py is what
it runs.
"""

import json
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scheduler.errors import ServiceRefused
from scheduler.plugins.containment.sandbox import LOOK_EVERY, SandboxLimits
from scheduler.plugins.containment.sandbox_process import Died, SandboxProcess


class ContainedTokenizer:
    """The tokenizer in a folder. Raises ServiceRefused if its program does not do what a tokenizer does."""

    def __init__(self, what: str, folder: Path, limits: SandboxLimits) -> None:
        self._what, self._folder, self._limits = what, folder, limits
        self._lock = threading.Lock()
        self._process = self._start()

    def encode(self, text: str, **_: object) -> list[int]:
        """Return the tokens of a text, without special tokens."""
        tokens = self._ask("encode", text)
        if not isinstance(tokens, list) or not all(type(token) is int and 0 <= token < len(self) for token in tokens):
            raise self._refuse(f"expected tokens from 0 to {len(self) - 1}, got {str(tokens)[:80]}")
        return tokens

    def decode(self, tokens: Sequence[int], **_: object) -> str:
        return str(self._ask("decode", list(tokens)))

    def __len__(self) -> int:
        return self._length

    def get_chat_template(self, tools: object = None) -> str:
        """Return the template for chats, or the one for chats with tools if there are several."""
        template = self.chat_template
        if isinstance(template, Mapping):
            template = template.get("tool_use" if tools and "tool_use" in template else "default")
        return str(template)

    def close(self) -> None:
        """End the process."""
        self._process.close()

    def _start(self) -> SandboxProcess:
        """Start the process, and read what it says of the tokenizer."""
        order: dict[str, object] = {"kind": "tokenizer", "name": self._what, "split": "test", "code": None}
        order |= {"folder": str(self._folder), "memory": self._limits.memory, "answer": self._limits.answer}
        process = SandboxProcess(order, isolation=self._limits.isolation, check=lambda: None, look_every=LOOK_EVERY)
        try:
            self._learn(self._hear(process, [], "ready", self._limits.start))
        except BaseException as error:
            process.close()
            if isinstance(error, Died | LookupError | TypeError | ValueError):
                raise self._refuse(str(error)) from None
            raise
        return process

    def _learn(self, facts: Mapping[str, Any]) -> None:
        self._length = int(facts["length"])
        self.bos_token_id: int | None = _read_token(facts["bos"])
        self.eos_token_id: int | None = _read_token(facts["eos"])
        self.chat_template: Any = facts["chat_template"]
        self.special_tokens_map: dict[str, Any] = dict(facts["special_tokens"])
        self.all_special_tokens: list[str] = [*map(str, facts["controls"])]
        self.added_tokens_decoder: dict[int, Any] = {}  # those that matter are in the line above

    def _ask(self, verb: str, argument: object) -> Any:
        """Ask the process; if it dies, ask a new one once."""
        request = f"0 {verb} {json.dumps(argument)}\n".encode()
        with self._lock:
            try:
                return self._hear(self._process, [request], "answer", self._limits.step)
            except Died:
                self._process.close()
                self._process = self._start()
            try:
                return self._hear(self._process, [request], "answer", self._limits.step)
            except Died as error:
                raise self._refuse(str(error)) from None

    def _hear(self, process: SandboxProcess, lines: Sequence[bytes], right: str, seconds: float) -> Any:
        """Send lines, and return the one answer. Raises Died, and ServiceRefused if the program failed."""
        (line,) = process.ask(lines, answers=1, seconds=seconds)
        word, _, rest = line.decode(errors="replace").partition(" ")
        try:
            value = json.loads(rest)
        except ValueError:
            raise self._refuse(f"said {line[:40]!r}") from None
        if word != right:
            raise self._refuse(str(value))
        return value

    def _refuse(self, cause: str) -> ServiceRefused:
        return ServiceRefused(f"the tokenizer of {self._what}: its program {cause}")


def _read_token(value: object) -> int | None:
    """Read the number of a token, which comes from a program that nobody trusts. Raises TypeError."""
    if value is not None and type(value) is not int:
        raise TypeError(f"expected a token, got {str(value)[:40]}")
    return value
