"""Prepare stdin, stdout and stderr: closed streams, terminals without Unicode, readers that leave."""

import codecs
import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

STREAMS = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))
PLAIN = "plain"  # our error handler: replaces characters that the terminal does not have
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
    """Open closed streams on /dev/null, and replace characters that the terminal does not have."""
    for descriptor, (name, mode) in enumerate(STREAMS):
        _open_if_closed(descriptor, name, mode)
    codecs.register_error(PLAIN, _replace_characters)
    _reconfigure(errors=PLAIN)


def make_exact() -> None:
    """Write UTF-8 whatever the terminal has, for output that programs read."""
    _reconfigure(encoding="utf-8", errors="backslashreplace")


def flush_output() -> None:
    """Flush stdout. Raises OSError; BrokenPipeError if the reader has left."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        discard_output()
        raise OSError(error.errno, os.strerror(error.errno or errno.EIO), "standard output") from None


def discard_output() -> None:
    """Send the rest of the output to /dev/null, so that the interpreter does not complain at its end."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def _open_if_closed(descriptor: int, name: str, mode: str) -> None:
    """Open a closed descriptor on /dev/null; else the next file would get it, and our prints with it."""
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
    if change is not None:  # a stream of a test has no encoding
        change(**options)


def _replace_characters(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeEncodeError)
    wrong = error.object[error.start : error.end]
    return "".join(WORDS.get(character, "?") for character in wrong), error.end
