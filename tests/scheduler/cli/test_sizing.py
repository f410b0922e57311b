"""`sweep sizing`, and the page that shows it."""

import json
import re

from click.testing import CliRunner

from scheduler.cli import sweep as command
from scheduler.cli.upkeep.fleet_size import Load, round_up, size_fleet
from tests.repository import ROOT

PAGE = ROOT / "docs/how-to/sizing.md"
SMALL = Load(stages=1000, archived=0, night=100, steps=100, hours=8, workers=1, threads=16)


def run(*words: str) -> str:
    done = CliRunner().invoke(command, list(words), catch_exceptions=False)
    assert done.exit_code == 0
    return done.stdout


def test_the_page_shows_what_the_command_prints() -> None:
    shown = re.findall(r"^    sweep (sizing.*)\n\n```\n((?:[^`].*\n)+)```$", PAGE.read_text(), re.MULTILINE)
    assert len(shown) == 3
    for words, text in shown:
        assert text.splitlines() == [line.rstrip() for line in run(*words.split()).splitlines()], words


def test_more_to_do_never_needs_less() -> None:
    least = {need[:2]: need.amount for need in size_fleet(SMALL)}
    for name in ("stages", "archived", "night", "steps", "workers", "threads"):
        more = {need[:2]: need.amount for need in size_fleet(SMALL._replace(**{name: 10_000}))}
        assert all(more[need] >= amount for need, amount in least.items()), name
        assert more != least, name


def test_amounts_are_rounded_up_to_two_digits() -> None:
    amounts = (0, 0.00123, 0.12, 1, 99.1, 100, 101, 12_345)
    assert [round_up(amount) for amount in amounts] == [0, 0.0013, 0.12, 1, 100, 100, 110, 13_000]
    needs = json.loads(run("-f", "json", "sizing"))["needs"]
    assert all(need["amount"] == round_up(need["amount"]) for need in needs)
