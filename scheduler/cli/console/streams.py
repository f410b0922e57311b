"""What a command reads and writes, however it was started: closed streams, narrow terminals, readers that leave."""

import codecs
import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))
PLAIN = "plain"  # the error handler that writes what a terminal does not have in its own characters
WORDS = {
    "…": "...",
    "×": "x",
    "·": "*",
    "±": "+/-",
    "−": "-",
    "–": "-",
    "—": "-",
    "→": "->",
    "←": "<-",
    "≥": ">=",
    "≤": "<=",
}


def make_ready() -> None:
    """Streams that are closed lead nowhere, and a terminal that lacks a character shows the nearest to it."""
    for descriptor, (name, mode) in enumerate(STREAMS):
        _open_if_closed(descriptor, name, mode)
    codecs.register_error(PLAIN, _replace_characters)
    _reconfigure(errors=PLAIN)


def make_exact() -> None:
    """For what programs read, files and tables of values: UTF-8, whatever the terminal has."""
    _reconfigure(encoding="utf-8", errors="backslashreplace")


def flush_output() -> None:
    """Write what is not written yet. Raises OSError, BrokenPipeError where whoever read has left."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        discard_output()
        raise OSError(error.errno, os.strerror(error.errno or errno.EIO), "standard output") from None


def discard_output() -> None:
    """Nobody reads: what is left unwritten goes nowhere, and the interpreter has nothing to say about it at its end."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _open_if_closed(descriptor: int, name: str, mode: str) -> None:
    """A descriptor that is free would be taken by the next file, and what is printed would be written into that."""
    if getattr(sys, name) is not None:
        return
    with suppress(OSError):
        os.fstat(descriptor)
        return
    nowhere = os.open(os.devnull, os.O_RDWR)
    if nowhere != descriptor:
        os.dup2(nowhere, descriptor)
        os.close(nowhere)
    setattr(sys, name, open(descriptor, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - as long as we live


def _reconfigure(**options: str) -> None:
    change: Callable[..., Any] | None = getattr(sys.stdout, "reconfigure", None)
    if change is not None:  # a stream that a test has put there has no encoding
        change(**options)


def _replace_characters(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    wrong = error.object[error.start : error.end]
    return "".join(WORDS.get(character, "?") for character in wrong), error.end
