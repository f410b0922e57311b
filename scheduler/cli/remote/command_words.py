"""From a command line to values that can be sent, and back to a command line. Paths are relative, and bounded."""

import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from scheduler.cli import COMMANDS
from scheduler.cli.remote.command_places import Value, Values, list_words
from scheduler.errors import SchedulerError

MOST_PARTS = 40  # of a path
MOST_UP = 20  # folders above the client's own
LONGEST_PART = 255  # bytes
UP = ".."


class PathRefused(SchedulerError):
    """A path cannot be sent to a server, or is none that a server takes."""


def find_command(name: str) -> click.Command:
    """Find the definition of a command, such as `report` or `token create`. Raise click.UsageError."""
    first, _, second = name.partition(" ")
    if first not in COMMANDS:
        raise click.UsageError(f"no such command {name!r}")
    command: click.Command = import_module(f"scheduler.cli.{COMMANDS[first][0]}").commands[first]
    if isinstance(command, click.Group):
        command = command.commands.get(second) or command
    return command


def read_values(command: click.Command, context: click.Context, words: Sequence[str]) -> dict[str, Value]:
    """Read what was typed for each parameter, before it is converted."""
    typed, _, _ = command.make_parser(context).parse_args(list(words))
    values: dict[str, Value] = {}
    for name, value in typed.items():
        if isinstance(value, str | bool):
            values[name] = value
        elif isinstance(value, list | tuple):
            values[name] = [str(word) for word in value]
    return values


def build_words(command: click.Command, values: Values) -> list[str]:
    """Build the command line that says these values. Raise click.UsageError for what the command does not have."""
    options, arguments, left = list[str](), list[str](), dict(values)
    for parameter in command.params:
        value = left.pop(parameter.name or "", None)
        if value is None:
            continue
        if isinstance(parameter, click.Argument):
            arguments += list_words(value)
        elif isinstance(value, bool) is not bool(getattr(parameter, "is_flag", False)):
            raise click.UsageError(f"{command.name}: {parameter.name}: expected another kind of value")
        elif isinstance(value, bool):
            options += (parameter.opts if value else parameter.secondary_opts)[-1:]
        else:
            options += [f"{parameter.opts[-1]}={word}" for word in list_words(value)]
    if left:
        raise click.UsageError(f"{command.name}: no parameter {', '.join(sorted(left))}")
    return [*options, "--", *arguments]


def make_relative(path: str) -> str:
    """Return a path of this machine relative to the current folder, as it is sent. Raise PathRefused."""
    return check_path(os.path.relpath(path or "."))


def check_path(path: Any) -> str:
    """Return a path that leads from the client's folder to a place. Raise PathRefused for any other text."""
    parts = str(path).split("/")
    up = count_up(str(path))
    below = parts[up:]
    is_plain = all(part not in ("", ".", UP) and len(part.encode("utf-8", "replace")) <= LONGEST_PART for part in below)
    is_short = up <= MOST_UP and len(below) <= MOST_PARTS and str(path).isprintable()
    if path != "." and not (is_plain and is_short and not parts[0].startswith("~")):
        raise PathRefused(f"{str(path)[:200]!r}: expected the path of a file or folder, relative to your own folder")
    return str(path)


def count_up(path: str) -> int:
    """Count the folders that a path goes up before it goes down."""
    parts = path.split("/")
    return next((number for number, part in enumerate(parts) if part != UP), len(parts))


def is_below(path: str, folder: str) -> bool:
    """Is a checked path this one, or below it?"""
    return Path(path).is_relative_to(folder)
