"""Find where an append-only file is damaged, without a server and without changing the file.

A server that meets damage exits and recommends a program that cuts the file off there, including acknowledged data
behind the damage. A power cut leaves something else: an incomplete last command, or zeros in its place, because some
file systems show unwritten data as zeros.
"""

import mmap
from pathlib import Path
from typing import NamedTuple

from scheduler.state.server.server_data import list_parts

COMMANDS = (b"*", b"#")  # the first byte of a file of commands; a snapshot has a checksum, which the server checks
LONGEST_NUMBER = 20  # characters


class Damage(NamedTuple):
    """The first command that cannot be read begins at byte `at`."""

    path: Path
    at: int
    size: int
    unwritten: bool  # only the beginning of one command and zeros follow

    def __str__(self) -> str:
        where = f"{self.path} is damaged from byte {self.at:,} of {self.size:,} on"
        if not self.unwritten:
            return (
                f"{where}. Nothing was changed. Data behind it may be intact, so do not cut the file off: restore a "
                f"copy of {self.path.parent}, or set SWEEP_HOME to another folder"
            )
        return (
            f"{where}: only zeros follow, as after a power cut during an unacknowledged write. "
            f"Nothing was changed. Copy {self.path.parent}, then run: truncate --size {self.at} '{self.path}'"
        )


def find_damage(folder: Path) -> Damage | None:
    """Find the first damage in the commands of a folder."""
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
    """Find where readable commands end, and whether the last one is only incomplete, apart from zeros."""
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
    """Return the length without the zeros at the end; no command ends in a zero."""
    end = len(text)
    while end and text[end - 1] == 0:
        end -= 1
    return end


def _skip_command(text: mmap.mmap, at: int, written: int) -> int:
    """Return where the command ends. Raise EOFError if it is incomplete, ValueError if it is no command."""
    if text[at : at + 1] == b"#":  # a comment of one line
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
    """Read a line of a sign and a number. Return the number and where the next line begins."""
    line = text[at : min(at + LONGEST_NUMBER + 3, written)]
    if not sign.startswith(line[:1]):
        raise ValueError
    digits, ended, _ = line[1:].partition(b"\r\n")
    if not ended and at + len(line) == written and digits.rstrip(b"\r").isdigit() | (len(line) < 2):
        raise EOFError
    if not ended or not digits.isdigit():
        raise ValueError
    return int(digits), at + len(line[: 1 + len(digits) + 2])
