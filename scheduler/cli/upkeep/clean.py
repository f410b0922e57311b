"""Delete what is kept no longer: `sweep rm` for one sweep, `sweep gc` for everything that has passed its age."""

from dataclasses import asdict

import click

from scheduler.artefacts import Artefacts
from scheduler.cli.console.caller import find_actor
from scheduler.cli.console.options import open_store
from scheduler.cli.console.output import Output
from scheduler.settings import Settings, read_settings
from scheduler.state.keeping.cleaning import Cleaning
from scheduler.state.keeping.removal import NotEnded, list_belongings, remove_sweep
from scheduler.state.keeping.stage_files import Freed, list_stage_files, remove_stage_files
from scheduler.state.people.audit_log import audit_change
from scheduler.state.people.sweep_changes import begin_change
from scheduler.state.store import Store
from scheduler.state.views import read_sweep
from sweeps.formatting import format_count


@click.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Remove it. Without this, the command only says what would go.")
@click.pass_obj
def rm(output: Output, name: str, yes: bool) -> None:
    """Remove NAME, and its stages that no other sweep shares.

    NAME must have ended. Its results go for good, and its checkpoints are deleted at the service.
    """
    settings = read_settings()
    with open_store(settings) as store:
        state = read_sweep(store, name).state
        belongings = list_belongings(store, name)
        if state not in ("finished", "cancelled"):
            raise NotEnded(f"{name} is {state}; `sweep cancel {name}` ends it, then remove it")
        size = _measure(store, settings, belongings.own)
        if yes:
            begin_change(store, find_actor(settings), "remove", name)
            remove_sweep(store, name)
            remove_stage_files(Artefacts(settings.store), store.read_fleet_name(), belongings.own)
    row = {
        "sweep": name,
        "stages": len(belongings.own),
        "shared_stages": belongings.shared,
        "checkpoints": belongings.checkpoints,
        "files": size.files,
        "bytes": size.bytes,
        "removed": yes,
    }
    if not output.for_people:
        output.print_rows("sweeps", [row])
        return
    files = f"{format_count(size.files, 'file')} ({size.bytes / 1e6:.1f} MB)"
    goes = f"{format_count(len(belongings.own), 'stage')}, {files}"
    stays = f"; {format_count(belongings.shared, 'stage')} that other sweeps share stay" if belongings.shared else ""
    points = f" and {format_count(belongings.checkpoints, 'checkpoint')} at the service"
    output.say(f"{name}: {goes}{points} {'are removed' if yes else 'would go'}{stays}")
    if not yes:
        output.say(f"`sweep rm {name} --yes` removes them, and every result of {name}, for good")


def _measure(store: Store, settings: Settings, stages: tuple[str, ...]) -> Freed:
    own, freed = set(stages), Freed()
    for stage, file in list_stage_files(Artefacts(settings.store), store.read_fleet_name()):
        freed = freed.plus(file) if stage in own else freed
    return freed


@click.command()
@click.pass_obj
def gc(output: Output) -> None:
    """Delete now what is older than the setting SWEEP_KEEP allows. A worker does the same once a day."""
    settings = read_settings()
    with open_store(settings) as store:
        audit_change(store, find_actor(settings), "gc", "")
        cleaned = Cleaning(store, settings.store, settings.keep).run()
    row = asdict(cleaned)
    if not output.for_people:
        output.print_rows("cleaned", [row])
        return
    output.say(
        f"archived {format_count(cleaned.archived, 'sweep')} and kept {format_count(cleaned.answers, 'answer')}; "
        f"deleted {format_count(cleaned.stages, 'stage')} and {format_count(cleaned.files, 'file')} "
        f"({cleaned.bytes / 1e6:.1f} MB); events of {cleaned.events:,}, curves of {cleaned.curves:,} and checkpoints "
        f"of {format_count(cleaned.checkpoints, 'stage')} went"
    )


commands = {"rm": rm, "gc": gc}
