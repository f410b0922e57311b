"""The command line: `sweep`. It follows the conventions of the `tinker` command.

Errors go to stderr as `Error: …` with status 1; wrong usage has status 2; Ctrl-C has status 130.
"""

import sys
import warnings
from typing import Any

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
    "cancel": "scheduler.cli.change",
    "retry": "scheduler.cli.change",
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

    # Into a pipe or a file rich would fold everything to 80 columns.
    context.obj = Output(form, Console(width=None if sys.stdout.isatty() else 160))


def main(arguments: list[str] | None = None) -> Any:
    """The entry point; always ends with SystemExit."""
    warnings.simplefilter("ignore")  # a library's deprecations are not the researcher's business
    try:
        status = sweep.main(arguments, prog_name="sweep", standalone_mode=False)
    except (SweepsError, SchedulerError) as error:
        _fail(str(error), 1)
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    except click.ClickException as error:
        _fail(error.format_message(), 1)
    except (click.Abort, KeyboardInterrupt):
        _fail("stopped", 130)
    except BrokenPipeError:
        sys.exit(0)
    except OSError as error:
        _fail(_of_the_machine(error), 1)
    sys.exit(status if isinstance(status, int) else 0)


def _of_the_machine(error: OSError) -> str:
    where = f" {error.filename}" if error.filename else ""
    return f"{error.strerror or error}:{where or ' (no file named)'}"


def _fail(message: str, status: int) -> None:
    click.echo(f"Error: {message}", err=True)
    sys.exit(status)
