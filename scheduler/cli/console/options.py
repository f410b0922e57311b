"""What several commands share: their arguments, and access to the store."""

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
    """Add the arguments FILE and [KEY=VALUE]... to a command."""
    command = click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")(command)
    return click.argument("file", type=click.Path(path_type=Path))(command)


def take_files(command: F) -> F:
    """Add the arguments FILE... [KEY=VALUE]...: a word with a `=` is a value for all files."""
    return click.argument("words", nargs=-1, required=True, metavar="FILE... [KEY=VALUE]...")(command)


def split_words(words: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Split words into files and values."""
    overrides = [word for word in words if "=" in word]
    files = [Path(word) for word in words if "=" not in word]
    if not files:
        raise click.UsageError("give at least one sweep file")
    return files, overrides


class OutputPath(click.Path):
    """A path to write to: an error names the option and the path."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            target = Path(expand(str(value)))
            with suppress(FileNotFoundError):  # it will be created
                target.stat()
        except (OSError, ValueError) as error:
            cause = error.strerror if isinstance(error, OSError) else error
            self.fail(f"{value}: {cause}; choose another path", param, ctx)
        return target


@contextmanager
def open_store(settings: Settings) -> Iterator[Store]:
    """Open the store on a checked Redis server, and turn the loss of Redis into one clear error."""
    with open_server(settings) as url:
        client = connect(url)
        check_server(client, url)
        try:
            with explain_store_errors():
                yield Store(client)
        finally:
            client.close()


@contextmanager
def explain_store_errors() -> Iterator[None]:
    """Turn every error of Redis into one of ours, with what to do."""
    try:
        yield
    except Away as error:
        raise StoreUnavailable(f"lost the connection to Redis: {error}") from None
    except Refused as error:
        raise StoreUnavailable(str(error)) from None
    except StoreBug as error:
        raise BugFound(f"{error}\nthis step wrote nothing; please report this bug with these lines") from None
