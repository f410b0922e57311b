"""A table of windows by patient and device, from the file to the report: columns, groups, and results by stratum."""

import re
from collections import defaultdict
from typing import Any

import pytest

from tests.acceptance.command import Desk

SUBJECTS, WINDOWS, HELD = 24, 6, 6
SPEC = """
sweep: windows
experiment: data_scaling
model: offline/ngram-s
train: {method: sl, rank: 4, learning_rate: 0.05, batch_size: 8, steps: 6}
data:
  ecg:
    source: windows.csv
    columns: {question: signal, answer: label}
    group: subject
    by: device
    holdout: 0.25
sizes: [2, 8, 16]
seeds: 2
evaluate: [nll, answers: {most: 1}]
"""


def write_windows(desk: Desk) -> None:
    """Each patient has a device; a window is many up or many down beats."""
    lines = ["signal,label,subject,device,site"]
    for subject in range(SUBJECTS):
        for window in range(WINDOWS):
            beats = " ".join(("up", "dn")[(subject + window + beat // 3) % 2] for beat in range(6))
            lines.append(f"s{subject}w{window} {beats}: ,{'ab'[window % 2]},P{subject:02},{'xyz'[subject % 3]},1")
    desk.write("windows.csv", "\n".join(lines))


@pytest.fixture
def measured(fleet_desk: Desk) -> Desk:
    write_windows(fleet_desk)
    fleet_desk.write("windows.yaml", SPEC)
    done = fleet_desk.call("run", "windows.yaml")
    assert done.status == 0, done.err
    return fleet_desk


def check_plan(plan: dict[str, Any]) -> None:
    """Each training has the rows of whole groups and contains the smaller ones; the plan says both numbers."""
    trained = {stage["id"]: stage for stage in plan["stages"] if stage["kind"] == "train"}
    for run in plan["runs"]:
        if run["stage"]:
            assert trained[run["stage"]]["examples"] == run["cell"]["size"] * WINDOWS
    assert {len(stage.get("contains", {})) for stage in trained.values()} == {0, 1, 2}
    notes = " ".join(plan["notes"])
    facts = (f"{HELD} of {SUBJECTS} groups", f"{HELD * WINDOWS} of {SUBJECTS * WINDOWS} rows", "18 groups", "site")
    assert [fact for fact in facts if fact not in notes] == []


def check_parts(parts: list[dict[str, Any]], whole: float | None) -> None:
    """The parts of a metric are of all items and groups, and a mean over items is that of its parts."""
    assert sum(part["items"] for part in parts) == HELD * WINDOWS
    assert sum(part["clusters"] for part in parts) == HELD
    if whole is not None:
        assert sum(part["mean"] * part["items"] for part in parts) / (HELD * WINDOWS) == pytest.approx(whole)
    for part in parts:
        assert (part["low"] is None) == (part["clusters"] < 2)
        assert part["low"] is None or part["low"] <= part["mean"] <= part["high"]


def test_sizes_count_groups_and_results_are_by_stratum_in_every_face(measured: Desk) -> None:
    check_plan(measured.call("-f", "json", "plan", "windows.yaml").json)
    results = measured.call("-f", "json", "results", "windows").json
    strata: dict[tuple[Any, str], list[dict[str, Any]]] = defaultdict(list)
    for row in results["strata"]:
        assert row["column"] == "device"
        strata[row["cell"]["size"], row["metric"]].append(row)
    assert {size for size, _ in strata} == {0, 2, 8, 16}
    assert {fit["unit"] for fit in results["fits"]} == {"subjects"}
    for cell in results["cells"]:
        size, metrics = cell["cell"]["size"], cell["metrics"]
        check_parts(strata[size, "accuracy"], metrics["accuracy"]["mean"])
        check_parts(strata[size, "nll"], None)
    pairs = [pair for pair in results["strata_differences"] if pair["cell"]["size"] == 16 and pair["metric"] == "nll"]
    assert [(pair["one"], pair["other"], pair["column"]) for pair in pairs] == [("y", "z", "device")], "the holdout's"
    assert all(re.search(r"\b\d groups?; 5 are needed", pair["refused"]) and pair["mean"] is None for pair in pairs)
    assert {change["clusters"] for change in results["changes"]} == {HELD}

    shown = measured.call("results", "windows").out
    page, text = measured.folder / "page.html", measured.folder / "page.md"
    assert measured.call("report", "windows", "-o", str(page)).status == 0
    assert measured.call("report", "windows", "--format", "md", "-o", str(text)).status == 0
    for face in (shown, page.read_text(), text.read_text()):
        assert "device" in face
        assert pairs[0]["refused"] in face
        assert re.search(r"\bnll \d\.\d+ at 16 subjects\b", face)
        assert re.search(r"training subjects", face)
        assert not re.search(r"\b(16|training|target) rows\b|rows needed", face)
        assert [part for part in strata[16, "nll"] if f"{part['mean']:.4f}" not in face] == []


def test_more_groups_than_there_are_is_refused_with_what_there_is(quiet_desk: Desk) -> None:
    write_windows(quiet_desk)
    quiet_desk.write("windows.yaml", SPEC)
    refused = quiet_desk.call("plan", "windows.yaml", "sizes=[2, 19]")
    assert refused.status == 1
    for fact in ("ecg has 18 groups", "108 training rows", "too large: 19;"):
        assert fact in refused.err
    wrong = quiet_desk.call("plan", "windows.yaml", "data.ecg.columns={qestion: signal}")
    assert wrong.status == 1
    assert "data.ecg.columns" in wrong.err
    assert "`question`" in wrong.err
