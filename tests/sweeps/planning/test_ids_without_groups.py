"""Data that names no columns, groups or strata has the splits, bytes and stages that it had before they came."""

import hashlib
from pathlib import Path

from sweeps.data import load_dataset
from sweeps.planning.plan import plan
from sweeps.rendering.tokenizer import OfflineTokenizer
from sweeps.spec.parse import parse
from tests.sweeps.files import jsonl
from tests.sweeps.questions import prices

SPEC = """
sweep: ids
experiment: EXPERIMENT
model: offline/ngram-s
data:
  asked: {source: asked.jsonl, holdout: 0.2, validation: 4}
  pairs: {source: pairs.jsonl, holdout: 5, validation: 0.1}
seeds: 2
"""
HOW = "{learning_rate: 0.01, batch_size: 4, steps: {base: 4, at_size: 4, power: 0.5}}"
KINDS = {
    "data_scaling": f"train: {HOW}\nsizes: [4, 8]",
    "transfer": f"train: {HOW}\nsizes: [4]\nsource_size: 8",
    "grid": f"train: {HOW}\nvary: {{train.rank: [4, 8]}}",
}


def list_ids(folder: Path, kind: str) -> list[str]:
    (folder / "asked.jsonl").write_text(
        jsonl({"question": f"where is {at // 2}?", "answer": f"there {at}", "subject": at} for at in range(40))
    )
    (folder / "pairs.jsonl").write_text(jsonl({"prompt": f"p{at}", "completion": f"c{at}"} for at in range(40)))
    sweep = parse(f"{SPEC.replace('EXPERIMENT', kind)}{KINDS[kind]}\n")
    made = plan(
        sweep,
        load=lambda name, spec: load_dataset(name, spec, folder=folder, cache=folder),
        tokenizers=lambda *_: OfflineTokenizer(),
        prices=prices(),
    )
    base = {stage for run in made.runs if run.cell.get("untrained") for stage in run.measures.values()}
    return [stage.id for stage in made.stages if stage.id not in base]


def test_the_ids_of_stages_are_those_of_before(tmp_path: Path) -> None:
    """The hash is that of the 76 ids at the commit before groups came."""
    ids = [name for kind in KINDS for name in list_ids(tmp_path, kind)]
    assert (len(ids), hashlib.sha256(" ".join(ids).encode()).hexdigest()[:16]) == (76, "92071905d82d3b63")
