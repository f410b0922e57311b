"""Questions and small data for the tests of the plan: real records, in memory."""

from functools import cache
from pathlib import Path
from typing import NamedTuple

from sweeps import Plan, PriceBook, parse, parse_prices
from sweeps.data import load_dataset
from sweeps.environments import Episode, EpisodeShape, NamedEnvironment, Split, Turn
from sweeps.planning.plan import plan
from sweeps.records import Dataset, Format, Records, Row
from sweeps.rendering.tokenizer import OfflineTokenizer
from sweeps.spec.sections import DataSpec
from sweeps.stage import Run

ROOT = Path(__file__).parents[2]
HEAD = """
sweep: question
experiment: grid
model: offline/ngram-s
train: {learning_rate: 0.01, steps: 10}
data: {a: {source: a.jsonl, holdout: 10}}
seeds: 2
"""
TRANSFER = """
sweep: five-domains
experiment: transfer
model: offline/ngram-s
train: {learning_rate: 0.01, batch_size: 32, steps: {base: 16, at_size: 32, power: 0.5}}
data: {a: {source: a}, b: {source: b}, c: {source: c}, d: {source: d}, e: {source: e}}
source_size: 600
sizes: [16, 32, 64, 128]
seeds: 3
"""


@cache
def prices() -> PriceBook:
    return parse_prices((ROOT / "scheduler/prices.yaml").read_text(), name="scheduler/prices.yaml")


def list_trained(plan: Plan) -> list[Run]:
    """The runs that train something, or would: all but the base models of a grid."""
    return [run for run in plan.runs if not run.cell.get("untrained")]


class Load:
    """Data sets of `count` training rows; texts differ in length, and each name has its own."""

    def __init__(self, count: int = 1000, *, held: int = 10, form: Format = "text") -> None:
        self.count, self.held, self.form = count, held, form

    def __call__(self, name: str, spec: DataSpec) -> Dataset:
        text = f"{name} of {spec.source}"
        validation = self._records(f"{text} seen", 7) if spec.validation is not None else None
        train, holdout = self._records(text, self.count), self._records(f"{text} held", self.held)
        return Dataset(name, spec.source, train, holdout, validation, (f"{self.count} rows made",))

    def _records(self, text: str, count: int) -> Records:
        return Records(self.form, tuple(self._row(f"{text} {index} " + "x" * (index % 11)) for index in range(count)))

    def _row(self, text: str) -> Row:
        if self.form == "preference":
            return {"prompt": text, "chosen": "yes", "rejected": "no"}
        return {"prompt": text, "completion": "done"} if self.form == "completion" else {"text": text}


class Guessing:
    """An environment whose prompts differ in length, and whose episodes can be short or long."""

    version = 1
    shape = EpisodeShape(turns=(2, 3), action=(3, 4), observation=(4, 5))
    stop = ("\n",)

    def episode(self, seed: int, split: Split) -> Episode:
        return Guess(f"{split} {'x' * (seed % 7)}")


class Guess(NamedTuple):
    prompt: str

    def step(self, action: str) -> Turn:
        return Turn(reward=float(action == "yes\n"), done=True)


def environments(name: str) -> NamedEnvironment:
    return NamedEnvironment(name, "1", Guessing())


def planned(text: str, *overrides: str, load: Load | None = None) -> Plan:
    return plan(
        parse(text, overrides=overrides),
        load=load or Load(),
        tokenizers=lambda _: OfflineTokenizer(),
        prices=prices(),
        environments=environments,
    )


ACTING = """
sweep: acting
experiment: grid
model: offline/ngram-s
train: {method: rl, environment: "offline:arithmetic", learning_rate: 0.03, steps: 20}
seeds: 2
evaluate:
  - task_completion: {environment: "offline:arithmetic", episodes: 50}
"""


def plan_folder(folder: Path, text: str, *overrides: str) -> Plan:
    """Plan a question about the files of a folder."""
    return plan(
        parse(text, overrides=overrides),
        load=lambda name, spec: load_dataset(name, spec, folder=folder, cache=folder),
        tokenizers=lambda *_: OfflineTokenizer(),
        prices=prices(),
        environments=environments,
    )
