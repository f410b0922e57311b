"""The examples of the spec load as they stand and mean what their comments say; and they run.

Here each training is cut to a few steps and one seed; `make examples` runs them in full.
"""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.command import Desk
from tests.acceptance.my_chats import lay_out

ROOT = Path(__file__).parents[2]
RUN = ("data_scaling", "transfer", "grid", "preferences")  # the two of the demo run in `make demo`
LONG = os.environ.get("METHODS") == "all"


@pytest.mark.parametrize(
    ("name", "train", "evaluate", "naive"),
    [
        ("data_scaling", 2 * 7 * 3, 2 * 7 * 3 + 2, 2 * 7 * 3),
        # 4 sources and 3 sources for each of 2 targets at 3 sizes, beside the targets alone; 3 seeds of each. Alone, a
        # pair trains twice.
        ("transfer", (4 + 2 * 3 * 3 + 2 * 3) * 3, 158, (2 * 2 * 3 * 3 + 2 * 3) * 3),
        # On the validation set and the holdout, and each of two models untrained.
        ("grid", (5 * 3 * 2 - 5) * 2, (5 * 3 * 2 - 5) * 2 * 2 + 2, (5 * 3 * 2 - 5) * 2),
    ],
)
def test_an_example_plans_as_it_stands(quiet_desk: Desk, name: str, train: int, evaluate: int, naive: int) -> None:
    folder = lay_out(quiet_desk.folder / "mine")
    totals = quiet_desk.call("-f", "json", "plan", str(folder / f"{name}.yaml")).json["totals"]
    assert (totals["train"], totals["evaluate"], totals["naive_train"]) == (
        train,
        evaluate,
        naive,
    )
    assert totals["usd"] > 0


def test_the_night_is_planned_whole(quiet_desk: Desk) -> None:
    folder = lay_out(quiet_desk.folder / "mine")
    planned = quiet_desk.call("-f", "json", "plan", str(folder / "night.yaml"))
    assert planned.status == 0, planned.err
    assert planned.json["refusals"] == []


@pytest.mark.timeout(300)
def test_what_acts_runs_and_costs_what_its_plan_said(fleet_desk: Desk) -> None:
    """In full by `make examples`; here the methods have a tenth of the tokens, and fewer seeds and episodes.

    With `make methods` what is learnt by acting alone runs, too, and is held against its twin.
    """
    folder = lay_out(fleet_desk.folder / "mine")
    planned = fleet_desk.call("-f", "json", "plan", str(folder / "compare.yaml")).json
    assert planned["totals"]["train"] == 3 * (1 + 1 + 2)
    files = [folder / "compare.yaml", *([folder / "reinforcement.yaml"] if LONG else [])]
    less = (
        ("episodes: 200", f"episodes: {40 if LONG else 12}"),
        ("holdout: 256", "holdout: 32"),
        ("tokens: 2e5 }", "tokens: 2e4 }"),
    )
    for file, seeds in zip(files, (2, 1), strict=False):
        for whole, part in (*less, ("seeds: 3", f"seeds: {seeds}")):
            file.write_text(file.read_text().replace(whole, part))
    run_output = fleet_desk.call("run", *map(str, files))
    assert run_output.status == 0, run_output.err
    for part in (
        "Which method?",
        "20,000 tokens in training",
        "other seeds and other items",
        "sl_then_rl",
        "untrained",
    ):
        assert part in run_output.out
    if LONG:
        assert "Best: train.environment=offline:arithmetic\n" in run_output.out
    runs = fleet_desk.call("-f", "json", "results", "tool-use-methods").json["runs"]
    assert {run["state"] for run in runs} == {"succeeded"}
    taken = {run["cell"]["method"]: run["tokens"] for run in runs}
    alike = [taken[method] - taken[None] for method in ("sl", "rl", "sl_then_rl")]
    assert max(alike) < 1.25 * min(alike), taken
    every_estimate_holds_what_was_metered(fleet_desk, files)
    every_file_of_the_store_is_documented(fleet_desk)


