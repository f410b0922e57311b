"""`sweep weights`: where trained weights are at the service, kept longer, and as files beside a model card."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import click
import httpx

from scheduler.cli.console.caller import find_actor
from scheduler.cli.console.options import OutputPath, open_store
from scheduler.cli.console.output import Output
from scheduler.cli.results import read_results_document
from scheduler.cli.upkeep.service_questions import ask_service
from scheduler.errors import SchedulerError, UnknownRun
from scheduler.settings import read_settings
from scheduler.state import views
from scheduler.state.people.sweep_changes import begin_change
from scheduler.state.states import StageState
from scheduler.state.store import Store
from sweeps.evaluation.registry import choose_direction
from sweeps.formatting import format_cell
from sweeps.results import RunResult
from sweeps.stage import Json

PROGRAM = "worker.maintenance.weights_main"
DAY = 86_400
MOST = 20  # runs whose weights one command downloads
FILE = re.compile(r"[\w][\w.-]{0,120}", re.ASCII)  # a name that is written as the service gives it
PATIENCE = 60.0  # seconds between two pieces of a file


@click.command()
@click.argument("name")
@click.option("--best", is_flag=True, help="Only the best condition, by the metric of the conclusion.")
@click.option("--cell", "where", multiple=True, metavar="KEY=VALUE", help="Only this condition: size=128, method=sl.")
@click.option("--seed", type=int, help="Only this seed. [default with --best: the lowest]")
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=30,
    show_default=True,
    help="Keep them at least this many days from now.",
)
@click.option("-o", "--output", "target", type=OutputPath(), help="Download them into this folder.")
@click.pass_obj
def weights(
    output: Output, *, name: str, best: bool, where: tuple[str, ...], seed: int | None, days: int, target: Path | None
) -> None:
    """Say where weights of NAME are; keep them at least 30 days.

    The days count from now; --days gives another number. Weights that would be kept longer anyway stay so.

    With -o it downloads them, in the layout of PEFT where the service offers that, with the recipe and the answer as a
    model card beside them.
    """
    settings = read_settings()
    with open_store(settings) as store:
        begin_change(store, find_actor(settings), "keep weights", name, f"{days} days")
        results = read_results_document(store, settings, name)
        runs = _choose_runs(store, name, results, best=best, where=where, seed=seed)
        if target is not None and len(runs) > MOST:
            raise UnknownRun(f"{name}: {len(runs)} runs are meant; choose up to {MOST} with --best, --cell or --seed")
        rows = [row for run in runs if (row := _describe_run(store, run))]
        cards = {row["stage"]: _write_card(store, name, row, results["conclusion"]) for row in rows}
    for model in sorted({row["model"] for row in rows}):
        of_model = [row for row in rows if row["model"] == model]
        for known, answered in zip(of_model, _ask(settings, model, of_model, days, target), strict=True):
            known["exists"] = answered["exists"]
            known["folder"] = None if target is None else _download(target / known["stage"], answered, cards)
    output.print_rows("weights", [_show(row, output) for row in rows])
    if not rows:
        output.say(f"{name}: no checkpoint of such a run is known")


def _choose_runs(
    store: Store, name: str, results: Mapping[str, Any], *, best: bool, where: Sequence[str], seed: int | None
) -> list[RunResult]:
    """Choose trained runs that succeeded. Raises UnknownRun if nothing is meant."""
    runs = [run for run in views.read_results(store, name) if run.stage and run.state == StageState.SUCCEEDED]
    for word in where:
        key, _, value = word.partition("=")
        runs = [
            run for run in runs if key in run.cell and value in (str(run.cell[key]), format_cell(key, run.cell[key]))
        ]
    if best:
        cell = _find_best(results)
        runs = sorted((run for run in runs if dict(run.cell) == cell), key=lambda run: run.seed)
        runs = runs[:1] if seed is None else runs
    if seed is not None:
        runs = [run for run in runs if run.seed == seed]
    if not runs:
        raise UnknownRun(f"{name}: no trained run is meant; `sweep results {name}` lists the conditions")
    return runs


def _find_best(results: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Find the best condition: that of a grid, or the best mean of the metric that the conclusion is about."""
    for entry in results.get("best") or ():
        if entry["best"]:
            cell: Mapping[str, Any] = entry["best"]["cell"]
            return cell
    metric = (results["conclusion"] or {}).get("metric")
    measured = [cell for cell in results["cells"] if metric in cell["metrics"]]
    trained = [run["cell"] for run in results["runs"] if run["stage"]]
    measured = [cell for cell in measured if cell["cell"] in trained]
    if not measured or metric is None:
        return None
    choose = max if choose_direction(metric) == "higher" else min
    winner: Mapping[str, Any] = choose(measured, key=lambda cell: cell["metrics"][metric]["mean"])
    return cast(Mapping[str, Any], winner["cell"])


