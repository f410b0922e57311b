"""Save everything into a folder and bring it back: `sweep backup` and `sweep restore`."""

from dataclasses import asdict
from pathlib import Path

import click

from scheduler.cli.console.options import OutputPath, explain_store_errors, open_store
from scheduler.cli.console.output import Output
from scheduler.settings import read_settings
from scheduler.state.connection import connect, find_problems
from scheduler.state.keeping.backup import BackupUnusable, restore_backup, take_backup
from scheduler.state.milliseconds import read_moment
from scheduler.state.server.embedded_redis import open_server
from scheduler.state.store import Store
from sweeps.formatting import format_count


@click.command()
@click.argument("folder", type=OutputPath())
@click.pass_obj
def backup(output: Output, folder: Path) -> None:
    """Save the state and all artefacts into FOLDER.

    It may run while sweeps run. The same FOLDER can be used again: files that are there already are not copied.
    """
    settings = read_settings()
    with open_store(settings) as store:
        taken = take_backup(store, settings.store, folder)
    if not output.for_people:
        output.print_rows("backups", [asdict(taken)])
        return
    files = f"{format_count(taken.files, 'file')} ({taken.bytes / 1e6:.1f} MB), {taken.copied:,} of them new"
    output.say(f"{folder}: {format_count(taken.keys, 'key')} of the state and {files}")


@click.command()
@click.argument("folder", type=OutputPath())
@click.pass_obj
def restore(output: Output, folder: Path) -> None:
    """Restore what FOLDER saved, into an empty state.

    Nothing starts until a worker has compared the books with the sessions that the service knows since then.
    """
    settings = read_settings()
    with open_server(settings) as url:
        client = connect(url)
        if problems := find_problems(client):
            raise BackupUnusable("this server is not safe to use:\n" + "\n".join(problems))
        with explain_store_errors():
            restored = restore_backup(Store(client), settings.store, folder)
        client.close()
    if not output.for_people:
        output.print_rows("backups", [asdict(restored)])
        return
    taken = read_moment(restored.taken)
    what = f"{format_count(restored.keys, 'key')} and {format_count(restored.files, 'file')}"
    output.say(f"restored {what} of {taken:%Y-%m-%d %H:%M UTC}")
    output.say("the books are closed: once workers run, one compares them with the service's sessions since then,")
    output.say("books what they lack, and lets stages start; `sweep status` says how far that is")


commands = {"backup": backup, "restore": restore}
