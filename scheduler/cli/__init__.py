"""The command line: `sweep`. It follows the conventions of the `tinker` command.

Errors go to stderr as `Error: …` with status 1; wrong usage has status 2; Ctrl-C has status 130.
"""

import sys
import warnings
from importlib import import_module
from typing import NoReturn

import click

from scheduler.cli.console import streams
from scheduler.errors import SchedulerError
from sweeps.errors import SweepsError

COMMANDS = {  # name: (module of this package, the first sentence of its help): nothing is imported to list them
    "plan": ("plan", "Print the stages of FILE, what they cost, and every default taken."),
    "submit": ("submit", "Submit FILE; submitting it again changes nothing."),
    "run": ("run", "Ask the questions in FILE..., and stay until they are answered."),
    "up": ("up", "Start all that works on sweeps, and look after it."),
    "list": ("status", "List the sweeps of this state folder, or of REDIS_URL."),
    "status": ("status", "Show what is going on, in all sweeps or in NAME."),
    "watch": ("watch", "Watch the sweeps NAMES until they have ended."),
    "results": ("results", "Show what NAME has found so far, or several sweeps together."),
    "evaluate": ("evaluate", "Submit EVALUATION of all that NAME has trained."),
    "report": ("report", "Write what NAME has found, finished or not, as a file to look at."),
    "export": ("export", "Write every run of NAME as a row, or show it to a tracker."),
    "costs": ("costs", "Show what was estimated, metered and billed."),
    "budget": ("costs", "Let NAME spend USD dollars in all, more than before or less."),
    "events": ("events", "Show what happened to the stages of NAME, the newest last."),
    "digest": ("digest", "Tell NAME in a few lines."),
    "pause": ("control", "Let NAME pay for nothing until it is resumed."),
    "resume": ("control", "Let NAME, which is paused, go on."),
    "cancel": ("control", "Stop wanting what NAME asked for."),
    "retry": ("control", "Try what failed in NAME, or was cancelled, once more."),
    "priority": ("control", "Let NAME go before those with a lower NUMBER, from now on."),
    "doctor": ("doctor", "Check this machine, and say what to do about what is wrong."),
}


class LazyGroup(click.Group):
    """Commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, says) for name, (_, says) in COMMANDS.items()])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        command: click.Command = import_module(f"scheduler.cli.{module}").commands[cmd_name]
        return command

    def invoke(self, ctx: click.Context) -> None:
        """Whoever read our output has seen enough: no error, though click would make one of it."""
        try:
            super().invoke(ctx)
            streams.flush_output()
        except BrokenPipeError:
            streams.discard_output()

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
    from scheduler.cli.console.output import Output  # what prints tables is not needed to print help
    from scheduler.proxies import spare_this_machine

    spare_this_machine()

    context.obj = Output.to_terminal(form)


def main(arguments: list[str] | None = None) -> NoReturn:
    """The entry point; always ends with SystemExit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a library's deprecations are not the researcher's business
        sys.exit(_run_command(arguments))


def _run_command(arguments: list[str] | None) -> int:
    """Run a command; every error that is for people is told on stderr."""
    streams.make_ready()
    try:
        sweep.main(arguments, prog_name="sweep", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        return _fail("stopped", 130)
    except (SweepsError, SchedulerError, click.ClickException, OSError) as error:
        return _fail(_format_error(error), 1)
    except UnicodeEncodeError as error:
        if error.encoding == "utf-8":
            raise
        named = ascii(error.object[error.start : error.end])
        return _fail(f"{error.encoding}, which this terminal is set to, has no {named}; set PYTHONUTF8=1", 1)
    return 0


def _format_error(error: Exception) -> str:
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, OSError) and error.strerror:
        return _format_os_error(error)
    return str(error)


def _format_os_error(error: OSError) -> str:
    """What the system said, of which path, and of which setting that is below."""
    from scheduler.settings import find_setting

    where = str(error.filename or "no file named")
    name = find_setting(where)
    return f"{error.strerror}: {where}" + (f"; it is below {name}: let that name another place" if name else "")


def _fail(message: str, status: int) -> int:
    from sweeps.formatting import escape_lines

    click.echo(f"Error: {escape_lines(message)}", err=True)
    return status
