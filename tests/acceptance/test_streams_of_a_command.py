"""A command says what it has to say whatever it was started with, and what programs read is exact."""

import csv
import errno
import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import pytest

from scheduler.cli import main
from tests.acceptance.command import Desk
from tests.acceptance.seats import Seats, is_over_server

SPEC = """
sweep: quiet
question: Is größe … the best 大?
experiment: grid
model: offline/ngram-s
train: {method: sl, rank: 4, batch_size: 4, steps: 5, learning_rate: 0.01}
data: {d: {source: größe.jsonl, holdout: 20}}
vary: {data.d.source: [größe.jsonl, 大.jsonl]}
seeds: 1
"""
ASCII = "LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0"
TABLES = [
    ["plan", "spec.yaml"],
    ["list"],
    ["status"],
    ["status", "quiet"],
    ["results", "quiet"],
    ["costs"],
    ["events", "quiet"],
    ["digest", "quiet"],
    *([] if is_over_server() else [["doctor"]]),
    ["--help"],
]
EXACT = [
    ["-f", "json", "plan", "spec.yaml"],
    ["-f", "csv", "plan", "spec.yaml"],
    ["-f", "json", "results", "quiet"],
    ["-f", "csv", "results", "quiet"],
    ["report", "quiet", "--format", "md", "-o", "-"],
    ["report", "quiet", "-o", "-"],
    ["export", "quiet"],
]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, seats: Seats) -> Iterator[Desk]:
    made = Desk(tmp_path_factory.mktemp("streams"))
    made.folder.joinpath("spec.yaml").write_text(SPEC, encoding="utf-8")
    for name in ("größe", "大"):
        rows = [json.dumps({"text": f"hello {name} {row}, line {row * 7}"}) for row in range(100)]
        made.folder.joinpath(f"{name}.jsonl").write_text("\n".join(rows), encoding="utf-8")
    with seats.at_quiet_fleet(made) as seated:
        assert seated.call("submit", "spec.yaml").status == 0
        yield seated


class Terminal(io.TextIOWrapper):
    """A stdout with an encoding, in memory."""

    def __init__(self, encoding: str, under: io.BytesIO | None = None) -> None:
        self.under = io.BytesIO() if under is None else under
        super().__init__(self.under, encoding=encoding, errors="strict")

    def written(self) -> bytes:
        self.flush()
        return self.under.getvalue()


def said(desk: Desk, words: list[str], terminal: Terminal) -> tuple[int, str]:
    """Run a command in this process; how it ended, and what it said on stderr."""
    err, status = io.StringIO(), 0
    surroundings = patch.dict(os.environ, desk.variables({}), clear=True)
    with surroundings, chdir(desk.folder), redirect_stdout(terminal), redirect_stderr(err):
        try:
            main(words)
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else 1
    return status, err.getvalue()


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
@pytest.mark.parametrize("words", TABLES, ids=" ".join)
def test_a_narrow_terminal_shows_the_nearest_it_has(desk: Desk, words: list[str], encoding: str) -> None:
    terminal = Terminal(encoding)
    status, err = said(desk, words, terminal)
    assert (status, err) == (0, "")
    assert terminal.written().decode(encoding)


@pytest.mark.parametrize("encoding", ["latin-1"])
@pytest.mark.parametrize("words", EXACT, ids=" ".join)
def test_what_programs_read_is_the_same_for_every_terminal(desk: Desk, words: list[str], encoding: str) -> None:
    wide, narrow = Terminal("utf-8"), Terminal(encoding)
    assert said(desk, words, wide)[0] == said(desk, words, narrow)[0] == 0
    if "report" in words:  # which tells the time
        assert "größe … the best 大" in narrow.written().decode()
        return
    text = narrow.written().decode()
    if "json" in words:
        known = json.loads(wide.written())
        assert {**json.loads(text), "reused": None} == {**known, "reused": None}
    else:
        assert text == wide.written().decode()
        assert "大.jsonl" in text
        assert len(list(csv.DictReader(io.StringIO(text)))) > 1


class Left(io.BytesIO):
    """A pipe whose reader has gone."""

    def write(self, _: object) -> int:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")


@pytest.mark.parametrize("words", [*TABLES[:-1], *EXACT], ids=" ".join)
def test_a_reader_that_has_left_is_no_error(desk: Desk, words: list[str]) -> None:
    terminal = Terminal("utf-8", Left())
    assert said(desk, words, terminal) == (0, "")
    terminal.detach()  # with what nobody will read


def process(desk: Desk, shell: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """A command in a shell, where `$SWEEP` is `sweep`."""
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {shell}"],
        env=desk.variables({"SWEEP": f"{sys.executable} -m scheduler.cli", **changes}),
        cwd=desk.folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    "shell",
    [
        "$SWEEP -f json status >&-",
        "$SWEEP status <&-",
        "$SWEEP submit spec.yaml <&- >&- 2>&-",
        "$SWEEP report quiet -o - >&-",
        "$SWEEP report quiet -o - | head -c 10",
        "$SWEEP nonsense 2>&-; test $? = 2",
        f"{ASCII} $SWEEP digest quiet",
    ],
)
def test_closed_streams_and_short_pipes_are_no_error(desk: Desk, shell: str) -> None:
    done = process(desk, shell)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_closed_stdout_is_not_taken_by_the_next_file(desk: Desk) -> None:
    """Or the first file that is opened would be written into by whatever is printed."""
    done = process(desk, "$SWEEP report quiet --format md -o page.md >&-")
    assert (done.returncode, done.stderr) == (0, "")
    assert "größe … the best 大" in (desk.folder / "page.md").read_text(encoding="utf-8")
    assert process(desk, "$SWEEP status > /dev/full").returncode == 1


def test_a_disk_that_is_full_is_told(desk: Desk) -> None:
    done = process(desk, "$SWEEP -f json status > /dev/full")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_file_that_the_locale_cannot_name_is_told(desk: Desk) -> None:
    done = process(desk, f"{ASCII} $SWEEP plan spec.yaml")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert "ascii" in done.stderr


@pytest.mark.parametrize(("width", "term"), [(20, "xterm"), (200, "dumb")])
def test_a_terminal_may_be_narrow_or_dumb(desk: Desk, width: int, term: str) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
    changes = {"TERM": term, "NO_COLOR": "1"}
    styled = re.compile(r"\x1b\[[0-9;]*m")
    with subprocess.Popen(
        [sys.executable, "-m", "scheduler.cli", "plan", "spec.yaml"],
        env={key: value for key, value in desk.variables(changes).items() if key not in ("COLUMNS", "LINES")},
        cwd=desk.folder,
        stdout=theirs,
        stderr=subprocess.PIPE,
    ) as running:
        os.close(theirs)
        shown = _all_of(ours)
        assert running.wait(30) == 0
    assert "train" in shown
    assert [line for line in styled.sub("", shown).splitlines() if len(line) > width] == []
    assert "\x1b[3" not in shown  # no colour


def _all_of(descriptor: int) -> str:
    content = b""
    try:
        while chunk := os.read(descriptor, 65536):
            content += chunk
    except OSError:  # how a terminal says that nobody writes any more
        pass
    os.close(descriptor)
    return content.decode()


def test_a_command_line_may_hold_bytes_that_are_no_text(desk: Desk) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scheduler.cli", "plan", "spec.yaml", b"question=\xff"],
        env=desk.variables({}),
        cwd=desk.folder,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(b"Error: command line: ")
    assert Path(desk.folder / "spec.yaml").exists()
