"""A command in a real terminal of a given width: what it shows, after what is typed when it asks."""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.repository import ROOT

MOVES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # colours and cursor movements, which the terminal does not show
CALL = """
import scheduler.cli.console.options as options
from scheduler.cli import main
options.check_server = lambda *_: None  # the server of a test is not durable
main()
"""


class Seen(NamedTuple):
    """What the terminal shows, line by line, and the exit status."""

    text: str
    status: int

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.text.split("\n")]


def run_in_terminal(
    words: Sequence[str],
    *,
    columns: int,
    environment: Mapping[str, str],
    folder: Path,
    typed: Sequence[tuple[str, str]] = (),
    seconds: float = 30.0,
) -> Seen:
    """Run `sweep` with these words; type each text once what it waits for is shown."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        [sys.executable, "-c", CALL, *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "COLUMNS": "", **environment},
        start_new_session=True,
    )
    os.close(theirs)
    shown, waiting, end = b"", list(typed), time.monotonic() + seconds
    seen_to = 0
    try:
        while time.monotonic() < end:
            if select.select([ours], [], [], 0.1)[0]:
                try:
                    chunk = os.read(ours, 1 << 16)
                except OSError:  # the other end is closed
                    break
                if not chunk:
                    break
                shown += chunk
            if waiting and (place := shown.find(waiting[0][0].encode(), seen_to)) >= 0:
                prompt, text = waiting.pop(0)
                seen_to = place + len(prompt)
                os.write(ours, text.encode())
        status = process.wait(max(0.1, end - time.monotonic()))
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    text = MOVES.sub("", shown.decode(errors="replace")).replace("\r\n", "\n")
    return Seen(text, status)
