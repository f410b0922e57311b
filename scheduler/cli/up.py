"""Run all processes of this machine in the foreground, supervised (`sweep up`)."""

import signal
import threading
from contextlib import closing, suppress
from types import FrameType

import click

from scheduler.cli.console.options import explain_store_errors
from scheduler.cli.console.output import Output
from scheduler.processes.addresses import read_addresses
from scheduler.processes.frozen_processes import FrozenProcesses
from scheduler.processes.log_rotation import LogRotation
from scheduler.processes.membership import check_fleet
from scheduler.processes.page_links import describe_page
from scheduler.processes.rehearsals import check_rehearsal
from scheduler.processes.supervisor import LOOK_EVERY, Child, EmbeddedRedis, bring_up
from scheduler.settings import read_settings
from scheduler.state import keys
from scheduler.state.connection import Away, check_server, connect
from scheduler.state.missing_rights import forget_refusal
from scheduler.state.server.durability import list_risks
from scheduler.state.server.embedded_redis import describe_server, open_server
from scheduler.state.states import StageState
from scheduler.state.store import Store


@click.command()
@click.pass_obj
def up(output: Output) -> None:
    """Start the scheduler and the workers, and keep them running.

    It also starts the page, Redis (unless REDIS_URL names one), the worker dashboard Flower, and tinker_offline. Ctrl-C
    stops all of them; the same command continues.
    """
    settings = read_settings()
    check_rehearsal(settings)
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        stop.set()

    for number in stop_signals():
        signal.signal(number, on_signal)
    with open_server(settings) as url:
        with closing(connect(url)) as client, explain_store_errors():
            server_line = "\n".join(
                [describe_server(check_server(client, url), url, settings), *list_risks(client, url)]
            )
            forget_refusal(client)
            check_fleet(Store(client), settings)
        output.say(server_line)
        with bring_up(settings, server_line) as children:
            if addresses := read_addresses(settings.home):
                output.say(addresses.flower)
            with closing(connect(url, retries=0, patience=2)) as client:
                if addresses and addresses.page_url:
                    output.say(describe_page(Store(client), settings, addresses.page_url))
                frozen = FrozenProcesses(client, children, settings.frozen)
                others = (EmbeddedRedis(settings), frozen, LogRotation(settings))
                cared_for: list[Child | EmbeddedRedis | FrozenProcesses | LogRotation] = [*children, *others]
                while not stop.wait(LOOK_EVERY):
                    for part in cared_for:
                        part.look_after(output.console.print)
            output.say(_describe_stop(url))


def _describe_stop(url: str) -> str:
    """Say what the stop means for the stages. A server that does not answer counts as unfinished work."""
    unfinished = (StageState.WAITING, StageState.READY, StageState.DISPATCHED, StageState.RUNNING)
    with suppress(*Away), closing(connect(url, retries=0, patience=2)) as client:
        if not any(client.zcard(keys.state(state)) for state in unfinished):
            return "All stages have ended; stopping the workers."
    return "Stopping: running stages save a checkpoint and continue from it next time."


def stop_signals() -> list[signal.Signals]:
    """List the signals that stop a command: Ctrl-C, `kill`, and a closed terminal unless under `nohup`."""
    asked = [signal.SIGINT, signal.SIGTERM]
    return asked if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [*asked, signal.SIGHUP]


commands = {"up": up}
