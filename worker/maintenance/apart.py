"""Run a program of ours in a process of its own, because a process that ends gives back all of its memory.

For what reads everything that there is: a worker would hold the most that it ever took, since its other threads put
what they keep in between.
"""

import logging
import os
import subprocess
import sys
from collections.abc import Sequence

from scheduler.processes.child import tie_to_this_process
from scheduler.processes.own_environment import start_process

log = logging.getLogger(__name__)

LAST = 500  # characters of what a process says is wrong


def run_apart(module: str, arguments: Sequence[str] = (), *, order: str = "", patience: float) -> str | None:
    """Run `python -m module`; return what it prints, or None if it was killed, or has not ended in `patience` seconds.

    It reads `order` from its standard input. No secret is in its arguments, nor in what the system shows of its
    environment. It ends when we do. Raises RuntimeError where it fails, with the end of what it says is wrong.
    """
    command = tie_to_this_process([sys.executable, "-W", "ignore", "-m", module, *arguments])
    pipe = subprocess.PIPE
    with start_process(command, os.environ, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            printed, wrong = process.communicate(order, patience)
        except subprocess.TimeoutExpired:
            process.kill()
            return None
    if process.returncode < 0:
        log.warning("%s was killed by signal %s", module, -process.returncode)
        return None
    if process.returncode:
        raise RuntimeError(f"{module} ended with status {process.returncode}: {wrong.strip()[-LAST:]}")
    return str(printed)
