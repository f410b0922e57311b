"""`sweep run`: up, submit, watch, results, in one command that goes on from where it was when started again."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from scheduler.cli.options import files_and_overrides, takes_files, the_store
from scheduler.cli.output import Output
from scheduler.cli.plan import summarise
from scheduler.cli.results import show_results
from scheduler.cli.submit import put, told
from scheduler.cli.up import where
from scheduler.cli.watch import follow
from scheduler.errors import SchedulerError
from scheduler.prepare import prepare_to_submit, submission_of
from scheduler.settings import Settings, from_environment
from scheduler.supervise import START_SECONDS, find, is_up
from scheduler.views import SweepView

STOP_PATIENCE = 60.0  # seconds for workers to give back, and everything to end


@click.command()
@takes_files
@click.option("--detach", is_flag=True, help="Submit, leave the work to `sweep up`, and return.")
@click.pass_obj
def run(output: Output, words: tuple[str, ...], detach: bool) -> None:
    """Ask the questions in FILE..., and stay until they are answered."""
    settings = from_environment()
    files, overrides = files_and_overrides(words)
    # All are read before one is written: a bad one refuses all.
    asked = [prepare_to_submit(file, overrides, settings) for file in files]
    submissions = [submission_of(prepared) for prepared in asked]
    with the_store(settings) as store:
        for prepared, submission in zip(asked, submissions, strict=True):
            output.say(told(prepared, put(store, prepared, submission, settings)))
            if output.for_people:
                summarise(output, prepared.plan)
        names = [prepared.plan.sweep for prepared in asked]
        if detach:
            _say_how_to_go_on(output, settings, names)
            return
        with everything_up(settings, output) as still_up:
            seen = follow(store, names, output, still_up)
        for name in names:
            show_results(store, name, output)
    _raise_for_failures(seen)


def _raise_for_failures(seen: Sequence[SweepView]) -> None:
    for view in seen:
        if lacking := sum(view.counts.get(state, 0) for state in ("failed", "skipped")):
            raise SchedulerError(
                f"{view.name}: {lacking:,} stages have no result; `sweep status {view.name}` says why, "
                f"`sweep retry {view.name}` tries again"
            )


def _say_how_to_go_on(output: Output, settings: Settings, names: Sequence[str]) -> None:
    up = "it is being worked on" if is_up(settings.home) else "`sweep up` starts the work"
    output.say(f"{up}; `sweep watch {' '.join(names)}` shows it, `sweep results NAME` answers")


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
        give_up = time.monotonic() + START_SECONDS + 30
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
