"""`sweep incident`: a file for the support of a service, without prompts, answers, data or secrets."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from scheduler.cli.console.options import OutputPath, open_store
from scheduler.cli.console.output import Output
from scheduler.cli.console.output_files import write_whole
from scheduler.cli.upkeep.reconcile_sessions import LISTING, LONGEST
from scheduler.cli.upkeep.service_questions import LIVE, ask_service
from scheduler.errors import SchedulerError
from scheduler.processes.support_bundle import build_bundle
from scheduler.service_check import OFFLINE_MODELS
from scheduler.settings import Settings, read_settings
from scheduler.state.milliseconds import read_moment
from scheduler.state.store import Store
from scheduler.state.views import SweepView, read_sweep


@click.command()
@click.argument("name")
@click.option("-o", "--output", "target", type=OutputPath(), help="Where to write it.  [default: NAME-incident.tar.gz]")
@click.option("--ask/--no-ask", default=True, help="Ask the service for the ids of its sessions.", show_default=True)
@click.pass_obj
def incident(output: Output, name: str, target: Path | None, ask: bool) -> None:
    """Write a file about NAME for the service's support team.

    It holds ids of sessions and requests, times, states, codes of errors, versions and settings. It holds no prompt,
    answer, row of data or secret.
    """
    settings = read_settings()
    with open_store(settings) as store:
        view = read_sweep(store, name)
        sessions = _ask_services(store, settings, view) if ask else {}
        content = build_bundle(store, settings, view, sessions)
    target = target or Path(f"{name}-incident.tar.gz")
    write_whole(target, content)
    silent = {service: why for service, why in sessions.items() if isinstance(why, str)}
    output.warn(f"{service} did not list its sessions: {why}" for service, why in silent.items())
    if output.for_people:
        output.say(f"{target} ({len(content) / 1000:,.0f} kB): look into it before you send it")
    else:
        output.print_rows("files", [{"file": str(target), "bytes": len(content)}])


def _ask_services(store: Store, settings: Settings, view: SweepView) -> dict[str, Sequence[Mapping[str, Any]] | str]:
    """Ask each service of the sweep for the sessions of this fleet, or keep the reason why it does not tell."""
    since = max(read_moment(view.submitted), store.read_now() - timedelta(days=LONGEST))
    fleet, answers = store.read_fleet_name(), dict[str, Sequence[Mapping[str, Any]] | str]()
    for service in view.services:
        model = OFFLINE_MODELS[0] if service == "offline" else LIVE
        try:
            answers[service] = ask_service(settings, model, LISTING, fleet, str(since.timestamp()))["sessions"]
        except SchedulerError as error:
            answers[service] = str(error)
    return answers


commands = {"incident": incident}
