"""Run each null twin with many seeds in one sweep, and conclude of a few seeds at a time: each part is an experiment.

One sweep for twenty experiments costs a fraction of twenty sweeps, and each conclusion is the product's.

python -m tests.acceptance.community.null_twins              all twins, in one fleet: name, false claims, what they are
python -m tests.acceptance.community.null_twins trading …    some of them
"""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scheduler.cli.console.options import open_store
from scheduler.settings import read_settings
from scheduler.state import views
from scheduler.state.answer_inputs import read_answer_inputs
from sweeps.analysis.baselines import is_untrained
from sweeps.experiments.conclude_sweep import conclude_sweep
from sweeps.experiments.conclusion import Conclusion
from tests.acceptance.command import Desk
from tests.acceptance.community.example_runs import run_example
from tests.acceptance.shared_fleet import SharedFleet

EXPERIMENTS, FALSE_CLAIMS = 20, 2  # of a null twin, and how many of them may claim something: chance, at .05
NO_CLAIMS = frozenset(
    {"no_clear_difference", "nothing_learnt", "at_chance", "at_majority", "not_judged", "control_not_judged"}
)


class NullTwin:
    """What makes a twin of an example, and how short its experiments are.

    `make` has words for make_data.py. With a `subject` only the claim that this method is better would be false.
    """

    def __init__(
        self, *overrides: str, file: str = "sweep.yaml", make: Sequence[str] = (), subject: str = "", seeds: int = 2
    ) -> None:
        self.overrides, self.file, self.make = overrides, file, make
        self.subject, self.seeds = subject, seeds  # seeds of each experiment

    def is_false(self, conclusion: Conclusion) -> bool:
        """Whether it claims something that cannot be true."""
        return conclusion.claim not in NO_CLAIMS and self.subject in ("", conclusion.subject)


LEARN = "rank: 16, batch_size: 8, learning_rate: 0.02"
RIGHT = "{method: sl, data: questions, " + LEARN + "}"
COIN = "{method: dpo, data: coin, compared: false, rank: 16, batch_size: 16, learning_rate: 0.01}"
CLERK = "method: sl, data: messages, " + LEARN
CATEGORIES = (
    "[bagel, basmati, croissant, hand soap, kefir, lentils, oat drink, rye bread, shampoo, spaghetti, toothpaste, "
    "yoghurt]"
)
TWINS = {
    # Imitation stays true under a coin's rewards; that rewards after it add something would be false.
    "agent_reasoning": NullTwin(
        "methods.rl.environment=environment:CoinDesk",
        "methods.rl.compared=false",
        "methods.sl_then_rl={then: [{sl: 0.7}, {rl: 0.3}]}",
        "equal.tokens=30000",
        'evaluate=[task_completion: {environment: "environment:Desk", episodes: 40}]',
        "metrics=[task_completion]",
        subject="sl_then_rl",
    ),
    "biosignal": NullTwin(
        'data={twin: {source: shuffled.csv, columns: {question: "{signal}\\nrhythm: ", answer: label, candidates: '
        "[sinus, ectopic, afib]}, group: subject, holdout: 20}}",
        *("sizes=[16]", "target=null", "train.steps=40", "metrics=[auroc]"),
    ),
    "code_modernization": NullTwin(
        'evaluate=[{behaviour: {answers: {check: "line_checks:behaves", most: 48}}}]',
        *("metrics=[behaviour.accuracy]", "data.shuffled.holdout=4", "sizes=[6]", "train.steps=16"),
        file="null.yaml",
    ),
    "cross_domain_transfer": NullTwin(
        "data={code: {source: code.jsonl, holdout: 20}, pulse: {source: pulse.jsonl, holdout: 40}}",
        *("sizes=[16]", "source_size=150", "sources=[code]", "targets=[pulse]"),
    ),
    "minimum_data": NullTwin(
        "data={twin: {source: shuffled.jsonl, holdout: 48}}",
        *("sizes=[16, 128]", "train.steps=30", "target=null", "metrics=[accuracy]"),
    ),
    "product_understanding": NullTwin(
        'data={twin: {source: shuffled.jsonl, columns: {question: "{text}\\ncategory: ", answer: category, candidates: '
        f"{CATEGORIES}}}, group: product, holdout: 16}}}}",
        *("sizes=[32]", "target=null", "train.steps=30", "metrics=[macro_f1]"),
        "evaluate=[{answers: {check: choice}}]",
    ),
    "rag_decision_support": NullTwin(
        *("equal={tokens: 2e4}", "evaluate=[{rag: {most: 28}}]", "metrics=[mixed]", "data.book.holdout=12"),
        file="null.yaml",
    ),
    # Questions teach how helpful answers end; that a coin's pairs teach it would be false.
    "regulatory_assistant": NullTwin(
        f"methods={{sl: {RIGHT}, coin: {COIN}, sl_coin: {{then: [{{sl: 0.6}}, {{coin: 0.4}}]}}}}",
        *(
            "equal.tokens=2.5e4",
            "evaluate=[preference]",
            "metrics=[pairs.preference_accuracy]",
            "data.pairs.holdout=4",
            "data.coin.holdout=1",
        ),
        subject="sl_coin",
    ),
    "reliability": NullTwin(
        f"methods={{start: {{{CLERK}, compared: false}}, sl: {{{CLERK}}}, rl: {{method: rl, environment: "
        '"environment:Triage", rank: 16, groups: 16, group_size: 4, learning_rate: 0.01, compared: false}, '
        "sl_rl: {then: [{start: 0.6}, {rl: 0.4}]}}",
        *("equal.tokens=2e4", "evaluate=[{answers: {check: choice}}]", "metrics=[accuracy]"),
        make=("coin",),
    ),
    "trading": NullTwin(
        *("methods.profit_rl.environment=environment:Noise", "methods.careful_rl.environment=environment:CarefulNoise"),
        *(f"methods.{name}={{then: [{{traders: 0.6}}, {{{name}_rl: 0.4}}]}}" for name in ("profit", "careful")),
        'evaluate=[task_completion: {environment: "environment:Noise", episodes: 80}]',
        *("metrics=[return_sharpe]", "equal.tokens=25000"),
    ),
}


