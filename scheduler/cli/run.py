"""Submit sweeps, start what runs them, watch, and print results (`sweep run`). Run again, it continues."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from types import FrameType

import click

from scheduler.cli.console.caller import is_for_sender
from scheduler.cli.console.options import open_store, split_words, take_files
from scheduler.cli.console.output import Output
from scheduler.cli.plan import describe_to_pay, print_summary
from scheduler.cli.results import show_results
from scheduler.cli.reuse import read_forward_class, read_reusable
from scheduler.cli.submit import describe_submission, write_submission
from scheduler.cli.up import stop_signals
from scheduler.cli.watch import follow, have_ended
from scheduler.errors import SchedulerError
from scheduler.prepare import build_submission, complete_spec, prepare_to_submit
from scheduler.processes.addresses import is_up, read_addresses
from scheduler.processes.child import tie_to_this_process
from scheduler.processes.own_environment import start_process
from scheduler.processes.page_links import PAGE, describe_page
from scheduler.processes.rehearsals import check_rehearsal
from scheduler.processes.supervisor import IN_UTF8, START_SECONDS
from scheduler.settings import Settings, read_settings
from scheduler.state import views
from scheduler.state.connection import Away
from scheduler.state.stage_causes import StageCause, describe_causes, read_causes
from scheduler.state.states import FAILURES, SweepState
from scheduler.state.store import Store
from scheduler.state.views import SweepView
from sweeps.formatting import format_count

EARLY = "Stopped before anything was submitted. The same command starts again."
CONTINUES = "Stopped. Nothing is lost: the same command continues from here."
STOP_PATIENCE = 60.0  # seconds for everything to end, after the workers' grace period


@contextmanager
def _answer_interrupt(how_to_go_on: str) -> Iterator[None]:
    """Let Ctrl-C say what the same command would do now."""
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt(how_to_go_on) from None


@click.command()
@take_files
@click.option("--detach", is_flag=True, help="Only submit; `sweep up` must be running to do the work.")
@click.pass_obj
def run(output: Output, words: tuple[str, ...], detach: bool) -> None:
    """Run the sweeps in FILE... and show their results.

    FILE is a sweep file in YAML (see examples/). The command starts what is needed, submits, watches, and prints the
    results. After Ctrl-C or a crash, the same command continues. KEY=VALUE replaces a value of all files for this
    command; the files stay as they are: train.rank=8, sizes=[16,32].
    """
    settings = read_settings()
    check_rehearsal(settings)  # before anything is submitted
    files, overrides = split_words(words)
    with _answer_interrupt(EARLY):
        # All files are read before one is written, so that a bad one submits nothing.
        asked = [prepare_to_submit(file, overrides, settings, read_forward_class(settings)) for file in files]
        submissions = [build_submission(prepared) for prepared in asked]
    with _answer_interrupt(CONTINUES), open_store(settings) as store:
        for prepared, submission in zip(asked, submissions, strict=True):
            there = read_reusable(prepared.plan, complete_spec(prepared), store)
            output.say(describe_submission(store, prepared, write_submission(store, prepared, submission, settings)))
            if output.for_people and views.read_sweep(store, prepared.plan.sweep).state != SweepState.FINISHED:
                print_summary(output, prepared.plan, to_pay=describe_to_pay(prepared.plan, there))
        names = [prepared.plan.sweep for prepared in asked]
        if detach:
            _say_how_to_go_on(output, settings, names)
            return
        seen = [views.read_sweep(store, name) for name in names]
        if not have_ended(seen):
            worked_on = _follow_a_server(output) if is_for_sender() else keep_everything_up(store, settings, output)
            with worked_on as still_up:
                seen = _watch_to_end(store, names, output, still_up)
        for name in names:
            show_results(store, settings, name, output)
        causes = {name: read_causes(store, name) for name in names}
        for name in names:
            _say_what_was_lost(output, name, causes[name])
    _raise_for_failures(seen, causes)


def _shows_link(output: Output) -> bool:
    """Say whether this is a terminal: the supervisor writes to us, so it prints no link that logs in."""
    return output.for_people and sys.stdout.isatty()


def _say_where_the_page_is(store: Store, settings: Settings, output: Output) -> None:
    addresses = read_addresses(settings.home)
    if _shows_link(output) and addresses and addresses.page_url:
        output.say(describe_page(store, settings, addresses.page_url))


def _watch_to_end(store: Store, names: Sequence[str], output: Output, still_up: Callable[[], None]) -> list[SweepView]:
    """Watch until all sweeps end. If Redis is away for a while, wait for it."""
    while True:
        try:
            return follow(store, names, output, still_up)
        except BrokenPipeError:
            watch = f"`sweep watch {' '.join(names)}` shows the rest"
            raise SchedulerError(f"the output was closed; {watch}, and the same command continues") from None
        except Away as error:
            output.say(f"Redis does not answer; waiting for it: {error}")
            _wait_for_redis(store, still_up)


def _wait_for_redis(store: Store, still_up: Callable[[], None]) -> None:
    while True:
        still_up()
        time.sleep(1)
        with suppress(*Away):
            store.client.ping()
            return


def _say_what_was_lost(output: Output, name: str, causes: Sequence[StageCause]) -> None:
    """Say what a sweep lost without failing; what failed is in the error with which the command ends."""
    for line in describe_causes([cause for cause in causes if not cause.failed_stages]):
        output.say(f"{name}: {line}")


def _raise_for_failures(seen: Sequence[SweepView], causes: Mapping[str, Sequence[StageCause]]) -> None:
    """Raise SchedulerError with the causes of all stages that failed."""
    failed = [line for view in seen for line in _list_failures(view, causes[view.name])]
    if failed:
        raise SchedulerError("\n".join(failed))


def _list_failures(view: SweepView, causes: Sequence[StageCause]) -> list[str]:
    lacking = sum(view.counts.get(state, 0) for state in FAILURES)
    if not lacking:
        return []
    failed = f"{format_count(lacking, 'stage')} failed or {'was' if lacking == 1 else 'were'} skipped"
    head = f"{view.name}: {failed}; `sweep status {view.name}` lists them, `sweep retry {view.name}` tries again"
    return [head, *(f"  {line}" for line in describe_causes([cause for cause in causes if cause.failed_stages]))]


def _say_how_to_go_on(output: Output, settings: Settings, names: Sequence[str]) -> None:
    starts = "the server's `sweep up` does the work" if is_for_sender() else "`sweep up` starts the work"
    up = "`sweep up` is running and works on it" if is_up(settings.home) else starts
    output.say(f"{up}; `sweep watch {' '.join(names)}` shows the progress, `sweep results NAME` the results")


@contextmanager
def _follow_a_server(output: Output) -> Iterator[Callable[[], None]]:
    """Start nothing: the server's `sweep up` does the work."""
    output.say("The server does the work, also after Ctrl-C")
    yield lambda: None


