"""What we write out is data and nothing else: no formula for a spreadsheet, nothing that steers a terminal."""

import csv
import io
from pathlib import Path

import pytest

from scheduler.cli import main
from scheduler.cli.console.output import Output, escape_formula, write_csv
from scheduler.state import views
from scheduler.state.states import StageState
from scheduler.state.store import Meter
from sweeps.analysis.run_counts import describe_troubled_answers
from sweeps.formatting import escape
from sweeps.report.document import Code, Report, Section, make_table
from sweeps.report.markdown import render_markdown
from sweeps.results import RunResult
from sweeps.stage import Run
from tests.scheduler.night import Night
from tests.scheduler.plans import plan, train

FORMULAS = [
    "=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1+1", "\r=1+1", "\n=1+1", " =1+1",
    "＝1+1", "＋1", "－1x", "＠A1",
    "=HYPERLINK(\"http://x\")", "-", "+", "-1-1", "+1 555 1234", "--1", "-nano",
]  # fmt: skip
NUMBERS = ["-0.5", "+5", "-1e-05", "-.5", "5.", "-inf", "nan", "0"]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_is_computed(text: str) -> None:
    written = io.StringIO()
    write_csv(["a", text], [{"a": text, text: -0.5}], written)
    header, row = csv.reader(io.StringIO(written.getvalue(), newline=""))
    one_line = text.replace("\r", "\n")
    assert header == ["a", f"'{one_line}"]
    assert row == [f"'{one_line}", "-0.5"]


@pytest.mark.parametrize("text", [*NUMBERS, "a=b", "1+1", "x@y", "offline/ngram-s", "", "a\nb", '["-1"]'])
def test_what_is_none_stays_as_it_is(text: str) -> None:
    assert escape_formula(text) == text


def test_numbers_and_what_is_nested_stay_what_they_are() -> None:
    assert [escape_formula(value) for value in (-0.5, -3, None, True)] == [-0.5, -3, None, True]
    written = io.StringIO()
    write_csv(["a", "b"], [{"a": {"=x": "=1"}, "b": [-1, "=2"]}], written)
    assert written.getvalue().splitlines()[1] == '"{""=x"": ""=1""}","[-1, ""=2""]"'


def test_every_csv_is_written_so(capsys: pytest.CaptureFixture[str]) -> None:
    Output.to_terminal("csv").print_rows("things", [{"=a": "=1", "b": -1.5}])
    assert capsys.readouterr().out == "'=a,b\n'=1,-1.5\n"


HOSTILE = [
    "\x1b[31mred",
    "\x1b]0;title\x07",
    "a\x9bb",
    "a\rb",
    "a\x08b",
    "\u202egnp.exe",
    "a\x00b",
    "\ud800",
    "\u2066x",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_steers_the_terminal(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    output = Output.to_terminal("table")
    output.print_table([{"what": text, text: 1}], title=text)
    output.say(f"one\n{text}")
    printed = capsys.readouterr().out
    assert not {*printed} & {*"\x00\x07\x08\x0d\x1b\x9b\u202e\u2066\ud800"}
    assert escape(text) in printed


@pytest.mark.parametrize("text", ["a\nb", "a\r\nb", "a\u2028b", "a\tb", "a\rb"])
def test_a_cell_is_one_line(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Output.to_terminal("table").print_table([{"what": text}])
    assert "a b" in capsys.readouterr().out
    report = Report("s", "", ("",), (), (), (), (Section("t", (make_table([{"w|x": text, "y": "p|q"}]),)),), "")
    assert r"| a b | p\|q |" in render_markdown(report)


def test_an_error_that_quotes_a_file_steers_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.yaml").write_text('sweep: s\nmodel: "\\e[31mx\\u202e"\nexperiment: "\\e]0;t\\a"\n')
    with pytest.raises(SystemExit):
        main(["plan", str(tmp_path / "bad.yaml")])
    assert not {*capsys.readouterr().err} & {*"\x07\x1b\u202e"}


def test_code_in_markdown_keeps_its_lines_and_nothing_that_steers() -> None:
    text = render_markdown(Report("s", "", ("",), (), (), (), (Section("t", (Code("a\n\x1b[31mb", "yaml"),)),), ""))
    assert "a\n" in text
    assert "\x1b" not in text


def test_steps_are_those_that_were_done(night: Night) -> None:
    stages = [train("t"), train("u"), train("v"), train("w")]
    asked = plan("s", stages, [Run({"size": place}, 0, stage.id, {}) for place, stage in enumerate(stages)])
    night.submit(asked)
    lease = night.start("train-t", "s")
    night.store.report_progress(lease, Meter(5, 5), {"step": 1, "steps": 100})
    night.store.settle(lease, Meter(5, 5), StageState.FAILED, cost="exact", cause="diverged")
    assert night.succeed(night.start("train-u", "s"))
    night.store.report_progress(night.start("train-v", "s"), Meter(5, 5), {"step": 7, "steps": 100})
    planned = stages[0].steps
    assert [row.steps for row in views.read_results(night.store, "s")] == [1, planned, 7, 0]
    assert planned > 7


def test_answers_that_were_cut_are_told_of_trained_and_of_untrained_models() -> None:
    def run(share: float, stage: str | None = "train-1") -> RunResult:
        return RunResult({}, 0, "succeeded", {"accuracy": 0.0, "source.cut_answers": share}, stage=stage)

    (untrained,) = describe_troubled_answers([run(0.0), run(1.0, None)])
    assert "untrained" in untrained
    assert describe_troubled_answers([run(0.0), run(0.0, None)]) == []
    (sentence,) = describe_troubled_answers([run(0.0), run(0.25), run(0.1)])
    assert "source.cut_answers" in sentence
    assert "25.0 %" in sentence


def test_answers_on_which_a_check_failed_are_told_though_no_table_has_their_share() -> None:
    rows = [RunResult({}, seed, "succeeded", {"rhythm.unchecked_answers": 0.1 * seed}, stage="t") for seed in (0, 1, 2)]
    (sentence,) = describe_troubled_answers(rows)
    assert "rhythm.unchecked_answers" in sentence
    assert "20.0 %" in sentence
    assert describe_troubled_answers(rows[:1]) == []