def _describe_run(store: Store, run: RunResult) -> dict[str, Any] | None:
    """Describe the newest checkpoint of a run; None if it has none."""
    checkpoint = store.read_checkpoint(str(run.stage))
    if checkpoint is None:
        return None
    known = {key: checkpoint.get(key) for key in ("path", "model", "step", "ttl_days")}
    return {"cell": dict(run.cell), "seed": run.seed, "stage": run.stage, "metrics": dict(run.metrics), **known}


def _ask(
    settings: Any, model: str, rows: Sequence[Mapping[str, Any]], days: int, target: Path | None
) -> Sequence[Mapping[str, Any]]:
    """Keep each checkpoint at least so long, and export them if they are to be downloaded."""
    asked = {"paths": [row["path"] for row in rows], "seconds": DAY * days, "download": target is not None}
    answered: Sequence[Mapping[str, Any]] = ask_service(settings, model, PROGRAM, json.dumps(asked))["checkpoints"]
    return answered


def _download(folder: Path, answered: Mapping[str, Any], cards: Mapping[str, str]) -> str | None:
    """Download the files of an export into a folder, and write the card beside them. None if there is nothing."""
    if not answered["urls"]:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    for name, url in answered["urls"].items():
        if not FILE.fullmatch(name):
            raise SchedulerError(
                f"{answered['external']}: the service names a file {name!r}, which is not written here"
            )
        _fetch(url, folder / name)
    (folder / "README.md").write_text(cards[folder.name], encoding="utf-8")
    return str(folder)


def _fetch(url: str, target: Path) -> None:
    """Fetch a file; it has its name once it is whole. The address is signed, so no error quotes it."""
    draft = target.with_name(f"{target.name}.part")
    try:
        with httpx.stream("GET", url, timeout=PATIENCE, follow_redirects=True) as answer:
            answer.raise_for_status()
            with draft.open("wb") as file:
                for piece in answer.iter_bytes():
                    file.write(piece)
    except httpx.HTTPStatusError as error:
        raise SchedulerError(f"{target.name}: the service answers {error.response.status_code}; try again") from None
    except httpx.HTTPError as error:
        raise SchedulerError(f"{target.name}: the download broke off ({type(error).__name__}); try again") from None
    draft.replace(target)


def _write_card(store: Store, name: str, row: Mapping[str, Any], conclusion: Mapping[str, Json] | None) -> str:
    """Write what the weights are: the condition, what was measured, the answer of the sweep, and the recipe."""
    recipe = views.read_recipes(store, [row["stage"]])[row["stage"]]
    about = {key: row[key] for key in ("cell", "seed", "stage", "path", "step", "metrics")}
    sentence = (conclusion or {}).get("sentence") or "no conclusion yet"
    return (
        f"# {row['model']}, trained by the sweep {name}\n\n{sentence}\n\n## This run\n\n"
        f"```json\n{json.dumps(about, indent=2)}\n```\n\n## Recipe\n\n"
        f"```json\n{json.dumps(dict(recipe), indent=2)}\n```\n"
    )


def _show(row: Mapping[str, Any], output: Output) -> dict[str, Any]:
    shown = {key: row[key] for key in ("cell", "seed", "stage", "model", "path", "step", "exists", "folder")}
    if not output.for_people:
        return shown
    condition = ", ".join(f"{key}={format_cell(key, value)}" for key, value in row["cell"].items())
    return {"condition": condition, "seed": row["seed"], "path": row["path"], "folder": row["folder"]}


commands = {"weights": weights}
