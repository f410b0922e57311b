"""Run one command for somebody who sent it: the program of a server's child.

It reads its order from the standard input: nothing of it stands in the list of processes. Its standard output and error
are what the sender sees. It never works with paths, code or data of this machine.
"""

import json
import os
import sys
import warnings

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


if __name__ == "__main__":
    main()
