"""An error in a fault document names its line, in plain words and not in those of a library."""

import re
from pathlib import Path

import pytest

from tinker_offline.__main__ import _check
from tinker_offline.faults.accidents import FaultsInvalid, read_faults
from tinker_offline.routes import list_paths

# The place that is named.
PLACES = {
    "a share above 1": "rules.0.share",
    "no number": "max_clients",
    "half a client": "max_clients",
    "a number for a list": "rules",
    "a number for a request": "rules.0.on",
    "no effect": "rules.0",
    "no such request": "rules.0.on",
    "a pause without an end before it begins": "pause.for",
    "another word": "account.forward",
}
# The text, the line, and what the error must contain.
WRONG = {
    "an unknown key": ("rules: []\nmax_client: 2\n", 2, "max_client: "),
    "a share above 1": ("rules:\n  - {on: optim_step, share: 3, delay: 1}\n", 2, "got 3"),
    "no number": ("max_clients: many\n", 1, "got 'many'"),
    "half a client": ("max_clients: 1.5\n", 1, "got 1.5"),
    "a number for a list": ("seed: 1\nrules: 3\n", 2, "got 3"),
    "a number for a request": ("rules:\n  - {on: 3, delay: 1}\n", 2, "got 3"),
    "no request": ("rules:\n  - {delay: 1}\n", 2, "rules.0.on: "),
    "no effect": ("seed: 1\nrules:\n\n  - {on: optim_step}\n", 4, "answer, drop, delay, slow, never"),
    "no such request": ("rules:\n  - {on: optim_stop, delay: 1}\n", 2, "got 'optim_stop'"),
    "a pause without an end before it begins": ("pause: {for: -1}\n", 1, "got -1"),
    "another word": ("account:\n  forward: free\n", 2, "got 'free'"),
    "a list": ("- a\n", 1, "the document: "),
    "a text": ("no\n", 1, "the document: "),
    "no YAML": ("rules: [\n", 2, "YAML"),
    "a tab": ("rules:\n\t- a\n", 2, "tab"),
    "a key twice": ("seed: 1\nseed: 2\n", 2, "twice"),
    "JSON that breaks off": ('{"rules": [', 1, "YAML"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_is_named_with_its_line_in_our_words(kind: str) -> None:
    text, line, part = WRONG[kind]
    with pytest.raises(FaultsInvalid) as raised:
        read_faults(text, list_paths())
    message = str(raised.value)
    assert part in message, message
    assert message.startswith(f"line {line}: {PLACES.get(kind, '')}"), message
    assert len(message.splitlines()) == 1, message
    assert not re.search(r"Input|Value error|should|pydantic|while |Extra", message), message


def test_a_file_is_checked_without_a_server(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "scenario.yaml"
    path.write_text("max_clients: 2\n")
    assert _check(path) == 0
    path.write_bytes(b"\xff\xfe")
    assert _check(path) == 2
    assert _check(path.parent) == 2
    for line, file in zip(capsys.readouterr().err.splitlines()[::2], (path, path.parent), strict=True):
        assert line.startswith(f"Error: {file} ")
