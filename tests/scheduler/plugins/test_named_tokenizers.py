"""`tokenizer: PATH_OR_ID` beside `model`: what a stage is, what the plan says, and what a worker reads."""

import json
import shutil
from pathlib import Path

import pytest

from scheduler.artefacts import Artefacts
from scheduler.errors import ArtefactError, ServiceRefused
from scheduler.plugins.tokenizers import load_recipe_tokenizer
from scheduler.prepare import Prepared, prepare, store_data
from scheduler.settings import read_settings
from sweeps.errors import PlanError, SpecError
from tests.wording import naming
from tinker_offline.model.characters import write_tokenizer

SPEC = """
sweep: named
experiment: grid
model: offline/ngram-s
tokenizer: theirs
train: {method: sl, rank: 4, learning_rate: 0.01, batch_size: 4, steps: 1}
data: {mine: {source: texts.jsonl, holdout: 2}}
seeds: 1
evaluate: [nll, {answers: {check: exact, most: 4}}]
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a tokenizer like ours, a longer one, and some data."""
    write_tokenizer(tmp_path / "theirs")
    longer = json.loads((tmp_path / "theirs/tokenizer.json").read_text())
    longer["model"]["vocab"]["ü"] = 99
    shutil.copytree(tmp_path / "theirs", tmp_path / "longer")
    (tmp_path / "longer/tokenizer.json").write_text(json.dumps(longer))
    rows = "".join(json.dumps({"prompt": f"{at} is", "completion": f" {at}"}) + "\n" for at in range(9))
    (tmp_path / "texts.jsonl").write_text(rows)
    return tmp_path


def planned(place: Path, *overrides: str, spec: str = SPEC) -> Prepared:
    (place / "named.yaml").write_text(spec)
    return prepare(place / "named.yaml", overrides, read_settings({"SWEEP_HOME": str(place / "home")}))


def test_what_reads_is_part_of_what_every_stage_is(place: Path) -> None:
    ours, theirs = planned(place, "tokenizer=null"), planned(place)
    names = {stage.recipe["tokenizer"] for stage in theirs.plan.stages}
    assert names == {f"files:{theirs.tokenizers[0].digest}"}
    assert not {stage.id for stage in ours.plan.stages} & {stage.id for stage in theirs.plan.stages}
    assert ours.tokenizers == ()
    assert [note for note in theirs.plan.notes if "tokenizer of offline/ngram-s: theirs (files:" in note]
    assert str(place) not in json.dumps([stage.recipe for stage in theirs.plan.stages], default=dict)


def test_where_it_lies_is_not_what_it_is(place: Path) -> None:
    before = [stage.id for stage in planned(place).plan.stages]
    (place / "theirs").rename(place / "moved")
    assert [stage.id for stage in planned(place, "tokenizer=moved").plan.stages] == before
    assert [stage.id for stage in planned(place, f"tokenizer={place / 'moved'}").plan.stages] == before
    config = place / "moved/tokenizer_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "chat_template": "{{ messages[0].content }}"}))
    assert not {*before} & {stage.id for stage in planned(place, "tokenizer=moved").plan.stages}


def test_a_worker_reads_it_from_the_store_wherever_it_is(place: Path) -> None:
    prepared, artefacts = planned(place), Artefacts(str(place / "store"))
    recipe = prepared.plan.stages[0].recipe
    store_data(prepared, artefacts)
    shutil.rmtree(place / "theirs")
    assert load_recipe_tokenizer(recipe, artefacts).encode("ab") == [69, 70]
    with pytest.raises(ArtefactError):
        load_recipe_tokenizer({**recipe, "tokenizer": f"files:{'0' * 64}"}, artefacts)


def test_a_model_of_ours_reads_what_it_has_room_for(place: Path) -> None:
    with pytest.raises(ServiceRefused, match=naming(100, 99, "offline/ngram-s", "offline/rehearsal")):
        planned(place, "tokenizer=longer")
    assert planned(place, "tokenizer=longer", "model=offline/rehearsal").plan.stages


def test_models_may_each_have_one_and_none_has_two(place: Path) -> None:
    both = "vary: {model: [offline/ngram-s, offline/rehearsal], tokenizer: [theirs, longer]}\n"
    zipped = planned(place, spec=f"{SPEC}{both}zip: [[model, tokenizer]]\n")
    pairs = {(stage.recipe["model"], stage.recipe["tokenizer"]) for stage in zipped.plan.stages}
    assert len(pairs) == len(zipped.tokenizers) == 2
    unset = SPEC.replace("tokenizer: theirs\n", "")
    assert len(planned(place, spec=f"{unset}{both}zip: [[model, tokenizer]]\n").tokenizers) == 2
    with pytest.raises(PlanError, match=r"tokenizer: .*theirs and longer for offline/ngram-s"):
        planned(place, spec=SPEC + both)


@pytest.mark.parametrize(("value", "place_of"), [("[a, b]", 5), ("''", 5), ("3", 5)])
def test_a_value_that_is_none_is_named_with_its_line(place: Path, value: str, place_of: int) -> None:
    with pytest.raises(SpecError, match=rf"named\.yaml:{place_of}: tokenizer: "):
        planned(place, spec=SPEC.replace("tokenizer: theirs", f"tokenizer: {value}"))


def test_a_home_of_nobody_is_refused(place: Path) -> None:
    with pytest.raises(ServiceRefused, match=naming("tokenizer:", "~nobody-at-all/x")):
        planned(place, "tokenizer=~nobody-at-all/x")
