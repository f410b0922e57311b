"""One command of somebody else as a process: what it says, as frames of JSON, and its end, whoever wants it first.

The process has a folder of its own for the sender's files. Its order goes through its standard input. It gets a
terminal where the sender has one, so that its output is the same.
"""

import asyncio
import base64
import codecs
import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scheduler.processes.child import tie_to_this_process
from scheduler.processes.own_environment import start_process

PROGRAM = "scheduler.cli.remote.command_main"
PIECE = 65_536  # bytes that are read at once
LOOK_EVERY = 1.0  # seconds between two looks whether it may go on
BEAT = 10.0  # seconds after which a frame says that the server lives
MOST_SAID = 100_000_000  # bytes of output; a command that follows sweeps has no limit, and nothing of it is kept
MOST_FILES = 200_000_000  # bytes of files that come back
END_PATIENCE = 5.0  # seconds that a process has to end
TOO_MUCH = f"a server sends at most {MOST_SAID / 1e6:.0f} MB; run this on its machine"
TOO_MUCH_IN_FILES = f"a server sends files of at most {MOST_FILES / 1e6:.0f} MB in all; run this on its machine"


@dataclass(frozen=True)
class TerminalSize:
    """What the sender's output goes to; a stream that is no terminal is a pipe."""

    out: bool
    err: bool
    columns: int
    lines: int


@dataclass
class CommandProcess:
    """A process that runs one command."""

    order: Mapping[str, Any]
    environment: Mapping[str, str]
    terminal: TerminalSize
    _process: "subprocess.Popen[bytes] | None" = None
    _is_stopped: bool = False
    _streams: dict[str, int] = field(default_factory=dict)  # descriptors from which we read what it says

    def start(self) -> None:
        """Start it. Call this from the thread of the event loop: the process ends with the thread that started it."""
        theirs = {}
        for name, is_terminal in (("out", self.terminal.out), ("err", self.terminal.err)):
            self._streams[name], theirs[name] = self._open_terminal() if is_terminal else os.pipe()
        try:
            with tempfile.TemporaryFile() as order:
                order.write(json.dumps(self.order).encode())
                order.seek(0)
                self._process = start_process(
                    tie_to_this_process([sys.executable, "-m", PROGRAM]),
                    self.environment,
                    stdin=order,
                    stdout=theirs["out"],
                    stderr=theirs["err"],
                    start_new_session=True,  # so that what it starts ends with it
                )
        finally:
            for descriptor in theirs.values():
                os.close(descriptor)

    def _open_terminal(self) -> tuple[int, int]:
        """Open a terminal of the sender's size that passes every byte as it is."""
        ours, theirs = pty.openpty()
        attributes = termios.tcgetattr(theirs)
        attributes[1] &= ~termios.OPOST
        termios.tcsetattr(theirs, termios.TCSANOW, attributes)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", self.terminal.lines, self.terminal.columns, 0, 0))
        return ours, theirs

    async def read_frames(self, most: float) -> AsyncGenerator[dict[str, Any] | None]:
        """Yield what it says, and None whenever it says nothing for a while; end when it has ended."""
        decoders = {name: codecs.getincrementaldecoder("utf-8")("replace") for name in self._streams}
        reading = {asyncio.ensure_future(_read_piece(self._streams[name])): name for name in self._streams}
        size = 0
        try:
            while reading:
                done, _ = await asyncio.wait(reading, timeout=LOOK_EVERY, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    if self.has_ended():
                        return  # what it started may hold the streams
                    yield None
                for task in done:
                    name, piece = reading.pop(task), task.result()
                    size += len(piece)
                    if size > most:
                        raise CommandCut(TOO_MUCH)
                    if text := decoders[name].decode(piece, final=not piece):
                        yield {name: text}
                    if piece:
                        reading[asyncio.ensure_future(_read_piece(self._streams[name]))] = name
        finally:
            for task in reading:
                task.cancel()
            await asyncio.gather(*reading, return_exceptions=True)  # nobody reads any more what may be closed then

    def has_ended(self) -> bool:
        """Has it ended?"""
        return self._process is None or self._process.poll() is not None

    def wait_for_status(self) -> int:
        """Wait for its status, once it has said everything."""
        assert self._process is not None
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(END_PATIENCE)
        self.stop()
        return self._process.returncode if self._process.returncode >= 0 else 1

    def stop(self) -> None:
        """End it and what it started, and wait for that."""
        for descriptor in self._streams.values():
            os.close(descriptor)
        self._streams.clear()
        if self._process is None or self._is_stopped:
            return
        self._is_stopped = True  # later, its number may be another's
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(END_PATIENCE)


class CommandCut(Exception):
    """The server ends a command; the text says why."""


async def _read_piece(descriptor: int) -> bytes:
    """Read what is there once something is; nothing at the end. Nobody reads ahead, so a slow sender slows it down."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
    try:
        return os.read(descriptor, PIECE)
    except OSError:  # a terminal whose other side is closed
        return b""


def list_new_files(folder: Path, here: Path, laid: frozenset[str]) -> Iterator[tuple[str, Path]]:
    """List what a command wrote, by its path from the sender's folder; no links, and nothing that was sent."""
    for root, _, names in os.walk(folder):
        for name in sorted(names):
            path = Path(root, name)
            if not path.is_symlink() and path.is_file() and (sent := os.path.relpath(path, here)) not in laid:
                yield sent, path


def read_file_frames(name: str, path: Path) -> Iterator[dict[str, Any]]:
    """Read a file as frames; an empty one has one, too."""
    with path.open("rb") as file:
        while True:
            piece = file.read(PIECE)
            yield {"file": name, "content": base64.b64encode(piece).decode()}
            if len(piece) < PIECE:
                return


class CommandClock:
    """When the sender was last told something, and how long a command may last."""

    def __init__(self, seconds: float) -> None:
        self._ends = time.monotonic() + seconds
        self._spoke = time.monotonic()

    def is_over(self) -> bool:
        """Is the command's time over?"""
        return time.monotonic() > self._ends

    def has_been_silent(self) -> bool:
        """Was nothing said for a while? Then something is said now."""
        if time.monotonic() - self._spoke < BEAT:
            return False
        self._spoke = time.monotonic()
        return True
