"""Run `python -m scheduler.processes.child PID COMMAND …`: becomes the command, and ends with its supervisor.

A killed supervisor cannot stop its children. On Linux the kernel then sends them SIGTERM. PID is the supervisor's: it
may be killed before this process can ask who started it.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence

PR_SET_PDEATHSIG = 1


def tie_to_this_process(command: Sequence[str]) -> list[str]:
    """Return the command that runs `command` and ends with the process that calls this."""
    return [sys.executable, "-m", "scheduler.processes.child", str(os.getpid()), *command]


def main() -> None:
    supervisor, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != supervisor:  # it died before the call
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 - no shell is the point


if __name__ == "__main__":
    main()
