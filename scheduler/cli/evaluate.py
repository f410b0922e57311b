"""Submit new evaluations of the models that a sweep has trained (`sweep evaluate`)."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click

from scheduler.cli.console.options import open_store
from scheduler.cli.console.output import Output
from scheduler.cli.reuse import read_forward_class
from scheduler.cli.submit import describe_submission, make_submission_row, write_submission
from scheduler.errors import Untrained
from scheduler.prepare import Prepared, build_submission, plan_to_submit
from scheduler.services import describe_pretend_price
from scheduler.settings import read_settings
from scheduler.state import views
from scheduler.state.states import StageState, SweepState
from scheduler.state.store import Store
from sweeps.errors import SpecError
from sweeps.formatting import format_count, format_span, format_usd
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
    "metrics",
)
TESTS = re.compile(r"data\.[^.]+\.tests(\..+)?")  # measuring on other data changes no training
ELSEWHERE = {"evaluate": "give it as EVALUATION", "sweep": "use --as"}
NOT_INHERITED = ("best", "target", "metrics", "deadline", "evaluate")  # what the new question does not inherit


@click.command()
@click.argument("name")
@click.argument("evaluation")
@click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")
@click.option("--as", "other", metavar="NAME", help="Name of the new sweep. [default: NAME-EVALUATION]")
@click.option(
    "--folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    help="Folder of NAME's file: relative data paths start here. [default: .]",
)
@click.pass_obj
def evaluate(
    output: Output, *, name: str, evaluation: str, overrides: tuple[str, ...], other: str | None, folder: Path
) -> None:
    """Evaluate every model that NAME trained, in a new sweep.

    EVALUATION is what stands under `evaluate:` in a sweep file: nll, or '{answers: {check: numeric}}', or a list of
    them. The new sweep shares the trainings of NAME. Nothing is trained again, unless a checkpoint has expired.
    KEY=VALUE changes settings that do not change a training: budget.usd=5, priority=3, deadline=…, or
    'data.mine.tests={quiz: quiz.jsonl}' for other data to measure on.
    """
    settings = read_settings()
    forward = read_forward_class(settings)
    with open_store(settings) as store:
        sweep = build_evaluation_sweep(views.read_sweep(store, name).spec, evaluation, other, overrides)
        prepared = plan_to_submit(sweep, folder, settings, forward)
        refuse_untrained(store, name, prepared)
        submitted = write_submission(
            store, prepared, replace(build_submission(prepared), renames="--as NAME"), settings
        )
        line = describe_submission(store, prepared, submitted)
        finished = views.read_sweep(store, submitted.sweep).state == SweepState.FINISHED
    if output.for_people:
        output.say(line)
        if not finished:
            output.say(_describe_cost(prepared))
        results = f"`sweep results {submitted.sweep}` shows the results"
        output.say(results if finished else f"`sweep up` runs it; {results}")
    else:
        output.print_rows("sweeps", [make_submission_row(submitted)])


def build_evaluation_sweep(
    spec: Mapping[str, Json], evaluation: str, other: str | None = None, overrides: Sequence[str] = ()
) -> Sweep:
    """Build a sweep that evaluates what another one trained. Raises SpecError, or Untrained if nothing is shared."""
    name = str(spec["sweep"])
    if spec.get("reuse", "all") != "all":
        raise Untrained(f"{name}: its file says `reuse: {spec['reuse']}`, so another sweep cannot use its models")
    if faults := [wrong for given in overrides if (wrong := _refuse_override(name, given))]:
        raise SpecError("\n".join(faults))
    text = json.dumps({key: value for key, value in spec.items() if key not in NOT_INHERITED}, ensure_ascii=False)
    listed = evaluation if evaluation.lstrip().startswith("[") else f"[{evaluation}]"
    asked = [f"evaluate={listed}", *overrides]
    if other is None:
        other = "-".join([name, *(evaluation.title for evaluation in parse(text, name=name, overrides=asked).evaluate)])
    return parse(text, name=name, overrides=[*asked, f"sweep={json.dumps(other, ensure_ascii=False)}"])


def _refuse_override(name: str, given: str) -> str:
    """Say what is wrong with an override; empty if nothing is."""
    path = given.partition("=")[0].strip()
    root = path.partition(".")[0]
    if root in CHANGEABLE or TESTS.fullmatch(path):
        return ""
    if root in Sweep.model_fields:
        changeable = ", ".join(CHANGEABLE)
        advice = ELSEWHERE.get(root, f"it would change what {name} has trained; you can change {changeable}")
    else:
        advice = suggest(root, CHANGEABLE)
    return f"command line: {given!r}: {root}: {advice}"


def refuse_untrained(store: Store, name: str, prepared: Prepared) -> None:
    """Raise Untrained if something would have to be trained: it is not done yet, or the data changed."""
    trained = [stage.id for stage in prepared.plan.stages if stage.kind == "train"]
    done = [view for view in views.read_stage_views(store, trained) if view.state == StageState.SUCCEEDED]
    if len(done) < len(trained):
        missing = f"{len(trained) - len(done):,} of {len(trained):,} trainings have no result"
        raise Untrained(
            f"{name}: {missing}\nif `sweep status {name}` shows them as unfinished, wait for them; "
            "otherwise the data changed, or you need --folder FOLDER_OF_ITS_FILE"
        )


def _describe_cost(prepared: Prepared) -> str:
    """Say what the evaluations cost."""
    stages = [stage for stage in prepared.plan.stages if stage.kind == "evaluate"]
    least, most = sum(stage.low_tokens for stage in stages), sum(stage.tokens for stage in stages)
    priced = all(stage.micro_usd is not None for stage in stages)
    price = f", at most {format_usd(sum(map(_compute_stage_price, stages)))}" if priced else ""
    pretend = (
        f" ({about})"
        if priced and (about := describe_pretend_price(str(stage.recipe["model"]) for stage in stages))
        else ""
    )
    many, tokens = format_count(len(stages), "evaluation"), format_span(f"{least:,}", f"{most:,}")
    return f"{many}, {tokens} tokens{price}{pretend}; results that exist are not paid again"


def _compute_stage_price(stage: Stage) -> int:
    return stage.micro_usd or 0


commands = {"evaluate": evaluate}
