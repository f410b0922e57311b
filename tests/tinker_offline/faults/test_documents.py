"""A document of faults that is wrong is told with its line, and in no library's own words."""

import re
from pathlib import Path

import pytest

from tinker_offline.__main__ import _check
from tinker_offline.faults.accidents import FaultsInvalid, read_faults
from tinker_offline.routes import list_paths

# The text, the line, and what of it must be said.
WRONG = {
    "an unknown key": ("rules: []\nmax_client: 2\n", 2, "max_client: "),
    "a share above 1": ("rules:\n  - {on: optim_step, share: 3, delay: 1}\n", 2, "rules.0.share: 3 found"),
    "no number": ("max_clients: many\n", 1, "max_clients: 'many' found"),
    "half a client": ("max_clients: 1.5\n", 1, "max_clients: 1.5 found"),
    "a number for a list": ("seed: 1\nrules: 3\n", 2, "rules: 3 found"),
    "a number for a request": ("rules:\n  - {on: 3, delay: 1}\n", 2, "rules.0.on: 3 found"),
    "no request": ("rules:\n  - {delay: 1}\n", 2, "rules.0.on: "),
    "no effect": ("seed: 1\nrules:\n\n  - {on: optim_step}\n", 4, "rules.0: has no effect"),
    "no such request": ("rules:\n  - {on: optim_stop, delay: 1}\n", 2, "rules.0.on: 'optim_stop'"),
    "a pause without an end before it begins": ("pause: {for: -1}\n", 1, "pause.for: -1 found"),
    "another word": ("account:\n  forward: free\n", 2, "account.forward: 'free' found"),
    "a list": ("- a\n", 1, "the document: "),
    "a text": ("no\n", 1, "the document: "),
    "no YAML": ("rules: [\n", 2, "not YAML"),
    "a tab": ("rules:\n\t- a\n", 2, "a tab found"),
    "a key twice": ("seed: 1\nseed: 2\n", 2, "twice"),
    "JSON that breaks off": ('{"rules": [', 1, "not YAML"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_is_named_with_its_line_in_our_words(kind: str) -> None:
    text, line, part = WRONG[kind]
    with pytest.raises(FaultsInvalid) as raised:
        read_faults(text, list_paths())
    said = str(raised.value)
    assert said.startswith(f"line {line}: "), said
    assert part in said, said
    assert len(said.splitlines()) == 1, said
    assert not re.search(r"Input|Value error|should|pydantic|while |expected|Extra", said), said


def test_a_file_is_checked_without_a_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "night.yaml"
    path.write_text("max_clients: 2\n")
    assert _check(path) == 0
    path.write_bytes(b"\xff\xfe")
    assert _check(path) == 2
    assert _check(path.parent) == 2
    assert capsys.readouterr().err.count("it cannot be read") == 2
