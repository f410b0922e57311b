"""The process of `sandbox_main.py`, as its parent sees it: asked in lines, answered in lines, and ended for good.

All requests are on their way while the answers come in, and neither side ever waits for the other to read. Its
environment is made from nothing but a few names that programs need: no key, no address of a server, no secret.
"""

import json
import os
import select
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from scheduler.plugins.containment.namespaces import hide_memory
from scheduler.plugins.user_code import make_printable

ALLOWED = {
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TZ"),
    *("PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "XDG_CACHE_HOME"),
    *("HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"),
}
"""What the process finds in its environment of what is in ours."""

FIXED = {
    "PYTHONHASHSEED": "0",  # an episode that is played again must find its sets in the same order
    "PYTHONUNBUFFERED": "1",
    "OMP_NUM_THREADS": "1",  # each thread of a numerical library takes address space, and cores of other attempts
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
MODULE = "scheduler.plugins.containment.sandbox_main"
WORDS = 2000  # bytes of what it printed last that are kept
STATUS_SECONDS = 1.0  # for the status of a process whose pipe has ended
CHUNK = 1 << 16


class Died(Exception):
    """The process is of no use any more. The message says what the environment did."""


class SandboxProcess:
    """One process, with all that it starts."""

    def __init__(
        self, order: Mapping[str, object], *, isolation: str, check: Callable[[], None], look_every: float
    ) -> None:
        hide_memory()
        self._check = check
        self._look_every = look_every
        self._scratch = tempfile.TemporaryDirectory(prefix="tinker-sweeps-", ignore_cleanup_errors=True)
        first = json.dumps(order).encode() + b"\n"
        self._out = bytearray(first)
        self._in = bytearray()
        self._words = b""
        self._ended = False  # its pipe is
        self._mute = False  # and this: it closed what it prints on
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", MODULE, self._scratch.name, isolation],
                env=_environment(self._scratch.name),
                cwd=str(order["folder"]),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                start_new_session=True,  # a group of its own, to be ended with all that it started
            )
        except BaseException:
            self._scratch.cleanup()
            raise
        for pipe in self._pipes:
            os.set_blocking(pipe.fileno(), False)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def lives(self) -> bool:
        return not self._ended and self._process.poll() is None

    def close(self) -> None:
        """End it, and what it started."""
        with suppress(ProcessLookupError, PermissionError):  # macOS says the latter of a group that has just ended
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in self._pipes:
            pipe.close()
        self._scratch.cleanup()

    def tell(self, lines: Sequence[bytes]) -> None:
        """Send a message without an answer, together with the next request."""
        self._out += b"".join(lines)

    def ask(self, lines: Sequence[bytes], *, answers: int, seconds: float) -> Iterator[bytes]:
        """Send these lines; then so many answers, as they come in. Raises Died, and what `check` raises.

        Each answer may take so many seconds from the one before.
        """
        self.tell(lines)
        since = looked = time.monotonic()
        while answers:
            for line in self._lines():
                yield line
                answers -= 1
                since = time.monotonic()
            if (now := time.monotonic()) - looked >= self._look_every:
                self._check()
                looked = now
            if answers and not self._move(self._look_every):
                self._see_why(seconds, since)

    def _see_why(self, seconds: float, since: float) -> None:
        """Find out why no answer came: the process died, or it hangs. What it still writes counts."""
        if not self.lives:
            if not self._move(0):
                raise Died(self._how_it_ended())
        elif time.monotonic() - since > seconds and not self._move(0):
            raise Died(f"did not answer within {seconds:g} s")

    def _lines(self) -> list[bytes]:
        *whole, rest = bytes(self._in).split(b"\n")
        self._in = bytearray(rest)
        return whole

    def _move(self, seconds: float) -> bool:
        """Write and read what can be written and read; wait so long for that. Has anything been said?"""
        stdin, stdout, stderr = (pipe.fileno() for pipe in self._pipes)
        poll = select.poll()
        if not self._mute:
            poll.register(stderr, select.POLLIN)
        if not self._ended:
            poll.register(stdout, select.POLLIN)
        if self._out:
            poll.register(stdin, select.POLLOUT)
        has_output = False
        for descriptor, _ in poll.poll(seconds * 1000):
            if descriptor == stdin:
                self._write(stdin)
            elif descriptor == stdout:
                has_output = self._read(stdout)
            else:
                self._listen(stderr)
        return has_output

    def _write(self, stdin: int) -> None:
        try:
            del self._out[: os.write(stdin, self._out[:CHUNK])]
        except BlockingIOError:
            return
        except BrokenPipeError:
            self._out.clear()  # what it said before that is still to be read

    def _read(self, stdout: int) -> bool:
        chunk = os.read(stdout, CHUNK)
        self._ended = not chunk
        self._in += chunk
        return bool(chunk)

    def _listen(self, stderr: int) -> None:
        chunk = os.read(stderr, CHUNK)
        self._mute = not chunk
        self._words = (self._words + chunk)[-WORDS:]

    def _how_it_ended(self) -> str:
        """Describe how the process ended, and what it printed last."""
        try:
            status = self._process.wait(STATUS_SECONDS)
            how = f"was killed by {_signal(-status)}" if status < 0 else f"ended its process with status {status}"
        except subprocess.TimeoutExpired:
            how = "closed the pipe on which it is played"
        self._move(0)
        words = make_printable(self._words.decode(errors="replace"))[-300:]
        return f"{how} (it last printed: {words})" if words else how

    @property
    def _pipes(self) -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        return process.stdin, process.stdout, process.stderr


def _environment(scratch: str) -> dict[str, str]:
    """Choose the variables that the process may see, and put the path of our packages behind its own folder."""
    ours = {name: value for name, value in os.environ.items() if name in ALLOWED}
    root = Path(__file__).resolve().parents[3]
    if str(root) not in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib")):
        ours["PYTHONPATH"] = os.pathsep.join([str(root), *filter(None, [ours.get("PYTHONPATH")])])
    return {**ours, **FIXED, "TMPDIR": scratch, "HF_MODULES_CACHE": f"{scratch}/modules"}


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
