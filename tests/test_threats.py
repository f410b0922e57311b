"""Each item of the page on threats names the test that tries the attack."""

import re

import pytest

from tests.repository import ROOT

PAGE = ROOT / "docs/explanation/threats.md"
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", PAGE.read_text())
ROWS = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and "---" not in line]


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_the_test_of_an_attack_exists(file: str, name: str) -> None:
    assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE)


def test_every_attack_names_a_test() -> None:
    attacks = [row for row in ROWS if not row.startswith("| attack ")]
    assert attacks
    assert [row for row in attacks if "::test_" not in row] == []
