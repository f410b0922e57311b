"""What a supervisor starts ends with it, whenever the supervisor is killed."""

import signal
import subprocess
import sys

import pytest

from scheduler.processes.child import tie_to_this_process

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel of Linux does it")

# A supervisor that says who its child is; the child waits for a line that nobody writes.
SUPERVISOR = """
import subprocess, sys
from scheduler.processes.child import tie_to_this_process
child = subprocess.Popen(tie_to_this_process([sys.executable, "-c", "print('up', flush=True); input()"]))
child.wait()
"""


def test_it_becomes_the_command() -> None:
    command = tie_to_this_process([sys.executable, "-c", "print(7)"])
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "7\n"


def test_it_starts_nothing_when_its_supervisor_was_killed_before_it_could_ask_for_it() -> None:
    command = tie_to_this_process([sys.executable, "-c", "print(7)"])
    other = subprocess.run([sys.executable, "-c", PASS_ON, *command], capture_output=True, text=True, check=True)
    assert other.stdout == "1 ''"


# Starts a command that belongs to another supervisor, as init does when that one is dead.
PASS_ON = """
import subprocess, sys
done = subprocess.run(sys.argv[1:], capture_output=True, text=True)
print(done.returncode, repr(done.stdout), end="")
"""


def test_it_ends_when_its_supervisor_is_killed() -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert supervisor.stdout
    assert supervisor.stdin
    assert supervisor.stdout.readline() == "up\n"
    supervisor.send_signal(signal.SIGKILL)
    supervisor.wait()
    assert supervisor.stdout.read() == "", "the child has closed it, too"
    supervisor.stdout.close()
    supervisor.stdin.close()
