"""What a researcher asks of a question: what is done already, which cell is best, what is still missing."""

import csv
import io
import json
import os
import pty
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from scheduler.cli.console.output import Output
from tests.acceptance.command import Desk, Said
from tests.acceptance.seats import Seats
from tests.acceptance.shared_fleet import SharedFleet

GRID = """
sweep: rates
experiment: grid
model: offline/ngram-s
train: {method: sl, rank: 4, batch_size: 4, steps: 6}
data:
  hard: {source: hard.jsonl, holdout: 4, validation: 4}
  easy: {source: "easy[a].txt", holdout: 4, validation: 4}
vary: {train.learning_rate: [0.0123456, 1e38]}
seeds: [3, 7]
best: {metric: nll, mode: min}
"""


@pytest.fixture(scope="module")
def laid(tmp_path_factory: pytest.TempPathFactory, shared_fleet: SharedFleet) -> Desk:
    """Two data sets of unlike difficulty; one of the two learning rates always diverges. At the fleet's machine."""
    desk = shared_fleet.seat_at_home(tmp_path_factory.mktemp("desk"))
    rows = ({"prompt": f"{i * 7919}?\n", "completion": f"é☃ {i * i % 997} {i * 31 % 83}"} for i in range(24))
    desk.write("hard.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    desk.write("easy[a].txt", "\n\n".join(f"the {word} is the {word} of the {word}" for word in _words(24)))
    desk.write("rates.yaml", GRID)
    desk.write("more.yaml", GRID.replace("sweep: rates", "sweep: more").replace("1e38", "0.02"))
    return desk


@pytest.fixture(scope="module")
def desk(laid: Desk, seats: Seats) -> Desk:
    return seats.at_fleet(laid.folder)


@pytest.fixture(scope="module")
def ran(desk: Desk) -> Said:
    return desk.call("run", "rates.yaml")


def list_sweeps(desk: Desk) -> dict[str, dict[str, Any]]:
    return {sweep["sweep"]: sweep for sweep in desk.call("-f", "json", "list").json["sweeps"]}


def _words(count: int) -> list[str]:
    return [f"{'abcdefgh'[i % 8]}{'aeiou'[i % 5]}{'nrst'[i % 4]}{i}" for i in range(count)]


def test_a_run_with_failures_answers_and_says_what_is_missing(ran: Said) -> None:
    assert ran.status == 1
    (missing,) = [line for line in ran.out.splitlines() if "`sweep status rates`" in line]
    assert re.findall(r"\d+", missing) == ["6", "10", "4"]  # with the untrained model on each data set
    assert "`sweep retry rates`" in ran.err
    assert "`sweep retry rates`" not in ran.out, "errors go to stderr"


def test_each_data_set_has_its_best_cell(desk: Desk, ran: Said) -> None:
    """Losses on different holdouts do not compare; the rate is told so that it can be copied into a file."""
    for name in ("hard", "easy"):
        cell = next(
            cell
            for cell in desk.call("-f", "json", "results", "rates").json["cells"]
            if cell["cell"] == {"train.learning_rate": 0.0123456, "data": name}
        )
        held_out = cell["metrics"]["nll"]
        (best,) = [line for line in ran.out.splitlines() if line.startswith(f"Best on {name}: ")]
        mean, half_width = re.findall(r"nll (\d+\.\d{4}) ± (\d+\.\d{4})", best)[0]
        assert float(mean) == pytest.approx(held_out["mean"], abs=1e-4)
        assert float(half_width) == pytest.approx(12.7062 * (held_out["variance"] / 2) ** 0.5, abs=1e-3)  # t, 1 freedom
        assert "2 seeds" in best
        assert "train.learning_rate=0.0123456" in best


def test_csv_and_json_and_the_ledger_agree(desk: Desk, ran: Said) -> None:
    assert ran.status == 1
    rows = list(csv.DictReader(io.StringIO(desk.call("-f", "csv", "results", "rates").out)))
    runs = desk.call("-f", "json", "results", "rates").json["runs"]
    assert list(rows[0])[:5] == ["train.learning_rate", "data", "untrained", "seed", "state"]
    assert [float(row["nll"] or "nan") for row in rows] == pytest.approx(
        [run["metrics"].get("nll", float("nan")) for run in runs], nan_ok=True
    )
    assert list_sweeps(desk)["rates"]["spent_usd"] == pytest.approx(
        sum(run["usd"] for run in runs)
    )  # here no two runs share a stage


def test_the_digest_is_the_night_in_a_few_lines(desk: Desk, ran: Said) -> None:
    assert ran.status == 1
    lines, digest = desk.call("digest", "rates").out.splitlines(), desk.call("-f", "json", "digest", "rates").json
    assert lines[0].split() == ["rates", "is", "finished"]
    assert lines[1] == desk.call("-f", "json", "results", "rates").json["conclusion"]["sentence"]
    assert ["14", "26", "4", "8"] in [re.findall(r"\d+", line) for line in lines]
    assert any("best on hard: train.learning_rate=0.0123456: nll " in line for line in lines)
    assert (digest["succeeded"], digest["failed"], digest["seconds_left"]) == (14, 4, None)
    assert digest["spent_usd"] == list_sweeps(desk)["rates"]["spent_usd"]
    assert sum(cause["stages"] for cause in digest["failures"]) == 4
    hooks = {hook["variable"] for hook in desk.call("-f", "json", "status").json["webhooks"]}
    assert hooks <= {"HOOK"}, "that of another test of this fleet, which nobody answers"


def test_the_plan_says_what_is_known_already_and_how_old_it_is(desk: Desk, ran: Said) -> None:
    assert ran.status == 1
    planned = desk.call("-f", "json", "plan", "more.yaml").json
    shared = [stage for stage in planned["stages"] if re.search("0.0123456|untrained", stage["label"])]
    known = planned["reused"]
    assert known["stages"] == len(shared) == 14
    assert known["saved_usd"] == pytest.approx(sum(stage["usd"] for stage in shared))
    assert 0 <= known["youngest_seconds"] <= known["oldest_seconds"] < 600
    printed = desk.call("plan", "more.yaml").out
    (line,) = [line for line in printed.splitlines() if line.startswith("to pay: ")]
    assert re.search(r"reused: 14 stages, \$0\.\d+", line)
    assert "rates" in list_sweeps(desk)
    assert "more" not in list_sweeps(desk)


def test_the_plan_says_that_a_name_is_taken(desk: Desk, ran: Said) -> None:
    assert ran.status == 1
    assert desk.call("-f", "json", "plan", "rates.yaml").json["refusals"] == []
    assert "'rates'" in desk.call("-f", "json", "plan", "rates.yaml", "seeds=1").json["refusals"][0]


def test_planning_makes_no_state_folder_and_needs_no_redis(laid: Desk) -> None:
    elsewhere = str(laid.folder / "elsewhere")
    assert laid.call("-f", "json", "plan", "rates.yaml", SWEEP_HOME=elsewhere).json["reused"]["stages"] == 0
    assert not Path(elsewhere).exists()
    away = laid.call("-f", "json", "plan", "rates.yaml", REDIS_URL="redis://127.0.0.1:1/0")
    assert (away.status, away.json["reused"]) == (0, None)


def test_the_plan_tells_the_cost_by_kind(desk: Desk, laid: Desk) -> None:
    kinds = r"train \$0\.\d+, evaluate \$0\.\d+"
    fresh = laid.call("plan", "rates.yaml", SWEEP_HOME=str(desk.folder / "fresh")).out
    assert re.search(rf"^{kinds}$", fresh, re.MULTILINE)
    assert re.search(rf"^to pay: .*\({kinds}\); reused: ", desk.call("plan", "rates.yaml").out, re.MULTILINE)


def test_what_is_printed_is_data_and_no_markup(desk: Desk) -> None:
    printed = desk.call("plan", "rates.yaml", "data.easy.holdout=5").out
    assert "easy[a].txt: read as text" in printed


def test_into_a_pipe_nothing_is_folded(desk: Desk) -> None:
    printed = desk.call("plan", "rates.yaml", "--all").out
    assert "default  " in printed
    assert "default  " not in desk.call("plan", "rates.yaml").out, "only with --all"
    rows = [line for line in printed.splitlines() if re.search(r"  (train|evaluate)-\w+  ", line)]
    assert len(rows) == len(desk.call("-f", "json", "plan", "rates.yaml").json["stages"])
    assert all(re.search(r" (- +\d+ \w+ old|\$0\.\d{4,} +-) *$", row) for row in rows)


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_is_not_overrun_and_ids_stay_whole(laid: Desk, columns: int) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "scheduler.cli", "plan", "rates.yaml"]
    variables = laid.variables({"COLUMNS": str(columns), "NO_COLOR": "1", "SWEEP_HOME": str(laid.folder / "none")})
    process = subprocess.Popen(command, env=variables, cwd=laid.folder, stdout=theirs, stderr=theirs)
    os.close(theirs)
    printed = b""
    with suppress(OSError):  # how a terminal says that the other side has gone
        while part := os.read(ours, 65536):
            printed += part
    os.close(ours)
    assert process.wait(30) == 0, printed.decode()
    lines = re.sub(r"\x1b\[\d*m", "", printed.decode()).splitlines()
    assert max(map(len, lines)) <= columns
    assert "rates: 26 stages" in lines
    assert sum(bool(re.search(r" (train|evaluate)-[0-9a-f]{16}( |$)", line)) for line in lines) == 24  # no id is cut


def test_where_a_table_is_too_wide_for_the_terminal_its_rows_are_told_one_by_one() -> None:
    """A number that is cut off is a wrong number."""
    rows: list[dict[str, object]] = [
        {"name": "a" * 20, **{f"metric.{i}": f"{i}.1234 ± 0.5678" for i in range(8)}},
        {"name": "b", "metric.0": 2.5},
    ]
    text = io.StringIO()
    Output("table", Console(file=text, width=80)).print_table(rows, title="all")
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert [line for line in lines if line.startswith("metric.7")] == ["metric.7  7.1234 ± 0.5678"]
    assert [line.split() for line in lines[-2:]] == [["name", "b"], ["metric.0", "2.5000"]]
