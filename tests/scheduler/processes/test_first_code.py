"""Ctrl-C while the command line is being imported ends `sweep` as it does later: with status 130, and no traceback."""

import subprocess
import sys

import pytest

SENDER = """
import os, signal, sys

class Sender:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Sender())
sys.argv = ["sweep", "--help"]
from scheduler.processes.first_code import main
main()
"""


@pytest.mark.parametrize("name", ["scheduler.cli", "click", "scheduler.cli.console.streams", "sweeps.errors"])
def test_an_interrupt_within_an_import_ends_the_command_without_a_traceback(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SENDER.format(name=name)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_one_the_command_runs() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SENDER.format(name="")], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert "Commands" in done.stdout


def test_the_handler_stands_before_anything_else_is_imported() -> None:
    """What is loaded by then takes no time that a person could hit."""
    known = "before = {*sys.modules}; import scheduler.processes.first_code; print(*({*sys.modules} - before))"
    code = f"import sys; {known}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    ours = {name for name in done.stdout.split() if name.startswith(("scheduler", "sweeps", "worker", "click"))}
    assert ours == {"scheduler", "scheduler.processes", "scheduler.processes.first_code"}