@contextmanager
def keep_everything_up(store: Store, settings: Settings, output: Output) -> Iterator[Callable[[], None]]:
    """Keep all processes of this machine running while the block runs: ours, or those of another `sweep up`."""
    output.say("Ctrl-C stops it without losing anything; the same command continues")
    with interrupt_on_signals() as asked:
        still_up = LocalSupervisor(settings, output, asked)
        try:
            still_up()
            if still_up.anothers and (addresses := read_addresses(settings.home)):
                output.say(addresses.server)
                output.say(addresses.flower)
            _say_where_the_page_is(store, settings, output)
            yield still_up
        finally:
            still_up.stop()


@contextmanager
def interrupt_on_signals() -> Iterator[Sequence[int]]:
    """Treat every stop signal as Ctrl-C, once: a second one does not interrupt the shutdown.

    Yields the signals that came. Python drops what is raised in a destructor, such as that of a connection to Redis. So
    a signal that comes during one raises nothing, and whoever waits has to look.
    """
    came: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        came.append(number)
        for asked in previous:
            signal.signal(asked, signal.SIG_IGN)
        if not _is_in_destructor(frame):
            raise KeyboardInterrupt(CONTINUES)

    previous = {asked: signal.signal(asked, end) for asked in stop_signals()}
    try:
        yield came
    finally:
        for asked, handler in previous.items():
            signal.signal(asked, handler)


def _is_in_destructor(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False


class LocalSupervisor:
    """The supervisor of this state folder: another process's if there is one, else a child of ours."""

    def __init__(self, settings: Settings, output: Output, asked: Sequence[int] = ()) -> None:
        """Start nothing yet. `asked` gets the signals that ask us to stop."""
        self._asked = asked
        self._settings = settings
        self._output = output
        self._process: subprocess.Popen[str] | None = None
        self._relaying = threading.Thread()
        self._error = ""
        self._relays_page = not _shows_link(output)  # else we print it ourselves, with a link

    @property
    def anothers(self) -> bool:
        return self._process is None

    def __call__(self) -> None:
        """Start a supervisor if none runs. Raise SchedulerError if ours ended by itself.

        Raise KeyboardInterrupt if a signal asked us to stop and interrupted nothing.
        """
        if self._asked:
            raise KeyboardInterrupt(CONTINUES)
        status = self._process.poll() if self._process is not None else 0
        if status is None:
            return
        self._process = None
        if is_up(self._settings.home):
            return
        if status > 0:
            self._relaying.join(1)
            raise SchedulerError(f"the supervisor ended unexpectedly:\n{self._error.rstrip()}")
        if status < 0:
            self._output.say(f"the supervisor was killed by {signal.Signals(-status).name}; restarting it")
            self._relays_page = True
        self._start()

    def stop(self) -> None:
        """Stop our supervisor and everything it started, and wait. Ignores further signals."""
        for asked in stop_signals():
            signal.signal(asked, signal.SIG_IGN)
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(self._settings.grace + STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()

    def _start(self) -> None:
        self._process = start_process(
            tie_to_this_process([sys.executable, "-m", "scheduler.cli", "up"]),
            {**os.environ, "SWEEP_HOME": str(self._settings.home), **IN_UTF8},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # we pass Ctrl-C on ourselves, after the watch has ended
        )
        self._error = ""
        self._relaying = threading.Thread(target=self._relay, args=(self._process,), daemon=True)
        self._relaying.start()
        self._await_readiness(self._process)

    def _relay(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        with process.stdout as lines, suppress(OSError):  # our terminal may be closed before we end
            for line in lines:
                if self._error or line.startswith("Error: "):  # the next call reports it
                    self._error += line
                elif self._relays_page or not line.startswith(PAGE):
                    self._output.say(line.rstrip())

    def _await_readiness(self, process: "subprocess.Popen[str]") -> None:
        """Wait until it has published its addresses, or has ended; the next look reports that."""
        give_up = time.monotonic() + START_SECONDS + 30
        while process.poll() is None:
            addresses = read_addresses(self._settings.home)
            if addresses is not None and addresses.supervisor == process.pid:
                return
            if time.monotonic() > give_up:
                raise SchedulerError(f"not everything started; see the logs in {self._settings.home / 'logs'}")
            time.sleep(0.05)


commands = {"run": run}
