"""A spec that was sent reads the files that came with it, and nothing else of the machine that plans it."""

from pathlib import Path

import pytest

from scheduler.errors import CodeUnusable, ServiceRefused
from scheduler.prepare import Prepared, prepare_sent
from scheduler.settings import read_settings
from sweeps.errors import SweepsError

SPEC = """
sweep: sent
experiment: data_scaling
model: offline/ngram-s
train: {method: sl, rank: 4, learning_rate: 0.01, batch_size: 4, steps: 4}
data: {mine: {source: SOURCE, holdout: 8}}
sizes: [4, 8]
seeds: 1
"""
ROWS = "".join(f'{{"text": "row {number} of many"}}\n' for number in range(40))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What was sent: rows.jsonl. Beside it on the server: secret.jsonl, and a check in the folder of the process."""
    sent = tmp_path / "sent"
    sent.mkdir()
    (sent / "rows.jsonl").write_text(ROWS)
    (tmp_path / "secret.jsonl").write_text(ROWS)
    (tmp_path / "planted_check.py").write_text("def is_right(answer, right):\n    return True\n")
    (sent / "link.jsonl").symlink_to(tmp_path / "secret.jsonl")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("SWEEP_DATA_HOSTS", "SWEEP_ENVIRONMENTS", "SWEEP_MODULES", "REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SWEEP_HOME", str(tmp_path / "home"))
    return sent


def prepare(text: str, folder: Path) -> Prepared:
    return prepare_sent(text, (), folder, read_settings(), "training", to_submit=True)


def test_a_file_that_came_with_the_spec_is_read(folder: Path) -> None:
    assert len(prepare(SPEC.replace("SOURCE", "rows.jsonl"), folder).plan.stages) > 2


@pytest.mark.parametrize(
    "source",
    [
        *("../secret.jsonl", "~/secret.jsonl", "rows/../../secret.jsonl", "link.jsonl", "../*.jsonl", ".."),
        *("ABOVE/secret.jsonl", "file://ABOVE/secret.jsonl", "local://ABOVE/secret.jsonl", "/etc/passwd"),
        *("https://example.org/rows.jsonl", "s3://bucket/rows.jsonl", "simplecache::file://ABOVE/secret.jsonl"),
    ],
)
def test_no_other_file_is_read(folder: Path, source: str) -> None:
    text = SPEC.replace("SOURCE", f'"{source.replace("ABOVE", str(folder.parent))}"')
    with pytest.raises(SweepsError):
        prepare(text, folder)


def test_a_listed_host_may_be_named_and_no_other(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWEEP_DATA_HOSTS", "data.example.org")
    with pytest.raises(SweepsError):
        prepare(SPEC.replace("SOURCE", "https://other.example.org/rows.jsonl"), folder)
    with pytest.raises(SweepsError):
        prepare(SPEC.replace("SOURCE", "../secret.jsonl"), folder)


def test_a_holdout_and_a_test_set_are_held_to_the_same(folder: Path) -> None:
    for part in ("holdout: ../secret.jsonl", "holdout: 8, tests: {other: ../secret.jsonl}"):
        with pytest.raises(SweepsError):
            prepare(SPEC.replace("SOURCE", "rows.jsonl").replace("holdout: 8", part), folder)


def test_code_is_only_what_the_operator_installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "sent_check.py").write_text((folder.parent / "planted_check.py").read_text())
    (folder / "rows.jsonl").write_text(
        "".join(f'{{"prompt": "say {number}", "completion": "{number}"}}\n' for number in range(40))
    )
    asked = SPEC.replace("SOURCE", "rows.jsonl")
    for name in ("sent_check:is_right", "planted_check:is_right", "scipy.stats:norm", "os:abort"):
        with pytest.raises(CodeUnusable):
            prepare(f'{asked}evaluate: [{{answers: {{check: "{name}"}}}}]\n', folder)
    monkeypatch.setenv("SWEEP_ENVIRONMENTS", str(folder.parent))
    assert prepare(f'{asked}evaluate: [{{answers: {{check: "planted_check:is_right"}}}}]\n', folder).plan.stages


def test_a_tokenizer_is_no_folder_of_the_server(folder: Path) -> None:
    for address in ("..", str(folder.parent), "~"):
        with pytest.raises(ServiceRefused):
            prepare(f'{SPEC.replace("SOURCE", "rows.jsonl")}tokenizer: "{address}"\n', folder)
