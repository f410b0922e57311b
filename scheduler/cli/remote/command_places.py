"""Where each command runs if SWEEP_SERVER is set: at the server, or here, or at the server's own machine only.

A command that runs at a server says what it needs: a scope, and which of its parameters are paths of the client.
What is not in these tables is refused by both sides.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from scheduler.state.people.actors import Scope

Value = str | bool | list[str]  # of a parameter, as it was typed
Values = Mapping[str, Value]

TERMINAL = "-"  # an output that is no file


class PathKind(StrEnum):
    """What a path of the client is for."""

    SPEC = "spec"  # a sweep file, which travels with the data files that it names
    SPECS = "specs"  # words: sweep files, and values with a `=`
    FOLDER = "folder"  # where the data files of a sweep are
    OUTPUT = "output"  # a file or folder that the command writes


class NamedPath(NamedTuple):
    """A path of the client in the values of a command."""

    parameter: str
    path: str
    kind: PathKind


@dataclass(frozen=True)
class ServerCommand:
    """A command that a server runs for others."""

    scope: Scope = Scope.READ
    paths: Mapping[str, PathKind] = field(default_factory=dict)
    unnamed: tuple[str, ...] = ()  # what it may write where no output is named; {NAME} is the value of a parameter
    more: Mapping[str, Scope] = field(default_factory=dict)  # what a parameter needs beyond the scope
    refused: Mapping[str, str] = field(default_factory=dict)  # parameters that have no use here, and why
    follows: bool = False  # it lasts as long as sweeps run

    @property
    def writes(self) -> bool:
        """May files come back?"""
        return PathKind.OUTPUT in self.paths.values()

    @property
    def takes_files(self) -> bool:
        """Do files of the client go with it?"""
        return bool({*self.paths.values()} - {PathKind.OUTPUT})

    def find_scope(self, values: Values) -> Scope:
        """Find the scope that the command needs with these values."""
        needed = [self.scope, *(scope for name, scope in self.more.items() if values.get(name))]
        return max(needed, key=[*Scope].index)

    def list_paths(self, values: Values) -> Iterator[NamedPath]:
        """List every path of the client in the values; not the terminal."""
        for name, kind in self.paths.items():
            for word in list_words(values.get(name)):
                is_path = not (kind is PathKind.SPECS and "=" in word) and not (
                    kind is PathKind.OUTPUT and word == TERMINAL
                )
                if is_path:
                    yield NamedPath(name, word, kind)

    def list_outputs(self, values: Values) -> list[str]:
        """List the files and folders that may come back: those that are named, or what the command writes unasked."""
        named = [place.path for place in self.list_paths(values) if place.kind is PathKind.OUTPUT]
        words = {name: value for name, value in values.items() if isinstance(value, str)}
        unnamed = [text.format_map({"name": "", "form": "html", **words}) for text in self.unnamed]
        return named + unnamed


def list_words(value: Value | None) -> list[str]:
    """List the words of a value that is text, or several."""
    return [value] if isinstance(value, str) else value if isinstance(value, list) else []


SPEC, SPECS, FOLDER, OUTPUT = PathKind
READ, SUBMIT, ADMIN = Scope
CHANGE = ServerCommand(SUBMIT)
MANAGE = ServerCommand(ADMIN)
LOOK = ServerCommand()

AT_SERVER: Mapping[str, ServerCommand] = {
    "plan": ServerCommand(SUBMIT, {"file": SPEC}),
    "submit": ServerCommand(SUBMIT, {"file": SPEC}),
    "run": ServerCommand(SUBMIT, {"words": SPECS}, follows=True),
    "evaluate": ServerCommand(SUBMIT, {"folder": FOLDER}),
    **dict.fromkeys(("list", "status", "results", "samples", "costs", "events", "digest"), LOOK),
    **dict.fromkeys(("watch", "wait"), ServerCommand(follows=True)),
    "report": ServerCommand(
        paths={"target": OUTPUT, "figures": OUTPUT}, unnamed=("{name}-report.{form}", "{name}-figures")
    ),
    "export": ServerCommand(
        paths={"target": OUTPUT},
        unnamed=("{name}.parquet", "{name}-curves.parquet", "{name}-conclusion.parquet"),
        refused={"place": "a tracker is fed where its password is"},
    ),
    **dict.fromkeys(("budget", "pause", "resume", "cancel", "retry", "priority", "rm"), CHANGE),
    "weights": ServerCommand(SUBMIT, {"target": OUTPUT}),
    "incident": ServerCommand(paths={"target": OUTPUT}, unnamed=("{name}-incident.tar.gz",)),
    "checkpoints": ServerCommand(more={"delete": ADMIN}),
    "reconcile": ServerCommand(more={"book": ADMIN}),
    **dict.fromkeys(("gc", "audit", "token create", "token list", "token revoke", "token budget"), MANAGE),
}
HERE = frozenset({"examples", "new", "play", "sizing", "agents"})  # they know nothing of a fleet
AT_ITS_MACHINE: Mapping[str, str] = {
    "up": "it starts processes",
    "web": "it is the server",
    "drain": "it is for whoever stops that machine",
    "backup": "it writes to a disk there",
    "restore": "it reads from a disk there",
    "health": "it looks at the processes of one machine",
    "doctor": "it looks at one machine",
}
