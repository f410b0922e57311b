"""Run all processes of this machine in the foreground, supervised (`sweep up`)."""

import signal
import threading
from contextlib import closing
from types import FrameType

import click

from scheduler.cli.console.output import Output
from scheduler.processes.addresses import read_addresses
from scheduler.processes.supervisor import LOOK_EVERY, Child, EmbeddedRedis, bring_up
from scheduler.rehearsals import check_rehearsal
from scheduler.settings import read_settings
from scheduler.state.connection import check_server, connect
from scheduler.state.server.embedded_redis import describe_server, open_server


@click.command()
@click.pass_obj
def up(output: Output) -> None:
    """Start everything that works on sweeps, and keep it running.

    This is Redis (unless REDIS_URL names one), the scheduler, workers, Flower and tinker_offline. Ctrl-C stops all of
    them; the same command continues.
    """
    settings = read_settings()
    check_rehearsal(settings)
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        stop.set()

    for number in stop_signals():
        signal.signal(number, on_signal)
    with open_server(settings) as url:
        with closing(connect(url)) as client:
            server_line = describe_server(check_server(client, url), url, settings)
        output.say(server_line)
        with bring_up(settings, server_line) as children:
            if addresses := read_addresses(settings.home):
                output.say(addresses.flower)
            cared_for: list[Child | EmbeddedRedis] = [*children, EmbeddedRedis(settings)]
            while not stop.wait(LOOK_EVERY):
                for each in cared_for:
                    each.look_after(output.console.print)
            output.say("stopping: running stages save a checkpoint, and continue from it at the next start")


def stop_signals() -> list[signal.Signals]:
    """List the signals that stop a command: Ctrl-C, `kill`, and a closed terminal unless under `nohup`."""
    asked = [signal.SIGINT, signal.SIGTERM]
    return asked if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [*asked, signal.SIGHUP]


commands = {"up": up}
