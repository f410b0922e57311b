"""`sweep run`: up, submit, watch, results, in one command that goes on from where it was when started again."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from scheduler.cli.options import takes_file, the_store
from scheduler.cli.output import Output
from scheduler.cli.plan import summarise
from scheduler.cli.results import show_results
from scheduler.cli.submit import put, told
from scheduler.cli.up import where
from scheduler.cli.watch import follow
from scheduler.errors import SchedulerError
from scheduler.prepare import prepare, submission_of
from scheduler.settings import Settings, from_environment
from scheduler.supervise import OFFLINE_START, find, is_up

STOP_PATIENCE = 60.0  # seconds for workers to give back, and everything to end


@click.command()
@takes_file
@click.option("--detach", is_flag=True, help="Submit, leave the work to `sweep up`, and return.")
@click.pass_obj
def run(output: Output, file: Path, overrides: tuple[str, ...], detach: bool) -> None:
    """Ask the question in FILE, and stay until it is answered."""
    settings = from_environment()
    prepared = prepare(file, overrides, settings)
    submission = submission_of(prepared)
    if output.for_people:
        summarise(output, prepared.plan)
    name = prepared.plan.sweep
    with the_store(settings) as store:
        output.say(told(prepared, put(store, prepared, submission, settings)))
        if detach:
            _say_how_to_go_on(output, settings, name)
            return
        with everything_up(settings, output) as still_up:
            view = follow(store, name, output, still_up)
        show_results(store, name, output)
    failed = sum(view.counts.get(state, 0) for state in ("failed", "skipped"))
    if failed:
        raise SchedulerError(f"{name}: {failed:,} stages have no result; `sweep status {name}` says why")


def _say_how_to_go_on(output: Output, settings: Settings, name: str) -> None:
    up = "it is being worked on" if is_up(settings.home) else "`sweep up` starts the work"
    output.say(f"{up}; `sweep watch {name}` shows it, `sweep results {name}` answers")


@contextmanager
def everything_up(settings: Settings, output: Output) -> Iterator["StillUp"]:
    """All processes of this machine for as long as the block runs, unless somebody has them up already."""
    if is_up(settings.home):
        _announce(settings, output)
        yield StillUp(None)
        return
    process = subprocess.Popen(
        [sys.executable, "-m", "scheduler.child", sys.executable, "-m", "scheduler.cli", "up"],
        env={**os.environ, "SWEEP_HOME": str(settings.home)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # Ctrl-C is ours to pass on, after the watch has ended
    )
    still_up = StillUp(process)
    try:
        still_up.relay(output)
        still_up.wait_until_ready(settings)
        yield still_up
    finally:
        still_up.stop()


class StillUp:
    """The supervisor beside us: what it says is passed on, and its death is an error."""

    def __init__(self, process: "subprocess.Popen[str] | None") -> None:
        self._process = process
        self._said: list[str] = []

    def __call__(self) -> None:
        """Raise SchedulerError if it is gone."""
        if self._process is not None and self._process.poll() is not None:
            raise SchedulerError("the supervisor ended unexpectedly:\n" + "\n".join(self._said[-5:]))

    def relay(self, output: Output) -> None:
        """Pass its lines on from now on."""

        def pump() -> None:
            assert self._process is not None
            assert self._process.stdout is not None
            for line in self._process.stdout:
                self._said.append(line.rstrip())
                output.say(line.rstrip())

        threading.Thread(target=pump, daemon=True).start()

    def wait_until_ready(self, settings: Settings) -> None:
        """Until it has told where everything is."""
        give_up = time.monotonic() + OFFLINE_START + 30
        while find(settings.home) is None:
            self()
            if time.monotonic() > give_up:
                raise SchedulerError(f"not everything came up; see the logs in {settings.home / 'logs'}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Ask it to bring everything down, and wait. A second Ctrl-C does not hurry it: stages are being given back."""
        if self._process is None or self._process.poll() is not None:
            return
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self._process.terminate()
            self._process.wait(STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
        finally:
            signal.signal(signal.SIGINT, previous)


def _announce(settings: Settings, output: Output) -> None:
    if addresses := find(settings.home):
        output.say(where(addresses))


commands = {"run": run}
