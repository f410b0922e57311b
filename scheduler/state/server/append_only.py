"""Where an append-only file stops being one, found without a server and without changing it.

A server that meets damage ends, and advises a program that cuts the file off there, with all that was acknowledged
behind it. What a power cut leaves is told from that: a last command that is not whole, or zeros in its place, which is
how some file systems show what was never written.
"""

import mmap
from pathlib import Path
from typing import NamedTuple

from scheduler.state.server.server_data import list_parts

COMMANDS = (b"*", b"#")  # what a file of commands begins with; a snapshot has a sum of its own, which the server checks
LONGEST_NUMBER = 20  # characters


class Damage(NamedTuple):
    """The first command that cannot be read begins at byte `at`."""

    path: Path
    at: int
    size: int
    unwritten: bool  # from there on stand no more than the beginning of one command, and zeros

    def __str__(self) -> str:
        where = f"{self.path} is damaged from byte {self.at:,} of {self.size:,} on"
        if not self.unwritten:
            return (
                f"{where}. Nothing was changed. What stands behind it may be whole, so do not cut it off: bring back a "
                f"copy of {self.path.parent}, or set SWEEP_HOME to another folder"
            )
        return (
            f"{where}: there are only zeros, as a power cut leaves them in place of what was not acknowledged. "
            f"Nothing was changed. Keep a copy of {self.path.parent}, then: truncate --size {self.at} '{self.path}'"
        )


def find_damage(folder: Path) -> Damage | None:
    """The first damage in the commands that were written there."""
    parts = [path for path in list_parts(folder) if path.exists() and path.stat().st_size]
    for path in parts:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
            if text[:1] not in COMMANDS:
                continue
            at, torn = _find_end(text)
            if at < len(text):
                return Damage(path, at, len(text), unwritten=torn and path == parts[-1])
    return None


def _find_end(text: mmap.mmap) -> tuple[int, bool]:
    """How far commands can be read; and does the last one just break off, but for zeros?"""
    at, written = 0, _trim_zeros(text)
    try:
        while at < written:
            at = _skip_command(text, at, written)
    except EOFError:
        return at, True
    except ValueError:
        return at, False
    return at, True


def _trim_zeros(text: mmap.mmap) -> int:
    """Its length without the zeros at the end; no command ends in one."""
    end = len(text)
    while end and text[end - 1] == 0:
        end -= 1
    return end


def _skip_command(text: mmap.mmap, at: int, written: int) -> int:
    """Raises EOFError where it breaks off, ValueError where it is none."""
    if text[at : at + 1] == b"#":  # a remark, one line
        end = text.find(b"\n", at, written)
        if end < 0:
            raise EOFError
        return end + 1
    words, at = _read_number(text, at, written, b"*")
    for _ in range(words):
        length, at = _read_number(text, at, written, b"$")
        at += length + 2
        if at > written:
            raise EOFError
        if text[at - 2 : at] != b"\r\n":
            raise ValueError
    return at


def _read_number(text: mmap.mmap, at: int, written: int, sign: bytes) -> tuple[int, int]:
    """A line with a sign and a number; the number, and where the next line begins."""
    line = text[at : min(at + LONGEST_NUMBER + 3, written)]
    if not sign.startswith(line[:1]):
        raise ValueError
    digits, ended, _ = line[1:].partition(b"\r\n")
    if not ended and at + len(line) == written and digits.rstrip(b"\r").isdigit() | (len(line) < 2):
        raise EOFError
    if not ended or not digits.isdigit():
        raise ValueError
    return int(digits), at + len(line[: 1 + len(digits) + 2])
