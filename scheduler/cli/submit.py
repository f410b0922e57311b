"""`sweep submit`: write a sweep down for whoever works. Works with no worker alive."""

from pathlib import Path

import click

from scheduler.artefacts import Artefacts
from scheduler.cli.console.options import takes_file, the_store
from scheduler.cli.console.output import Output
from scheduler.cli.reuse import billed_as
from scheduler.prepare import Prepared, keep_data, prepare_to_submit, submission_of
from scheduler.settings import Settings, from_environment
from scheduler.state.store import Store
from scheduler.state.submission import Submission, Submitted
from scheduler.state.submission import submit as write


@click.command()
@takes_file
@click.pass_obj
def submit(output: Output, file: Path, overrides: tuple[str, ...]) -> None:
    """Submit FILE; submitting it again changes nothing."""
    settings = from_environment()
    prepared = prepare_to_submit(file, overrides, settings, billed_as(settings))
    submission = submission_of(prepared)
    with the_store(settings) as store:
        submitted = put(store, prepared, submission, settings)
    if output.for_people:
        output.say(told(prepared, submitted))
        output.say("`sweep up` works on it; `sweep status` and `sweep watch` show it")
    else:
        output.rows("sweeps", [{"sweep": submitted.sweep, "fresh": submitted.fresh, "known_stages": submitted.known}])


def put(store: Store, prepared: Prepared, submission: Submission, settings: Settings) -> Submitted:
    """The data first, then the plan: a stage never names data that is not there."""
    for note in prepared.notes:
        click.echo(f"Warning: {note}", err=True)
    keep_data(prepared, Artefacts(settings.store))
    return write(store, submission)


def told(prepared: Prepared, submitted: Submitted) -> str:
    """What submitting did, in a sentence."""
    if not submitted.fresh:
        return f"{submitted.sweep} was submitted already; nothing is done twice"
    known = f", {submitted.known:,} of which other sweeps had asked for" if submitted.known else ""
    return f"{submitted.sweep}: {len(prepared.plan.stages):,} stages submitted{known}"


commands = {"submit": submit}
