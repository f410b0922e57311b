"""A signal that asks a command to stop is never lost."""

import os
import signal
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from scheduler.cli.console.output import Output
from scheduler.cli.run import LocalSupervisor, interrupt_on_signals
from scheduler.settings import read_settings


class Struck:
    """A signal comes while it is destroyed. Python drops what is raised in a destructor, and prints a traceback."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        sum(range(100))  # the handler runs between two instructions


def test_one_that_strikes_in_a_destructor_stops_the_command_at_its_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dropped = list[object]()
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: dropped.append(unraisable.exc_type))
    with interrupt_on_signals() as asked:
        output = Output("table", Console(file=StringIO()))
        still_up = LocalSupervisor(read_settings({"SWEEP_HOME": str(tmp_path)}), output, asked)
        Struck()
        assert dropped == []
        with pytest.raises(KeyboardInterrupt):
            still_up()