@pytest.mark.timeout(400)
def test_every_example_that_can_run_does_and_costs_what_its_plan_said(fleet_desk: Desk) -> None:
    folder = lay_out(fleet_desk.folder / "mine")
    tonight = (folder / "night.yaml").read_text().splitlines(keepends=True)
    at_once = [line for line in tonight if not line.startswith(("window", "deadline", "notify"))]
    (folder / "night_at_once.yaml").write_text("".join(at_once))
    files = [str(folder / f"{name}.yaml") for name in (*RUN, "night_at_once")]
    fewer = (
        ("sources: [code, reference, science, legal]", "sources: [code, reference]"),
        ("targets: [reference, legal]", "targets: [reference]"),
        ("1e-1], count: 5", "1e-1], count: 2"),
        ("train.rank: [4, 16, 64]", "train.rank: [4, 64]"),
    )
    for file in map(Path, files):  # as they stand, but with fewer sizes, sources, targets, rates, ranks, and items
        sizes = "[32]" if file.stem == "transfer" else "[32, 128]"
        text = re.sub(r"sizes: \{.*?\}", f"sizes: {sizes}", file.read_text())
        for whole, part in fewer:
            text = text.replace(whole, part)
        file.write_text(re.sub(r"holdout: (1024|512|256)\b", "holdout: 32", text))
    run_output = fleet_desk.call("run", *files, "seeds=1", "train.steps=4")
    assert run_output.status == 0, run_output.err
    for answer in ("Who helps whom?", "Best: train.learning_rate"):
        assert answer in run_output.out
    for name in ("reference-scaling", "does-code-help", "first-lr-sweep"):
        runs = fleet_desk.call("-f", "json", "results", name).json["runs"]
        assert {run["state"] for run in runs} == {"succeeded"}
    costs = every_estimate_holds_what_was_metered(fleet_desk, map(Path, files))
    assert any(kind["reused_usd"] for sweep in costs for kind in sweep["kinds"])
    every_file_of_the_store_is_documented(fleet_desk)


STAGE_FILE = "stages/FLEET/XX/STAGE.FENCE.DIGEST."


def every_estimate_holds_what_was_metered(desk: Desk, files: Iterable[Path]) -> list[dict[str, Any]]:
    """Of each sweep and kind of stage; what another sweep has paid for costs nothing. Within a factor of five."""
    names = re.findall(r"^sweep: (\S+)$", "\n".join(file.read_text() for file in files), re.MULTILINE)
    costs = [sweep for sweep in desk.call("-f", "json", "costs").json["sweeps"] if sweep["sweep"] in names]
    assert len(costs) == len(names)
    for kind in (kind for sweep in costs for kind in sweep["kinds"]):
        assert kind["low_usd"] <= round(kind["spent_usd"] + kind["reused_usd"], 6) <= kind["high_usd"]
        assert kind["high_usd"] <= 5 * kind["low_usd"]
        assert kind["reserved_usd"] == kind["unreconciled_usd"] == 0
    return costs


def every_file_of_the_store_is_documented(desk: Desk) -> None:
    """Each has a path that docs/reference/json.md names; those of a checkpoint have a step in their name, too."""
    page = (ROOT / "docs" / "reference" / "json.md").read_text().partition("## Files in the artefact store")[2]
    documented = set(re.findall(r"^\| `([\w/.-]+)` \|", page, re.MULTILINE))
    store = desk.home / "store"
    files = [path.relative_to(store).as_posix() for path in store.rglob("*") if path.is_file()]
    assert files
    stage = re.compile(r"stages/\w+/\w\w/[a-z]+-\w+\.[\w-]+\.\w{32}\.")  # evaluate-46a0.711fd9bf-13.DIGEST.items
    known = {
        re.sub(
            r"(data|tokenizers|uploads/\w{16})/\w{64}",
            r"\1/HASH",
            stage.sub("stages/FLEET/XX/STAGE.FENCE.DIGEST.", name),
        )
        for name in files
    }
    known = {re.sub(r"uploads/\w{16}", "uploads/USER", name) for name in known}
    known = {re.sub(r"-\d{6}\.", "-STEPS.", re.sub(r"stages/\w+/[\w.-]+\.probe", "HOST.probe", name)) for name in known}
    assert known - documented == {"HOST.probe"}
