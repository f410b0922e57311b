"""Submit a sweep to Redis (`sweep submit`). Needs no worker."""

from pathlib import Path

import click

from scheduler.artefacts import Artefacts
from scheduler.cli.console.caller import find_actor
from scheduler.cli.console.options import open_store, take_file
from scheduler.cli.console.output import Output
from scheduler.cli.reuse import read_forward_class
from scheduler.prepare import Prepared, build_submission, prepare_to_submit, store_data
from scheduler.processes.membership import check_fleet
from scheduler.settings import Settings, read_settings
from scheduler.state import views
from scheduler.state.people.actors import Actor
from scheduler.state.people.audit_log import audit_change
from scheduler.state.states import SweepState
from scheduler.state.store import Store
from scheduler.state.submission import Submission, Submitted
from scheduler.state.submission import submit as write
from sweeps.stage import Json


@click.command()
@take_file
@click.pass_obj
def submit(output: Output, file: Path, overrides: tuple[str, ...]) -> None:
    """Put FILE into the queue; `sweep up` does the work.

    FILE is a sweep file in YAML (see examples/). Submitting it again changes nothing. KEY=VALUE changes a value of
    FILE: train.rank=8, sizes=[16,32].
    """
    settings = read_settings()
    prepared = prepare_to_submit(file, overrides, settings, read_forward_class(settings))
    submission = build_submission(prepared)
    with open_store(settings) as store:
        submitted = write_submission(store, prepared, submission, settings)
        line = describe_submission(store, prepared, submitted)
        state = views.read_sweep(store, submitted.sweep).state
    if output.for_people:
        output.say(line)
        if state == SweepState.FINISHED:
            output.say(f"`sweep results {submitted.sweep}` shows the results")
        else:
            output.say("`sweep up` runs it; `sweep status` and `sweep watch` show its progress")
    else:
        output.print_rows("sweeps", [make_submission_row(submitted)])


def write_submission(store: Store, prepared: Prepared, submission: Submission, settings: Settings) -> Submitted:
    """Write the data, then the plan, so that no stage names missing data. Raises SettingsDisagree."""
    for note in prepared.notes:
        click.echo(f"Warning: {note}", err=True)
    return submit_as(find_actor(settings), store, prepared, submission, settings)


def submit_as(actor: Actor, store: Store, prepared: Prepared, submission: Submission, settings: Settings) -> Submitted:
    """Do the same for somebody, without a word. The sweep belongs to the user whom the submission names."""
    check_fleet(store, settings)
    store_data(prepared, Artefacts(settings.store))
    audit_change(store, actor, "submit", submission.plan.sweep)
    return write(store, submission)


def make_submission_row(submitted: Submitted) -> dict[str, Json]:
    """Return what was submitted, for programs."""
    return {"sweep": submitted.sweep, "new": submitted.fresh, "shared_stages": submitted.known}


def describe_submission(store: Store, prepared: Prepared, submitted: Submitted) -> str:
    """Say in one sentence what was submitted."""
    if submitted.moved:
        return f"{submitted.sweep} goes on from what it has, until what its file says now"
    if not submitted.fresh:
        if views.read_sweep(store, submitted.sweep).state == SweepState.FINISHED:
            return f"{submitted.sweep} is already finished; nothing runs again"
        return f"{submitted.sweep} was already submitted; it continues, and nothing runs twice"
    known = f", {submitted.known:,} of them shared with other sweeps" if submitted.known else ""
    return f"{submitted.sweep}: {len(prepared.plan.stages):,} stages submitted{known}"


commands = {"submit": submit}
