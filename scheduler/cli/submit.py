"""`sweep submit`: write a sweep down for whoever works. Works with no worker alive."""

from pathlib import Path

import click

from scheduler.artefacts import Artefacts
from scheduler.cli.console.options import open_store, take_file
from scheduler.cli.console.output import Output
from scheduler.cli.reuse import read_forward_class
from scheduler.prepare import Prepared, build_submission, prepare_to_submit, store_data
from scheduler.settings import Settings, from_environment
from scheduler.state.store import Store
from scheduler.state.submission import Submission, Submitted
from scheduler.state.submission import submit as write


@click.command()
@take_file
@click.pass_obj
def submit(output: Output, file: Path, overrides: tuple[str, ...]) -> None:
    """Submit FILE; submitting it again changes nothing."""
    settings = from_environment()
    prepared = prepare_to_submit(file, overrides, settings, read_forward_class(settings))
    submission = build_submission(prepared)
    with open_store(settings) as store:
        submitted = write_submission(store, prepared, submission, settings)
    if output.for_people:
        output.say(describe_submission(prepared, submitted))
        output.say("`sweep up` works on it; `sweep status` and `sweep watch` show it")
    else:
        output.rows("sweeps", [{"sweep": submitted.sweep, "fresh": submitted.fresh, "known_stages": submitted.known}])


def write_submission(store: Store, prepared: Prepared, submission: Submission, settings: Settings) -> Submitted:
    """The data first, then the plan: a stage never names data that is not there."""
    for note in prepared.notes:
        click.echo(f"Warning: {note}", err=True)
    store_data(prepared, Artefacts(settings.store))
    return write(store, submission)


def describe_submission(prepared: Prepared, submitted: Submitted) -> str:
    """What submitting did, in a sentence."""
    if not submitted.fresh:
        return f"{submitted.sweep} was submitted already; nothing is done twice"
    known = f", {submitted.known:,} of which other sweeps had asked for" if submitted.known else ""
    return f"{submitted.sweep}: {len(prepared.plan.stages):,} stages submitted{known}"


commands = {"submit": submit}
