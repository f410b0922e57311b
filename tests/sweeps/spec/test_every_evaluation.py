"""Everything that a model is measured by can be asked for in a file, and be what the best cell is best by."""

from typing import Any

import pytest

from sweeps.environments.market import COST, HELD, settle_trades
from sweeps.errors import PlanError
from sweeps.evaluation.rag import RAG
from sweeps.evaluation.registry import EVALUATORS, LOSSES
from sweeps.metrics.trading import maximal_drawdown, sharpe, total_return
from sweeps.planning.plan import plan
from sweeps.records import Dataset
from sweeps.rendering.tokenizer import OfflineTokenizer
from sweeps.spec.parse import parse
from sweeps.spec.sections import DataSpec
from sweeps.stage import Plan
from tests.sweeps.questions import HEAD, TRANSFER, Load, environments, planned, prices
from tests.sweeps.rendering.fact_rows import Facts

OWN = "{answers: {check: 'my_checks:is_right'}}"
ASKED: dict[str, dict[str, Any]] = {
    "held out": {"nll": ["nll", "bits_per_byte"]},
    "answers": {
        **{f"{{answers: {{check: {check}}}}}": ["accuracy"] for check in ("exact", "f1", "numeric", "choice")},
        "{answers: {check: regex}}": ["accuracy", "unchecked_answers"],
        OWN: ["accuracy", "unchecked_answers"],
    },
    "calibration": {"answers": ["ece", "adaptive_ece", "brier", "aurc", "selective_accuracy"]},
    "consistency": {
        "{answers: {samples: 3}}": [
            "agreement", "pairwise_agreement", "semantic_entropy", "pass_at_k", "pass_hat_k",
        ]
    },
    "robustness": {
        f"{{reliability: {{perturb: {changes}}}}}": ["mean_accuracy", "worst_accuracy", "spread", "flip_rate"]
        for changes in ("[case]", "[case, typos, spaces, filler]")
    },
    "grouping": {"clustering": ["adjusted_rand"]},
    "reading": {"rag": [metric for metric in RAG.metric_names if metric not in ("unchecked_rag", "cut_rag")]},
    "ranking": {
        "{answers: {check: choice}}": [
            "mrr", "ndcg", "chance", "chance_mrr", "chance_ndcg", "majority", "accuracy",
        ]
    },
    "classes": {
        "{answers: {check: choice}}": [
            "macro_f1", "balanced_accuracy", "auroc", "majority_macro_f1", "majority_balanced_accuracy",
        ]
    },
    "acting": {"{task_completion: {environment: 'offline:tool_use'}}": [
            "task_completion", "reward", "turns", "recovery_rate", "calls_over_fewest",
        ]},
    "profit and loss": {
        "{task_completion: {environment: 'offline:market'}}": [
            "episode.return", "episode.sharpe", "episode.drawdown", "episode.hold_return",
            "return_sharpe", "return_sortino", "return_cvar",
        ],
        "{task_completion: {environment: 'offline:market', attempts: 2}}": ["task_pass_at_k", "task_pass_hat_k"],
    },
    "preferences": {"preference": ["preference_accuracy", "preference_kl"]},
}  # fmt: skip
CASES = [
    (evaluation, metric) for group in ASKED.values() for evaluation, metrics in group.items() for metric in metrics
]


@pytest.mark.parametrize(("evaluation", "metric"), CASES)
def test_it_is_asked_for_and_chosen_by(evaluation: str, metric: str) -> None:
    mode = "min" if metric in LOSSES else "max"
    sweep = parse(HEAD, overrides=[f"evaluate=[{evaluation}]", f"best={{metric: {metric}, mode: {mode}}}"])
    (evaluation_read,) = sweep.evaluate
    assert metric.startswith("episode.") or metric in evaluation_read.metrics


def test_every_metric_has_a_name_of_its_own_and_stands_above() -> None:
    every = [metric for evaluator in EVALUATORS.values() for metric in evaluator.metric_names]
    assert len({*every}) == len(every), "evaluations of one sweep stand side by side"
    asked = {metric for _, metric in CASES}
    assert {*every} - asked <= {
        *("unchecked_rag", "unchecked_reliability", "preference_margin", "likelihood_accuracy"),
        *("cut_answers", "cut_rag", "cut_reliability"),
    }  # fmt: skip


