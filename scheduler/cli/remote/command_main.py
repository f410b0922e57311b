"""Run one command for somebody who sent it: the program of a server's child.

It reads its order from the standard input: nothing of it stands in the list of processes. Its standard output and error
are what the sender sees. It never works with paths, code or data of this machine.
"""

import json
import os
import shutil
import signal
import sys
import warnings
from types import FrameType

import click

from scheduler.cli import main as run_command
from scheduler.cli.console.caller import act_for
from scheduler.cli.remote.command_words import build_words, find_command
from scheduler.plugins.spec_grounds import close_all_grounds
from scheduler.processes.secret_files import load_secrets
from scheduler.state.people.actors import Actor, Scope

POLITE = 5  # how much lower its priority is than the page's


def main() -> None:
    warnings.simplefilter("ignore")
    load_secrets()
    order = json.load(sys.stdin)
    _leave_nothing(order["place"])
    os.nice(POLITE)
    who = order["actor"]
    act_for(Actor(who["user"], who["origin"], Scope(who["scope"])))
    close_all_grounds()
    os.chdir(order["folder"])
    try:
        words = build_words(find_command(order["command"]), order["values"])
    except click.UsageError as error:
        error.show()
        sys.exit(2)
    run_command(["-f", order["form"], *order["command"].split(), *words])


def _leave_nothing(place: str) -> None:
    """Remove the sender's files when a signal ends this process: the server may have been killed, and does not."""

    def end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        shutil.rmtree(place, ignore_errors=True)
        os._exit(128 + number)

    signal.signal(signal.SIGTERM, end)


if __name__ == "__main__":
    main()
