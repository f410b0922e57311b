"""Define the command line `sweep`, which follows the conventions of the `tinker` command.

Errors go to stderr as `Error: …` with status 1. Wrong usage has status 2, Ctrl-C 130. A command that returns a number
has that status.
"""

import os
import sys
import warnings
from importlib import import_module
from typing import Any, NoReturn

import click

from scheduler.cli.console import streams
from scheduler.errors import SchedulerError
from sweeps.errors import SweepsError

COMMANDS = {  # name: (module of this package, first sentence of its help), so that `--help` imports no command
    "examples": ("new", "List the examples that `sweep new` copies."),
    "new": ("new", "Copy the example NAME to FOLDER, to start from."),
    "plan": ("plan", "Show what FILE would do and cost."),
    "submit": ("submit", "Put FILE into the queue; `sweep up` does the work."),
    "run": ("run", "Run the sweeps in FILE... and show their results."),
    "up": ("up", "Start the scheduler and the workers, and keep them running."),
    "web": ("upkeep.serve_page", "Serve the page: sweeps and the fleet, live in a browser."),
    "list": ("status", "List all sweeps."),
    "status": ("status", "Show what is running, failed or waiting, and why."),
    "watch": ("watch", "Show the progress of NAMES until they end."),
    "wait": ("watch", "Wait until NAMES have ended, for scripts and agents."),
    "results": ("results", "Show what NAME has found so far, or several sweeps together."),
    "samples": ("samples", "Show the worst and best answers before and after training."),
    "evaluate": ("evaluate", "Evaluate every model that NAME trained, in a new sweep."),
    "report": ("report", "Write the report of NAME, finished or not, to a file."),
    "export": ("export", "Export all runs of NAME to a table, or a tracker such as W&B."),
    "costs": ("costs", "Show what was estimated, spent and billed."),
    "budget": ("costs", "Set the total budget of NAME, in US dollars."),
    "events": ("events", "Show what happened to the stages of NAME, newest last."),
    "digest": ("digest", "Sum up NAME: progress, cost, best results, failures, time left."),
    "pause": ("control", "Pause NAME: its running stages save a checkpoint and stop."),
    "resume": ("control", "Continue after a pause, a refused key or an unpaid bill."),
    "cancel": ("control", "Cancel NAME."),
    "retry": ("control", "Try the failed, skipped and cancelled stages of NAME again."),
    "priority": ("control", "Set the priority of NAME."),
    "drain": ("upkeep.drain", "Let the workers of HOST end what they run and take nothing new."),
    "rm": ("upkeep.clean", "Remove NAME, and its stages that no other sweep shares."),
    "gc": ("upkeep.clean", "Delete now what is older than the setting SWEEP_KEEP allows."),
    "checkpoints": (
        "upkeep.account_checkpoints",
        "List the checkpoints on Tinker: age, owner, size, cost.",
    ),
    "weights": (
        "upkeep.take_weights",
        "Say where weights of NAME are; keep them at least 30 days.",
    ),
    "backup": ("upkeep.backups", "Save the state and all artefacts into FOLDER."),
    "restore": ("upkeep.backups", "Restore what FOLDER saved, into an empty state."),
    "reconcile": (
        "upkeep.reconcile_sessions",
        "Compare the recorded costs with what Tinker counted.",
    ),
    "incident": ("upkeep.incident_bundle", "Write a file about NAME for the service's support team."),
    "token": ("people.manage_tokens", "Manage the tokens that let people and programs in."),
    "agents": ("people.agents_page", "Print how an agent plans, submits, waits for and reads a sweep."),
    "audit": ("people.audit_trail", "Show who changed what, when, and from where, newest last."),
    "play": ("play", "Walk through an episode of ENVIRONMENT, and check it."),
    "sizing": ("upkeep.fleet_size", "Estimate how large the machines of a fleet must be."),
    "health": ("upkeep.probe_health", "For probes: exit with 0 if one part works, such as the page."),
    "doctor": ("doctor", "Check this machine and say how to fix problems."),
}

