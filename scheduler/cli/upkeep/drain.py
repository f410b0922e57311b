"""Let workers end what they run and take nothing new, before their machine is stopped or upgraded (`sweep drain`)."""

import time
from collections.abc import Callable, Mapping, Sequence

import click

from scheduler.cli.console.options import open_store
from scheduler.cli.console.output import Output
from scheduler.errors import UnknownWorker
from scheduler.settings import read_settings
from scheduler.state.store import Store
from scheduler.state.workers import read_live_workers
from sweeps.formatting import format_count

LOOK_EVERY = 1.0  # seconds


@click.command()
@click.argument("names", nargs=-1, metavar="[HOST]...")
@click.option("--all", "everywhere", is_flag=True, help="Drain every worker.")
@click.option("--undo", is_flag=True, help="Let them take work again.")
@click.option("--wait", is_flag=True, help="Return when nothing runs there any more.")
@click.pass_obj
def drain(output: Output, names: tuple[str, ...], everywhere: bool, undo: bool, wait: bool) -> None:
    """Let the workers of HOST end what they run and take nothing new.

    Nothing is interrupted. Afterwards you can stop or upgrade that machine. HOST may also be the name of one worker;
    `sweep status` names both.
    """
    if bool(names) == everywhere:
        raise click.UsageError("give a host, a worker, or --all")
    with open_store(read_settings()) as store:
        chosen = find_workers(read_live_workers(store), names)
        for worker in chosen:
            store.scripts.run("drain_worker", worker, 0 if undo else 1)
        if wait and not undo:
            _await_end(store, chosen, output.say if output.for_people else lambda _: None)
        rows = [_make_row(worker, report) for worker, report in read_live_workers(store).items() if worker in chosen]
    if not output.for_people:
        output.print_rows("workers", [row | {"draining": not undo} for row in rows])
        return
    count, running = format_count(len(chosen), "worker"), sum(int(row["stages"]) for row in rows)
    if undo:
        output.say(f"{count} may take work again")
    elif running:
        runs = f"{format_count(running, 'stage')} still {'runs' if running == 1 else 'run'}"
        output.say(f"{count} draining: {runs}; add --wait to return when nothing runs there any more")
    else:
        output.say(f"{count} drained: nothing runs there, and nothing new starts; you can stop it")


def find_workers(live: Mapping[str, Mapping[str, str]], names: Sequence[str]) -> list[str]:
    """Find the workers of these hosts, or with these names; all without names. Raises UnknownWorker."""
    if not live:
        raise UnknownWorker("no worker is running anywhere")
    for name in names:
        if not any(name in (worker, report.get("host")) for worker, report in live.items()):
            there = sorted({report.get("host", worker) for worker, report in live.items()})
            raise UnknownWorker(f"no worker runs on {name}; workers run on {', '.join(there)}")
    return [worker for worker, report in live.items() if not names or {worker, report.get("host")} & {*names}]


def _await_end(store: Store, chosen: Sequence[str], say: Callable[[str], None]) -> None:
    """Wait until none of the workers holds a stage; one that is gone holds none."""
    before = None
    while True:
        live = read_live_workers(store)
        here = [live[worker] for worker in chosen if worker in live]
        running = sum(int(report["stages"]) for report in here)
        if not running and all(report["draining"] == "1" for report in here):
            return
        if running != before:
            say(f"{format_count(running, 'stage')} still running")
        before = running
        time.sleep(LOOK_EVERY)


def _make_row(worker: str, report: Mapping[str, str]) -> dict[str, str | int]:
    return {"worker": worker, "host": report.get("host", ""), "stages": int(report["stages"])}


commands = {"drain": drain}
