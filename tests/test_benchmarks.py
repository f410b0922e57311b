"""The benchmarks' own laws: pairs in turn, a ratio for each, and nothing said of what did not run."""

import importlib
import json
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as program
from benchmarks import peers, picture, results
from benchmarks.alternation import alternate
from benchmarks.catalogue import BENCHMARKS
from benchmarks.row import Row


def test_each_pair_is_adjacent_and_neither_is_always_first() -> None:
    order = list[str]()

    def measure(name: str) -> int:
        order.append(name)
        return len(order)

    ours, theirs = alternate(lambda: measure("a"), lambda: measure("b"), 4)
    assert "".join(order) == "abbaabba"
    assert [abs(mine - other) for mine, other in zip(ours, theirs, strict=True)] == [1] * 4


def test_what_disturbs_both_members_of_a_pair_is_not_in_the_ratio() -> None:
    row = Row(what="w", against="p", unit="s", ours=[1, 11, 100], theirs=[2, 20, 200], most=0.5)
    assert (row.figure, row.met) == (0.5, True)
    assert Row(what="w", unit="s", ours=[3, 1, 2], most=1.9).met is False
    assert Row(what="w", unit="s", ours=[3, 1, 2], least=2).met is True
    assert Row(what="w", unit="s", ours=[1]).met is None


def test_pairs_are_whole() -> None:
    with pytest.raises(ValueError, match="zip"):
        _ = Row(what="w", unit="s", ours=[1, 2], theirs=[1]).ratios


def test_every_part_can_be_measured_and_is_in_the_readme() -> None:
    readme = (Path(results.__file__).parent / "README.md").read_text()
    for name in BENCHMARKS:
        assert callable(importlib.import_module(f"benchmarks.{name}").measure)
        assert f"| `{name}` |" in readme


def test_a_peer_that_fails_is_told_and_leaves_the_results_as_they_were(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A real program that fails, in the place of a peer's; the part beside it is kept."""
    (tmp_path / "broken.py").write_text("raise SystemExit('broken')\n")
    monkeypatch.setattr(peers, "PROGRAMS", tmp_path)
    monkeypatch.setattr(peers, "install_peers", lambda: Path(sys.executable))
    monkeypatch.setattr(results, "JSON", tmp_path / "results.json")
    monkeypatch.setattr(results, "TABLE", tmp_path / "RESULTS.md")
    for module, measure in {
        "transitions": lambda: [Row(what="w", unit="s", ours=[peers.run_peer("broken.py")["seconds"]])],
        "starting": lambda: [Row(what="a start", unit="s", ours=[1.0], most=2)],
    }.items():
        monkeypatch.setattr(importlib.import_module(f"benchmarks.{module}"), "measure", measure)
    monkeypatch.setattr(sys, "argv", ["benchmarks", "transitions", "starting"])
    assert program.main() == 1
    printed = capsys.readouterr().err
    assert "PeerFailed" in printed
    assert printed.splitlines()[-1].endswith(": transitions"), "the end names what was not measured"
    assert list(json.loads((tmp_path / "results.json").read_text())) == ["starting"]
    assert "a start" in (tmp_path / "RESULTS.md").read_text()


def test_the_picture_and_the_figures_of_the_readme_are_what_was_measured() -> None:
    """`python -m benchmarks.picture` makes both."""
    kept = results.read_results()
    assert picture.PICTURE.read_text() == picture.draw(kept)
    assert picture.README.read_text() == picture.write_readme(kept)
