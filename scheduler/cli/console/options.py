"""What several commands share: the file they read, and the way to the truth."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import click

from scheduler.errors import BugFound, StoreUnavailable
from scheduler.settings import Settings
from scheduler.state.connection import Away, Refused, StoreBug, check_server, connect
from scheduler.state.server.embedded_redis import open_server
from scheduler.state.store import Store
from sweeps.spec.home_paths import expand

F = TypeVar("F", bound=Callable[..., Any])


def take_file(command: F) -> F:
    """FILE and KEY=VALUE …"""
    command = click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")(command)
    return click.argument("file", type=click.Path(path_type=Path))(command)


def take_files(command: F) -> F:
    """FILE … KEY=VALUE …: what contains a `=` is a value for all the files."""
    return click.argument("words", nargs=-1, required=True, metavar="FILE... [KEY=VALUE]...")(command)


def split_words(words: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Tell the files from the values."""
    overrides = [word for word in words if "=" in word]
    files = [Path(word) for word in words if "=" not in word]
    if not files:
        raise click.UsageError("Missing argument 'FILE...'.")
    return files, overrides


class OutputPath(click.Path):
    """Where something is to be written: what the system has against the path is told with the option's name."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            target = Path(expand(str(value)))
            with suppress(FileNotFoundError):  # it will be made
                target.stat()
        except (OSError, ValueError) as error:
            cause = error.strerror if isinstance(error, OSError) else error
            self.fail(f"{value}: {cause}; name another path", param, ctx)
        return target


@contextmanager
def open_store(settings: Settings) -> Iterator[Store]:
    """The store, on a server that is fit for it. Redis going away is one clear error."""
    with open_server(settings) as url:
        client = connect(url)
        check_server(client, url)
        try:
            yield Store(client)
        except Away as error:
            raise StoreUnavailable(f"Redis went away while we talked to it: {error}") from None
        except Refused as error:
            raise StoreUnavailable(str(error)) from None
        except StoreBug as error:
            raise BugFound(f"{error}\nnothing of that step was written; please report it with these lines") from None
        finally:
            client.close()
