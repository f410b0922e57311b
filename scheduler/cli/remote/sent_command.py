"""A command that runs at the server which SWEEP_SERVER names: parsed here, run there, with the same output."""

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from scheduler.cli.console.output import Output
from scheduler.cli.console.streams import make_exact
from scheduler.cli.remote.command_places import (
    AT_ITS_MACHINE,
    AT_SERVER,
    HERE,
    TERMINAL,
    ServerCommand,
    Value,
    list_words,
)
from scheduler.cli.remote.command_words import make_relative, read_values
from scheduler.cli.remote.received_files import ReceivedFiles, name_outputs
from scheduler.cli.remote.server_link import SERVER, Frame, ServerLink, ServerUnusable, read_version
from scheduler.errors import SchedulerError
from sweeps.spec.home_paths import expand

LOOKS = ("TERM", "COLORTERM", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES")  # what a terminal is like


class SentCommand(click.Command):
    """A command with the parameters, help and errors of usage of another one, which runs elsewhere."""

    def __init__(self, path: str, command: click.Command) -> None:
        super().__init__(command.name, params=command.params, help=command.help, epilog=command.epilog)
        self._path = path
        self._typed: dict[str, Value] = {}

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        typed = list(args)
        left = super().parse_args(ctx, args)  # shows the help, and what is wrong
        self._typed = read_values(self, ctx, typed)
        return left

    def invoke(self, ctx: click.Context) -> int:
        if self._path in AT_ITS_MACHINE:
            why = AT_ITS_MACHINE[self._path]
            raise SchedulerError(f"`sweep {self._path}` runs on the server's machine: {why}; unset {SERVER} there")
        command = AT_SERVER[self._path]
        for name, why in command.refused.items():
            if self._typed.get(name):
                raise SchedulerError(f"`sweep {self._path}` with this option runs on the server's machine: {why}")
        output: Output = ctx.obj
        with ServerLink.open() as link:
            return _Errand(self._path, command, output, dict(self._typed)).run(link)


def send_to_server(name: str, command: click.Command) -> click.Command:
    """Return the command as it is where SWEEP_SERVER is set: sent, unless it knows nothing of a fleet."""
    if name in HERE:
        return command
    if isinstance(command, click.Group):
        parts: dict[str, click.Command] = {
            part: SentCommand(f"{name} {part}", below) for part, below in command.commands.items()
        }
        return click.Group(command.name, commands=parts, help=command.help)
    return SentCommand(name, command)


@dataclass
class _Errand:
    """One command on its way to the server and back."""

    path: str
    command: ServerCommand
    output: Output
    values: dict[str, Value]
    has_begun: bool = False  # the server has said something

    def run(self, link: ServerLink) -> int:
        """Send what the command needs, have it run, show what it says. Return its status."""
        named: dict[str, Path] = {}
        for place in list(self.command.list_paths(self.values)):
            sent = make_relative(expand(place.path))
            named[sent] = Path(expand(place.path))
            self._replace(place.parameter, place.path, sent)
        files, sweeps = self._pack(link, named) if self.command.takes_files else ({}, [])
        order = {
            "command": self.path,
            "values": self.values,
            "form": self.output.form,
            "files": {name: link.send_file(path) for name, path in files.items()},
            "terminal": _describe_terminal(),
            "version": read_version(),
        }
        received = ReceivedFiles(name_outputs(self.command.list_outputs(self.values), named))
        try:
            with self._hear_signals(), received.keep_open():
                return self._show(link.run(order), received)
        except (KeyboardInterrupt, ServerUnusable) as error:
            if not self.command.follows or not self.has_begun:
                raise
            names = " ".join(sweeps or list_words(self.values.get("names")))
            goes_on = f"What was submitted goes on at the server; `sweep watch {names}` shows it"
            raise type(error)(f"{str(error) or 'Stopped looking.'}\n{goes_on}") from None

    def _hear_signals(self) -> AbstractContextManager[object]:
        """Let `kill` end `sweep run` as Ctrl-C does, here as at the fleet's own machine."""
        if self.path != "run":
            return nullcontext()
        from scheduler.cli.run import interrupt_on_signals  # only with this command is it loaded already

        return interrupt_on_signals()

    def _replace(self, parameter: str, typed: str, sent: str) -> None:
        value = self.values[parameter]
        self.values[parameter] = (
            [sent if word == typed else word for word in value] if isinstance(value, list) else sent
        )

    def _pack(self, link: ServerLink, named: Mapping[str, Path]) -> tuple[dict[str, Path], list[str]]:
        """Pack the files that go with the command. Return them, and the names of the sweeps."""
        from scheduler.cli.evaluate import build_evaluation_sweep  # reads specs: only some commands need it
        from scheduler.cli.remote.spec_parcel import Parcel
        from scheduler.prepare import read_sweep

        parcel, words = Parcel(), [word for value in self.values.values() for word in list_words(value)]
        if self.path == "evaluate":
            folder = next(iter(named), ".")
            name, evaluation, other = (str(self.values.get(key, "")) for key in ("name", "evaluation", "other"))
            overrides = list_words(self.values.get("overrides"))
            sweep = build_evaluation_sweep(link.read_spec(name), evaluation, other or None, overrides)
            parcel.add_data(sweep, named.get(folder, Path()), "" if folder == "." else folder)
        else:
            overrides = [word for word in words if "=" in word and word not in named]
            for sent, path in named.items():
                parcel.add_spec(sent, path, read_sweep(path, overrides))
        return parcel.files, parcel.sweeps

    def _show(self, frames: Iterator[Frame], received: ReceivedFiles) -> int:
        """Show what the command says; where it writes files, once they are written. Return its status."""
        if self.path == "export" or TERMINAL in self.values.values():
            make_exact()
        with ExitStack() as at_the_end:
            held: list[Frame] = []
            at_the_end.callback(_print_frames, held)
            for frame in frames:
                self.has_begun = True
                if "file" in frame:
                    received.take(frame)
                elif "status" in frame:
                    try:
                        received.write()
                    except OSError:
                        held.clear()  # they say that it was written
                        raise
                    return int(frame["status"])
                elif self.command.writes:
                    held.append(frame)
                else:
                    _print_frames([frame])
        return 1


def _print_frames(frames: Sequence[Frame]) -> None:
    for frame in frames:
        for name, stream in (("out", sys.stdout), ("err", sys.stderr)):
            if text := frame.get(name):
                stream.write(text)
                stream.flush()


def _describe_terminal() -> dict[str, Any]:
    """Describe what the output goes to, so that it looks there as that of a command of this machine."""
    shows = {name: _is_terminal(stream) for name, stream in (("out", sys.stdout), ("err", sys.stderr))}
    try:
        size = os.get_terminal_size(sys.stdout.fileno() if shows["out"] else sys.stderr.fileno())
    except (OSError, ValueError):
        size = os.terminal_size((80, 24))
    looks = {name: os.environ[name] for name in LOOKS if os.environ.get(name)}
    ahead = time.localtime().tm_gmtoff // 60
    return {**shows, "columns": size.columns, "lines": size.lines, "looks": looks, "minutes_ahead": ahead}


def _is_terminal(stream: Any) -> bool:
    return stream is not None and stream.isatty()
