"""A winner is taken along: its weights live longer at the service, and come as files with a card about them."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from click.testing import CliRunner

from scheduler.cli import sweep as command
from scheduler.state.store import Store
from tests.worker.workshop import Workshop
from worker.maintenance.weights_main import keep_and_export_all
from worker.outcome import Succeeded
from worker.sdk.rest import AccountClient

MODEL = "offline/ngram-s"
WEEK = 7 * 86_400


def train(workshop: Workshop) -> str:
    """Train one stage; the path of its checkpoint."""
    stage = next(stage for stage in workshop.submit().plan.stages if stage.kind == "train")
    assert isinstance(workshop.attempt(stage), Succeeded)
    checkpoint = workshop.store.read_checkpoint(stage.id)
    assert checkpoint is not None
    return str(checkpoint["path"])


def test_weights_are_kept_longer_and_come_as_files(workshop: Workshop) -> None:
    path = train(workshop)
    endpoint = workshop.context.endpoint(MODEL)
    AccountClient(endpoint).extend(path, 60)
    for seconds in (WEEK, 3600):  # who asks for less takes nothing away
        (kept,) = keep_and_export_all(lambda: endpoint, [path], seconds, download=False)
        assert (kept["exists"], kept["urls"]) == (True, {})
        (row,) = [row for row in AccountClient(endpoint).list_all_checkpoints() if row.path == path]
        assert row.expires is not None
        assert row.expires - workshop.store.read_now().timestamp() == pytest.approx(WEEK, abs=60)
    (exported,) = keep_and_export_all(lambda: endpoint, [path], 3600, download=True)
    content = {name: httpx.get(url, trust_env=False).content for name, url in exported["urls"].items()}
    assert json.loads(content["adapter_config.json"])["base_model_name_or_path"] == MODEL
    with np.load(BytesIO(content["adapter_model.npz"])) as arrays:
        (run, _, name) = path.removeprefix("tinker://").partition("/weights/")
        with np.load(workshop.tinker.state / "runs" / run / "weights" / f"{name}.npz") as trained:
            assert arrays.files
            assert all(np.array_equal(arrays[key], trained[key]) for key in arrays.files if key in trained.files)
            assert set(arrays.files) & set(trained.files)
    url = exported["urls"]["adapter_model.npz"]
    assert httpx.get(url.replace("signature=", "signature=0"), trust_env=False).status_code == 403
    assert httpx.get(url.replace("until=", "until=9"), trust_env=False).status_code == 403


def test_a_checkpoint_that_is_gone_is_said_to_be(workshop: Workshop) -> None:
    path = train(workshop)
    endpoint = workshop.context.endpoint(MODEL)
    AccountClient(endpoint).delete(path)
    (gone,) = keep_and_export_all(lambda: endpoint, [path], WEEK, download=True)
    assert (gone["exists"], gone["urls"]) == (False, {})


def test_the_command_downloads_the_best_with_a_card(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    train(workshop)
    endpoint = workshop.context.endpoint(MODEL)

    @contextmanager
    def open_store(_: Any) -> Iterator[Store]:
        yield workshop.store

    def ask(_settings: Any, _model: str, _program: str, text: str) -> Mapping[str, Any]:
        asked = json.loads(text)
        rows = keep_and_export_all(lambda: endpoint, asked["paths"], asked["seconds"], download=asked["download"])
        return {"checkpoints": rows}

    monkeypatch.setattr("scheduler.cli.upkeep.take_weights.open_store", open_store)
    monkeypatch.setattr("scheduler.cli.upkeep.take_weights.ask_service", ask)
    monkeypatch.setenv("SWEEP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SWEEP_STORE", workshop.context.artefacts.url)
    printed = CliRunner().invoke(command, ["-f", "json", "weights", "one", "-o", str(tmp_path / "out")])
    assert printed.exit_code == 0, printed.output
    (row,) = json.loads(printed.stdout)["weights"]
    folder = Path(row["folder"])
    assert (folder.parent, folder.name, row["exists"]) == (tmp_path / "out", row["stage"], True)
    assert {file.name for file in folder.iterdir()} == {"adapter_config.json", "adapter_model.npz", "README.md"}
    card = (folder / "README.md").read_text()
    blocks = [json.loads(text.partition("```")[0]) for text in card.split("```json\n")[1:]]
    assert blocks[0]["path"] == row["path"]
    assert blocks[1]["model"] == MODEL
    wrong = CliRunner().invoke(command, ["weights", "one", "--seed", "99"])
    assert type(wrong.exception).__name__ == "UnknownRun"