FORMAT = ("-f", "--format")


class LazyGroup(click.Group):
    """Import a command only when it is called."""

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
        if os.environ.get("SWEEP_SERVER"):
            sending = import_module("scheduler.cli.remote.sent_command")  # by name: it knows the commands, and so us
            command = sending.send_to_server(cmd_name, command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """A reader that closes our output (`| head`) is no error, though click would make one of it."""
        try:
            status = super().invoke(ctx)
            streams.flush_output()
        except BrokenPipeError:
            streams.discard_output()
            return None
        return status

    def main(self, *args: Any, **options: Any) -> Any:
        """Say where `-f` goes, where it stands behind the command."""
        try:
            return super().main(*args, **options)
        except click.NoSuchOption as error:
            if error.option_name not in FORMAT or error.ctx is None or error.ctx.parent is None:
                raise
            command = error.ctx.info_name
            say = f"`{error.option_name}` goes before the command: sweep {error.option_name} json {command} …"
            raise click.UsageError(say, error.ctx) from None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            if near := difflib.get_close_matches(args[0], COMMANDS, n=2, cutoff=0.7):
                names = " or ".join(map(repr, near))
                raise click.UsageError(f"{error.message} Did you mean {names}?", ctx) from None
            raise


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    *FORMAT,
    "form",
    type=click.Choice(["table", "json", "csv"]),
    default="table",
    show_default=True,
    help="Output format. It goes before the command: `sweep -f json plan FILE`.",
)
@click.version_option(package_name="tinker-sweeps", message="%(version)s")
@click.pass_context
def sweep(context: click.Context, form: str) -> None:
    """Run overnight batches of fine-tuning experiments: one file in, an answer out.

    FILE is a sweep file, such as examples/demo_scaling.yaml. NAME is the name of a sweep, as `sweep list` shows it.
    """
    from scheduler.cli.console.output import Output  # not needed to print help
    from scheduler.processes.secret_files import load_secrets
    from scheduler.proxies import spare_this_machine

    spare_this_machine()
    load_secrets()

    context.obj = Output.to_terminal(form)


def main(arguments: list[str] | None = None) -> NoReturn:
    """The entry point; always ends with SystemExit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations in libraries are not for users
        sys.exit(_run_command(arguments))


def _run_command(arguments: list[str] | None) -> int:
    """Run a command, print errors that are for people to stderr, and return the exit status."""
    streams.make_ready()
    try:
        status = sweep.main(arguments, prog_name="sweep", standalone_mode=False)
    except click.UsageError as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt) as error:  # click wraps the interrupt, which may say how to continue
        click.echo(str(error.__cause__ or error) or "Stopped. The same command can be run again.", err=True)
        return 130
    except (SweepsError, SchedulerError, click.ClickException, OSError) as error:
        return _fail(_format_error(error), 1)
    except UnicodeEncodeError as error:
        if error.encoding == "utf-8":
            raise
        character = ascii(error.object[error.start : error.end])
        return _fail(f"the terminal's encoding {error.encoding} has no {character}; set PYTHONUTF8=1", 1)
    return status if isinstance(status, int) else 0


def _format_error(error: Exception) -> str:
    if isinstance(error, click.ClickException):
        return error.format_message()
    if isinstance(error, OSError) and error.strerror:
        return _format_os_error(error)
    return str(error)


def _format_os_error(error: OSError) -> str:
    """Say what the system refused, for which path, and which setting the path is below."""
    from scheduler.processes.folder_settings import find_setting

    path = str(error.filename or "unknown file")
    name = find_setting(path)
    return f"{error.strerror}: {path}" + (f"; it is below {name}: set that to another place" if name else "")


def _fail(message: str, status: int) -> int:
    from sweeps.formatting import escape_lines

    click.echo(f"Error: {escape_lines(message)}", err=True)
    return status
