"""Questions about facts: generated ones, and two rows of a file."""

from sweeps.data.generated import generate_rows
from sweeps.records import Dataset, Records
from sweeps.rendering.prompts import select_learnt, select_read
from sweeps.spec.sections import DataSpec
from tests.sweeps.questions import Load

FACTS = generate_rows("facts")
ROW = {"question": "q=", "context": "q=1.", "answers": ["1."], "distractors": ["a=2."], "variants": ["Q="]}
OTHER = {"question": "r=", "context": "r=2.", "answers": ["2."], "candidates": ["1.", "2."]}


class Facts(Load):
    """Some of the facts."""

    def __call__(self, name: str, spec: DataSpec) -> Dataset:
        context, held = spec.context or "gold", Records("questions", FACTS.test[: self.held])
        train = select_learnt(Records("questions", FACTS.train[: self.count]), context)
        return Dataset(name, spec.source, train, select_read(held, context), None, (), whole=held, context=context)
