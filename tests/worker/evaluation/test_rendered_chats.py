"""A worker renders just what was planned: by the same template, or not at all."""

from pathlib import Path

import pytest

from scheduler.artefacts import Artefacts, locate_records
from sweeps.errors import DataError
from sweeps.records import Records
from sweeps.rendering.renderers import choose_renderer
from tests.sweeps.parsed import measure_lengths
from tests.sweeps.templates import chat, speaking
from worker import examples
from worker.examples import Examples


def test_by_the_template_of_the_plan_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = Records("chat", ({"messages": chat("hello", "yes")}, {"messages": chat("a", "b", "a", "no")}))
    artefacts = Artefacts(str(tmp_path))
    artefacts.write(locate_records(records.sha256), records.to_jsonl())
    tokenizer = speaking("chatml")
    renderer = choose_renderer(None, tokenizer, messages=True)
    recipe = {"model": "some/model", "tokenizer": "local", "renderer": renderer, "loss_mask": "completion"}

    monkeypatch.setattr(examples, "load_recipe_tokenizer", lambda *_: tokenizer)
    rendered = Examples(artefacts).render(records.sha256, recipe)
    assert [len(example) for (example,) in rendered] == measure_lengths(records, tokenizer, renderer)

    monkeypatch.setattr(examples, "load_recipe_tokenizer", lambda *_: speaking("headers"))
    with pytest.raises(DataError, match="the same version of the tokenizer on every machine"):
        Examples(artefacts).render(records.sha256, recipe)
