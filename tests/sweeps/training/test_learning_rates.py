"""`auto` is the rule that is cited, for what it was measured on, and a number before anything is planned."""

import pytest

from sweeps import parse
from sweeps.errors import PlanError
from sweeps.planning.plan import plan
from sweeps.spec.train_section import Method, Train
from sweeps.stage import Plan
from sweeps.training.learning_rates import EXPONENTS, HIDDEN, choose_rate, resolve_rate
from tests.sweeps.questions import HEAD, Load, prices
from tests.sweeps.templates import speaking

LIVE = HEAD.replace("offline/ngram-s", "Qwen/Qwen3-8B").replace("learning_rate: 0.01", "learning_rate: auto")


def planned(*overrides: str) -> Plan:
    sweep = parse(LIVE, overrides=overrides)
    return plan(sweep, load=Load(50), tokenizers=lambda _: speaking(None), prices=prices())


def rates(made: Plan) -> list[float]:
    return sorted({float(str(stage.recipe["learning_rate"])) for stage in made.stages if stage.kind == "train"})


@pytest.mark.parametrize(
    ("model", "rate"),
    [
        ("Qwen/Qwen3-8B", 4.73e-4),
        ("Qwen/Qwen3-8B:peft:131072", 4.73e-4),
        ("Qwen/Qwen3.5-4B", 4.91e-4),
        ("Qwen/Qwen3.5-9B-Base", 4.73e-4),
        ("meta-llama/Llama-3.1-8B", 2.86e-4),
        ("meta-llama/Llama-3.2-1B", 4.91e-4),
        ("meta-llama/Llama-3.1-70B", 1.66e-4),
    ],
)
def test_the_rule_gives_the_published_numbers(model: str, rate: float) -> None:
    assert choose_rate(model, "sl") == rate


def test_every_model_of_the_table_is_of_one_family_of_the_rule() -> None:
    for model in HIDDEN:
        assert sum(family in model.lower() for family in EXPONENTS) == 1, model
        assert 1e-4 < choose_rate(model, "sl") < 6e-4


@pytest.mark.parametrize(
    ("model", "method", "says"),
    [
        ("offline/ngram-s", "sl", "auto has no rule for offline/ngram-s yet; write a number, or vary it"),
        ("openai/gpt-oss-20b", "sl", "auto has no rule for openai/gpt-oss-20b yet"),
        ("Qwen/Qwen3-8B", "dpo", "no rule for dpo.* starts dpo at 1e-5"),
        ("Qwen/Qwen3-8B", "rl", "no rule for rl.* starts rl at 1e-5 to 4e-5"),
    ],
)
def test_where_nobody_measured_one_it_is_refused(model: str, method: str, says: str) -> None:
    with pytest.raises(PlanError, match=says):
        choose_rate(model, method)


def test_the_recipe_holds_the_number_and_the_plan_says_whence() -> None:
    made = planned()
    assert rates(made) == [4.73e-4]
    assert [note for note in made.notes if "auto is 0.000473 for Qwen/Qwen3-8B" in note and "Regret" in note]


def test_auto_is_the_stage_of_its_number() -> None:
    auto, written = planned(), planned("train.learning_rate=4.73e-4")
    assert [stage.id for stage in auto.stages] == [stage.id for stage in written.stages]
    assert not any("auto" in note for note in written.notes)


def test_auto_is_one_of_the_values_of_an_axis_for_each_model() -> None:
    made = planned("vary={train.learning_rate: [auto, 1e-3], model: [Qwen/Qwen3-8B, meta-llama/Llama-3.1-8B]}")
    assert rates(made) == [2.86e-4, 4.73e-4, 1e-3]
    assert {str(run.cell["train.learning_rate"]) for run in made.runs if run.stage} == {"auto", "0.001"}
    assert sum("auto is" in note for note in made.notes) == 2


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["model=offline/ngram-s"], "train.learning_rate: auto has no rule for offline/ngram-s yet"),
        (["vary={model: [Qwen/Qwen3-8B, some/other]}"], "train.learning_rate: auto has no rule for some/other yet"),
        (["train.method=dpo", "evaluate=[preference]"], "train.learning_rate: auto has no rule for dpo"),
    ],
)
def test_a_cell_without_a_rule_refuses_the_plan(overrides: list[str], says: str) -> None:
    with pytest.raises(PlanError, match=says):
        planned(*overrides)


def test_a_method_of_a_comparison_is_resolved_where_it_stands() -> None:
    method = Method(learning_rate="auto", data="demos")
    assert resolve_rate(method, "Qwen/Qwen3-8B").learning_rate == 4.73e-4
    assert type(resolve_rate(method, "Qwen/Qwen3-8B")) is Method
    assert resolve_rate(Train(learning_rate=0.5), "offline/ngram-s").learning_rate == 0.5
    with pytest.raises(PlanError, match=r"^methods\.rl\.learning_rate: auto has no rule for rl"):
        resolve_rate(Method(method="rl", learning_rate="auto"), "Qwen/Qwen3-8B", path="methods.rl")
