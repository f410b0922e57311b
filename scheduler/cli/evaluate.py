"""`sweep evaluate`: ask something else of what a sweep has trained."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from scheduler.cli.console.options import open_store
from scheduler.cli.console.output import Output
from scheduler.cli.reuse import read_forward_class
from scheduler.cli.submit import describe_submission, write_submission
from scheduler.errors import Untrained
from scheduler.prepare import Prepared, build_submission, plan_to_submit
from scheduler.settings import from_environment
from scheduler.state import views
from scheduler.state.states import StageState
from scheduler.state.store import Store
from sweeps.errors import SpecError
from sweeps.formatting import format_count, format_usd
from sweeps.spec.parse import Sweep, parse
from sweeps.spec.scalars import suggest
from sweeps.stage import Json, Stage

CHANGEABLE = (
    "budget",
    "limits",
    "priority",
    "weight",
    "window",
    "deadline",
    "notify",
    "tags",
    "question",
    "best",
    "target",
)
ELSEWHERE = {"evaluate": "EVALUATION says that", "sweep": "--as says that"}
NOT_INHERITED = ("best", "target", "deadline", "evaluate")  # what the new question does not inherit


@click.command()
@click.argument("name")
@click.argument("evaluation")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--as", "other", metavar="NAME", help="Of the sweep that asks it; NAME-EVALUATION where none is given.")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    help="Where the paths of its data start: where its file is.",
)
@click.pass_obj
def evaluate(
    output: Output, *, name: str, evaluation: str, overrides: tuple[str, ...], other: str | None, folder: Path
) -> None:
    """Submit EVALUATION of all that NAME has trained. It is written as in a file: one, or a list of them.

    It is a sweep of its own, whose trainings are those of NAME. Nothing is trained for it, but where a checkpoint has
    expired since. KEY=VALUE may say anew what changes no training: budget.usd=5, priority=3, deadline=…
    """
    settings = from_environment()
    forward = read_forward_class(settings)
    with open_store(settings) as store:
        sweep = build_evaluation_sweep(views.read_sweep(store, name).spec, evaluation, other, overrides)
        prepared = plan_to_submit(sweep, folder, settings, forward)
        refuse_untrained(store, name, prepared)
        submitted = write_submission(store, prepared, build_submission(prepared), settings)
    if output.for_people:
        output.say(describe_submission(prepared, submitted))
        output.say(_cost_line(prepared))
        output.say(f"`sweep up` works on it; `sweep results {submitted.sweep}` shows what it finds")
    else:
        output.rows("sweeps", [{"sweep": submitted.sweep, "fresh": submitted.fresh, "known_stages": submitted.known}])


def build_evaluation_sweep(
    spec: Mapping[str, Json], evaluation: str, other: str | None = None, overrides: Sequence[str] = ()
) -> Sweep:
    """The question of a sweep with other evaluations. Raises SpecError, or Untrained where it shares nothing."""
    name = str(spec["sweep"])
    if spec.get("reuse", "all") != "all":
        raise Untrained(f"{name}: `reuse: {spec['reuse']}` found, so no other sweep may use what it has trained")
    if found := [wrong for given in overrides if (wrong := _refuse_override(name, given))]:
        raise SpecError("\n".join(found))
    text = json.dumps({key: value for key, value in spec.items() if key not in NOT_INHERITED}, ensure_ascii=False)
    listed = evaluation if evaluation.lstrip().startswith("[") else f"[{evaluation}]"
    asked = [f"evaluate={listed}", *overrides]
    if other is None:
        other = "-".join([name, *(one.name for one in parse(text, name=name, overrides=asked).evaluate)])
    return parse(text, name=name, overrides=[*asked, f"sweep={json.dumps(other, ensure_ascii=False)}"])


def _refuse_override(name: str, given: str) -> str:
    """What is wrong with saying this anew, if anything."""
    root = given.partition("=")[0].partition(".")[0].strip()
    if root in CHANGEABLE:
        return ""
    if root in Sweep.model_fields:
        said = ELSEWHERE.get(
            root, f"what {name} was trained with stays as it was; {', '.join(CHANGEABLE)} can be said anew"
        )
    else:
        said = suggest(root, CHANGEABLE)
    return f"override {given!r}: {root} found; {said}"


def refuse_untrained(store: Store, name: str, prepared: Prepared) -> None:
    """Raise Untrained where something would have to be trained: it is not done yet, or the data have changed."""
    trained = [stage.id for stage in prepared.plan.stages if stage.kind == "train"]
    done = [view for view in views.read_stage_views(store, trained) if view.state == StageState.SUCCEEDED]
    if len(done) < len(trained):
        said = f"{len(trained) - len(done):,} of {len(trained):,} trainings are not there"
        raise Untrained(
            f"{name}: {said}; `sweep status {name}` says whether they are still to come, and if not so, its data "
            "have changed, or --folder is to name where its file was"
        )


def _cost_line(prepared: Prepared) -> str:
    """Of what is measured; what was trained is there."""
    stages = [stage for stage in prepared.plan.stages if stage.kind == "evaluate"]
    least, most = sum(stage.low_tokens for stage in stages), sum(stage.tokens for stage in stages)
    price = (
        "" if any(stage.micro_usd is None for stage in stages) else f", {format_usd(sum(map(_price, stages)))} at most"
    )
    many = format_count(len(stages), "evaluation")
    return f"{many}, {least:,} to {most:,} tokens{price}; what is measured already is not paid again"


def _price(stage: Stage) -> int:
    return stage.micro_usd or 0


commands = {"evaluate": evaluate}
