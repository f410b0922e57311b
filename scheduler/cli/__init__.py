"""The command line: `sweep`. It follows the conventions of the `tinker` command.

Errors go to stderr as `Error: …` with status 1; wrong usage has status 2; Ctrl-C has status 130.
"""

import sys
import warnings
from typing import NoReturn

import click

from scheduler.cli.output import Output
from scheduler.errors import SchedulerError
from sweeps.errors import SweepsError

COMMANDS = {  # name: module, so that `sweep --help` need not import everything
    "plan": "scheduler.cli.plan",
    "submit": "scheduler.cli.submit",
    "run": "scheduler.cli.run",
    "up": "scheduler.cli.up",
    "list": "scheduler.cli.show",
    "status": "scheduler.cli.show",
    "watch": "scheduler.cli.watch",
    "results": "scheduler.cli.results",
    "evaluate": "scheduler.cli.evaluate",
    "report": "scheduler.cli.report",
    "export": "scheduler.cli.export",
    "costs": "scheduler.cli.costs",
    "budget": "scheduler.cli.costs",
    "events": "scheduler.cli.events",
    "digest": "scheduler.cli.digest",
    "pause": "scheduler.cli.change",
    "resume": "scheduler.cli.change",
    "cancel": "scheduler.cli.change",
    "retry": "scheduler.cli.change",
    "priority": "scheduler.cli.change",
    "doctor": "scheduler.cli.doctor",
}


class LazyGroup(click.Group):
    """Commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = __import__(COMMANDS[cmd_name], fromlist=["commands"])
        command: click.Command = module.commands[cmd_name]
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            if near := difflib.get_close_matches(args[0], COMMANDS, n=1):
                raise click.UsageError(f"{error.message} Did you mean {near[0]!r}?", ctx) from None
            raise


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-f", "--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", help="How to print."
)
@click.version_option(package_name="tinker-sweeps", message="%(version)s")
@click.pass_context
def sweep(context: click.Context, form: str) -> None:
    """Overnight batches of fine-tuning experiments: one file in, an answer out."""
    from rich.console import Console

    # What we print is data, never rich's markup; and into a pipe or a file nothing is folded.
    width = None if sys.stdout.isatty() else 1000
    context.obj = Output(form, Console(width=width, markup=False, emoji=False, highlight=False))


def main(arguments: list[str] | None = None) -> NoReturn:
    """The entry point; always ends with SystemExit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a library's deprecations are not the researcher's business
        sys.exit(_status_of(arguments))


def _status_of(arguments: list[str] | None) -> int:
    """Run a command; every error that is for people is told on stderr."""
    try:
        sweep.main(arguments, prog_name="sweep", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        return 2
    except BrokenPipeError:  # whoever read our output has seen enough
        return 0
    except (click.Abort, KeyboardInterrupt):
        return _failed("stopped", 130)
    except (SweepsError, SchedulerError, click.ClickException, OSError) as error:
        return _failed(_message(error), 1)
    return 0


def _message(error: Exception) -> str:
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename or 'no file named'}"
    return str(error)


def _failed(message: str, status: int) -> int:
    click.echo(f"Error: {message}", err=True)
    return status
