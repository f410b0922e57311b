"""Where a command runs if there is a server: each has one place, and no path of a client is forgotten."""

from collections.abc import Iterator

import click
import pytest

from scheduler.cli import COMMANDS
from scheduler.cli.remote.command_places import AT_ITS_MACHINE, AT_SERVER, HERE, PathKind
from scheduler.cli.remote.command_words import (
    PathRefused,
    build_words,
    check_path,
    count_up,
    find_command,
    read_values,
)
from scheduler.state.people.actors import Scope


def list_commands() -> Iterator[str]:
    for name in COMMANDS:
        command = find_command(name)
        yield from [f"{name} {part}" for part in command.commands] if isinstance(command, click.Group) else [name]


def test_each_command_has_one_place() -> None:
    assert sorted([*AT_SERVER, *HERE, *AT_ITS_MACHINE]) == sorted(list_commands())


@pytest.mark.parametrize("name", AT_SERVER)
def test_each_path_of_a_command_is_named_as_one_and_each_name_is_a_parameter(name: str) -> None:
    parameters = {parameter.name: parameter for parameter in find_command(name).params}
    paths = {name for name, parameter in parameters.items() if isinstance(parameter.type, click.Path)}
    known = AT_SERVER[name]
    words = {name for name, kind in known.paths.items() if kind is PathKind.SPECS}  # files and values in one
    assert paths == known.paths.keys() - words
    assert {*known.paths, *known.more, *known.refused} <= parameters.keys()


def test_what_changes_something_needs_more_than_a_look() -> None:
    looks = {"list", "status", "results", "samples", "costs", "events", "digest", "watch", "wait", "report", "export"}
    looks |= {"incident", "checkpoints", "reconcile"}
    assert {name for name, command in AT_SERVER.items() if command.scope is Scope.READ} == looks
    assert AT_SERVER["checkpoints"].find_scope({"delete": ["orphan"]}) is Scope.ADMIN
    assert AT_SERVER["reconcile"].find_scope({"book": True}) is Scope.ADMIN


@pytest.mark.parametrize(
    ("name", "typed", "sent"),
    [
        ("report", ["half", "-o", "x.md", "--format=md"], ["--format=md", "--output=x.md", "--", "half"]),
        ("incident", ["half", "--no-ask"], ["--no-ask", "--", "half"]),
        ("weights", ["a", "--cell", "x=1", "--cell=y=2", "--best"], ["--best", "--cell=x=1", "--cell=y=2", "--", "a"]),
        ("evaluate", ["a", "nll", "priority=3", "--as", "b"], ["--as=b", "--", "a", "nll", "priority=3"]),
        ("run", ["--", "-x.yaml", "seeds=1"], ["--", "-x.yaml", "seeds=1"]),
        ("status", [], ["--"]),
        ("token create", ["ci", "--scope", "read", "--budget=5/day"], ["--scope=read", "--budget=5/day", "--", "ci"]),
    ],
)
def test_what_was_typed_is_said_again(name: str, typed: list[str], sent: list[str]) -> None:
    command = find_command(name)
    values = read_values(command, click.Context(command), typed)
    assert build_words(command, values) == sent


@pytest.mark.parametrize(
    "values", [{"name": "a", "target": True}, {"name": "a", "best": "yes"}, {"name": "a", "more": "x"}]
)
def test_values_that_no_command_line_gives_are_no_command_line(values: dict[str, str | bool | list[str]]) -> None:
    with pytest.raises(click.UsageError):
        build_words(find_command("weights"), values)


def test_a_path_leads_from_the_clients_folder_to_a_place() -> None:
    for path in ("x", "a/b.yaml", "../x", "../../a b/ü.jsonl", ".", "..", "-"):
        assert check_path(path) == path
    assert count_up("../../a/x") == 2


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "~/x", "a/../../x", "a//b", "./x", "../" * 21 + "x", "a\nb", "a\0", "x" * 300, "a/"]
)
def test_no_other_path_is_taken(path: str) -> None:
    with pytest.raises(PathRefused):
        check_path(path)
