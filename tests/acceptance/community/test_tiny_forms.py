"""Each example of `examples/community/`, cut to a few steps, ends in the conclusion that these few steps allow.

The same steps give the same numbers everywhere, so the claim, its sign, its interval and its caveats are known
beforehand. What an example concludes with the steps that it needs is tested with COMMUNITY=short and COMMUNITY=all.
"""

from typing import NamedTuple

import pytest

from tests.acceptance.command import Desk
from tests.acceptance.community.example_runs import NAMES, run_example
from tests.acceptance.community.null_twins import CATEGORIES, LEARN

SL = f"method: sl, {LEARN}"
DPO = "method: dpo, data: pairs, compared: false, rank: 16, batch_size: 16, learning_rate: 0.01"
RHYTHMS = '{question: "{signal}\\nrhythm: ", answer: label, candidates: [sinus, ectopic, afib]}'
SHELVES = f'{{question: "{{text}}\\ncategory: ", answer: category, candidates: {CATEGORIES}}}'
CHOICE = "evaluate=[{answers: {check: choice}}]"


class Tiny(NamedTuple):
    """What an example concludes when it is cut: everything gains, and the interval excludes 0 or does not."""

    claim: str
    metric: str
    is_clear: bool
    caveats: tuple[str, ...]
    overrides: tuple[str, ...]


FORMS = {
    "agent_reasoning": Tiny(
        *("better", "nll", True, ()),
        (
            f"methods={{sl: {{{SL}, data: logs}}}}",
            "equal={tokens: 6e3}",
            "best=null",
            "metrics=[nll]",
            "evaluate=[nll]",
        ),
    ),
    "biosignal": Tiny(
        *("at_chance", "auroc", False, ()),
        (
            f"data={{subjects: {{source: beats.csv, columns: {RHYTHMS}, group: subject, holdout: 12}}}}",
            *("sizes=[32]", "target=null", "train.steps=24", "metrics=[auroc]"),
        ),
    ),
    "code_modernization": Tiny(
        *("no_clear_difference", "nll", False, ("too_few_sizes",)),
        ("target=null", "evaluate=[nll]", "metrics=[nll]", "sizes=[3, 24]", "train.steps=12", "data.pairs.holdout=3"),
    ),
    "cross_domain_transfer": Tiny(
        *("helps", "nll", True, ()),
        (
            *("sizes=[16]", "source_size=80", "sources=[code]", "targets=[rules]"),
            *("data.rules.holdout=16", "data.code.holdout=8"),
        ),
    ),
    "first_run": Tiny(
        *("best_cell", "validation.nll", True, ("these_items_only",)),
        (
            *("vary={train.learning_rate: [0.0005, 0.05]}", "train.steps=12", "evaluate=[nll]"),
            *("data.tickets.holdout=16", "data.tickets.validation=16", "best={metric: nll, mode: min}"),
        ),
    ),
    "minimum_data": Tiny(
        *("no_clear_difference", "nll", False, ("too_few_sizes",)),
        (
            "data={clauses_40: {source: clauses_40.jsonl, holdout: 24}}",
            *("sizes=[16, 128]", "train.steps=16", "target=null", "evaluate=[nll]"),
        ),
    ),
    "overnight": Tiny(
        *("best_cell", "validation.nll", True, ("may_not_have_learnt", "these_items_only")),
        (
            *(
                "vary={train.learning_rate: [0.0001, 0.1], train.rank: [8]}",
                "train.steps=8",
                "checkpoint.every_steps=4",
            ),
            *("data.incidents.holdout=12", "data.incidents.validation=12"),
        ),
    ),
    "product_understanding": Tiny(
        *("at_majority", "macro_f1", False, ("class_rare",)),
        (
            f"data={{listings: {{source: listings.jsonl, columns: {SHELVES}, group: product, holdout: 12}}}}",
            *("sizes=[32]", "target=null", "train.steps=20", "metrics=[macro_f1]", CHOICE),
        ),
    ),
    "rag_decision_support": Tiny(
        *("better", "uplift", True, ("few_items", "saturated")),
        (
            f"methods={{reader: {{{SL}, data: office}}, closed: {{{SL}, data: closed}}}}",
            (
                "data={book: {source: book.jsonl, holdout: 8}, office: {source: office.jsonl, holdout: 4}, "
                "closed: {source: manual_closed.jsonl, holdout: 4}}"
            ),
            *("against=closed", "equal={tokens: 3e4}", "evaluate=[{rag: {most: 28}}]", "metrics=[uplift]"),
        ),
    ),
    "regulatory_assistant": Tiny(
        *("nothing_learnt", "preference_accuracy", False, ()),
        (
            f"methods={{sl: {{{SL}, data: questions}}, dpo: {{{DPO}}}, sl_dpo: {{then: [{{sl: 0.5}}, {{dpo: 0.5}}]}}}}",
            (
                "data={questions: {source: questions.jsonl, group: document, holdout: 2}, "
                "pairs: {source: pairs.jsonl, group: document, holdout: 6}}"
            ),
            *("equal={tokens: 2e4}", "evaluate=[preference]", "metrics=[preference_accuracy]"),
        ),
    ),
    "reliability": Tiny(
        *("better", "brier", True, ()),
        (
            f"methods={{sl: {{{SL}, data: messages}}}}",
            "data={messages: {source: messages.jsonl, holdout: messages_asked.jsonl}}",
            *("equal={tokens: 6e3}", "metrics=[brier]", CHOICE),
        ),
    ),
    "trading": Tiny(
        *("nothing_learnt", "episode.over_random", False, ("few_items", "idle_policy")),
        (
            f"methods={{traders: {{{SL}, data: logs}}}}",
            'evaluate=[task_completion: {environment: "environment:Market", episodes: 4}]',
            *("equal={tokens: 5e3}", "against=untrained", "metrics=[episode.over_random: max]"),
        ),
    ),
}


PLAYED = ("trading",)  # with an environment of the example's own, which does not travel to a server


def test_every_example_has_a_tiny_form() -> None:
    assert sorted(FORMS) == NAMES


@pytest.mark.parametrize("name", FORMS)
def test_it_ends_in_its_conclusion(fleet_desk: Desk, home_desk: Desk, name: str) -> None:
    form, desk = FORMS[name], home_desk if name in PLAYED else fleet_desk
    conclusion = run_example(desk, name, *form.overrides, "seeds=2")["conclusion"]
    low, effect, high = (conclusion[key] for key in ("low", "effect", "high"))
    assert (conclusion["claim"], conclusion["metric"], tuple(conclusion["caveats"])) == (*form[:2], form.caveats)
    assert effect > 0, "what was trained is better than what it is held against"
    assert low < effect < high
    assert (low > 0) == form.is_clear