def run_null_twin(desk: Desk, name: str) -> list[Conclusion]:
    """Run a twin in a sweep of its name with so many seeds for each experiment, and list the conclusions."""
    twin = TWINS[name]
    words = (*twin.overrides, f"sweep={name}", f"seeds={twin.seeds * EXPERIMENTS}")
    run_example(desk, name, *words, file=twin.file, make=twin.make)
    return conclude_parts(desk, name, twin.seeds)


def conclude_parts(desk: Desk, sweep: str, seeds: int) -> list[Conclusion]:
    """Conclude of each part of the seeds; the untrained model, measured once, belongs to all of them."""
    settings = read_settings({"SWEEP_HOME": str(desk.home)})
    with open_store(settings) as store:
        known = read_answer_inputs(
            store, views.read_sweep(store, sweep), views.read_results(store, sweep), settings.store
        )
    parts = [range(first, first + seeds) for first in range(0, seeds * EXPERIMENTS, seeds)]
    return [
        conclude_sweep(replace(known, rows=[row for row in known.rows if row.seed in part or is_of_all(row.cell)]))
        for part in parts
    ]


def is_of_all(cell: Mapping[str, Any]) -> bool:
    """Whether a cell is of the untrained model: size 0, no method, or marked."""
    return is_untrained(cell) or cell.get("size") == 0 or cell.get("method", "") is None


def list_false_claims(name: str, conclusions: Sequence[Conclusion]) -> list[Conclusion]:
    """List the conclusions that claim something, of a twin in which nothing is true."""
    return [conclusion for conclusion in conclusions if TWINS[name].is_false(conclusion)]


def _count_all(names: Sequence[str]) -> int:
    """Run twins in one fleet, and print of each how many of its experiments make a false claim."""
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        fleet = SharedFleet(Desk(Path(folder)))
        fleet.start()
        try:
            for name in names:
                place = Path(folder) / "copies" / name
                place.mkdir(parents=True)
                conclusions = run_null_twin(Desk(place, {"SWEEP_HOME": str(fleet.desk.home)}), name)
                false = list_false_claims(name, conclusions)
                failed += len(false) > FALSE_CLAIMS
                kinds = sorted({conclusion.claim for conclusion in conclusions})
                count = f"{len(false)} of {len(conclusions)} claim something false"
                print(f"{name:24} {count}; all: {', '.join(kinds)}", flush=True)  # noqa: T201 - a command for people
        finally:
            fleet.stop()
    return failed


if __name__ == "__main__":
    sys.exit(_count_all(sys.argv[1:] or [*TWINS]))