def with_check(code: str) -> Plan:
    sweep = parse(HEAD, overrides=["seeds=1", f"evaluate=[{OWN}, nll]"])
    return plan(sweep, load=Facts(64), tokenizers=lambda _: OfflineTokenizer(), prices=prices(), checks=lambda _: code)


def test_a_check_with_other_code_is_another_stage_and_nothing_else_is() -> None:
    first, second = ({stage.label.partition(" ")[0]: stage for stage in made.stages} for made in map(with_check, "12"))
    changed = {label for label in first if first[label].id != second[label].id}
    assert changed == {"answers"}
    evaluator: Any = first["answers"].recipe["evaluator"]
    assert (evaluator["check"], evaluator["code"]) == ("my_checks:is_right", "1")
    with pytest.raises(PlanError, match="check 'my_checks:is_right'"):
        planned(HEAD, f"evaluate=[{OWN}]", load=Facts(64))


class Both(Facts):
    """Questions under each name, different ones."""

    def __call__(self, name: str, spec: DataSpec) -> Dataset:
        if spec.source == "texts":
            return Load(64)(name, spec)
        return super().__call__(name, spec)


def test_what_is_forgotten_of_the_source_is_measured_by_everything_that_is_asked() -> None:
    text = TRANSFER.replace("source_size: 600", "source_size: 64").replace("[16, 32, 64, 128]", "[16]")
    evaluations = "evaluate=[nll, answers, rag, {reliability: {perturb: [typos]}}]"
    two = "data={a: {source: a}, b: {source: b}}"
    made = planned(text, "seeds=1", evaluations, two, load=Both(64))
    run = next(run for run in made.runs if run.cell["source"] == "a" and run.cell["size"] == 16)
    names = ["nll", "answers", "rag", "reliability"]
    assert [*run.measures] == [f"{prefix}{name}" for name in names for prefix in ("", "source.")]
    made = planned(text, evaluations, "data={a: {source: a}, b: {source: texts}}", load=Both(64))
    assert {(omission.evaluation, omission.on) for omission in made.left_out} == {(name, "b") for name in names[1:]}
    assert all("text" in omission.reason for omission in made.left_out)
    measured = {run.cell["target"]: [*run.measures] for run in made.runs if run.cell["source"] and run.cell["size"]}
    assert measured["b"] == ["nll", "source.nll", *(f"source.{name}" for name in names[1:])]
    assert measured["a"] == ["nll", "source.nll", *names[1:]]


def test_the_market_says_what_the_formulas_say() -> None:
    for moves, positions in (([100, -50, 80, -120], HELD), ([60, 90, -70, -55], [1, -1, -1, 0])):
        before = [0, *positions]
        returns = [
            now * move / 10_000 - COST * abs(now - then)
            for move, now, then in zip(moves, positions, before, strict=False)
        ]
        trades = settle_trades(moves, positions)
        assert trades.gain == pytest.approx(total_return(returns))
        assert trades.drawdown == pytest.approx(maximal_drawdown(returns))
        assert trades.sharpe == pytest.approx((sharpe(returns) or 0) * (4 / 3) ** 0.5), (
            "over T, where the other is T - 1"
        )


def test_what_an_environment_tells_is_planned_like_any_measure() -> None:
    text = HEAD.replace("data: {a: {source: a.jsonl, holdout: 10}}\n", "").replace(
        "train: {learning_rate: 0.01, steps: 10}",
        "train: {method: rl, environment: 'offline:market', learning_rate: 0.01, steps: 2}",
    )
    evaluation = "{task_completion: {environment: 'offline:market', episodes: 4}}"
    best = "best={metric: episode.sharpe, mode: max}"
    sweep = parse(text, overrides=[f"evaluate=[{evaluation}]", best])
    made = plan(sweep, load=Load(), tokenizers=lambda _: OfflineTokenizer(), prices=prices(), environments=environments)
    assert made.totals.evaluate == 3, "two seeds, and the base model"
