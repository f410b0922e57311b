"""The contract of the file: what is written there loads and means what it says; the rest is refused and explained."""

import pytest
from pydantic import ValidationError

from sweeps import SpecError, Sweep, parse
from sweeps.spec.train_section import StepLaw
from tests.sweeps.questions import HEAD, ROOT, TRANSFER

EXAMPLES = ("data_scaling", "transfer", "grid", "compare", "night")


def example(name: str) -> Sweep:
    return parse((ROOT / f"examples/{name}.yaml").read_text(), name=f"{name}.yaml")


def refused(text: str, *overrides: str) -> str:
    with pytest.raises(SpecError) as caught:
        parse(text, overrides=overrides)
    return str(caught.value)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_load(name: str) -> None:
    assert example(name).sweep


def test_the_data_scaling_example_means_what_it_says() -> None:
    sweep = example("data_scaling")
    assert sweep.size_values == (32, 64, 128, 256, 512, 1024, 2048)
    assert sweep.seed_values == (0, 1, 2)
    assert sweep.train is not None
    assert sweep.train.steps == StepLaw(base=16, at_size=32, power=0.5)
    assert sweep.data["reference"].holdout == 1024
    assert sweep.list_unsupported() == ()


def test_the_night_example_is_kept_whole() -> None:
    sweep = example("night")
    assert sweep.list_unsupported() == ()
    assert sweep.deadline is not None
    assert sweep.deadline.isoformat() == "2026-12-01T08:00:00+01:00"
    assert (sweep.checkpoint.every_steps, sweep.checkpoint.ttl_days) == (100, 7)


def test_a_sweep_made_in_python_is_the_one_that_is_read() -> None:
    made = Sweep.model_validate(
        {
            "sweep": "question",
            "experiment": "grid",
            "model": "offline/ngram-s",
            "train": {"learning_rate": 0.01, "steps": 10},
            "data": {"a": {"source": "a.jsonl", "holdout": 10}},
            "seeds": 2,
        }
    )
    assert made == parse(HEAD)
    with pytest.raises(ValidationError, match="exactly one of steps"):
        Sweep.model_validate({**made.model_dump(exclude_unset=True), "train": {"learning_rate": 1}})


def test_every_finding_is_told_at_once_with_its_line() -> None:
    said = refused(
        HEAD
        + "rank: 8\nvari: {}\nwindow: {daily: '22:00', tz: Europe/Berln}\n"
        + "evaluate: [nnl]\nlimits: {slots: 0}\nbest: {metric: nll, mode: low}\n"
    )
    assert said.splitlines() == [
        "sweep.yaml:8: rank: unknown key; did you mean `train.rank`?",
        "sweep.yaml:9: vari: unknown key; did you mean `vary`?",
        "sweep.yaml:10: window.daily: '22:00' found; two times as in '22:00-07:30' are right",
        "sweep.yaml:10: window.tz: 'Europe/Berln' found; did you mean `Europe/Berlin`?",
        "sweep.yaml:11: evaluate.0: unknown evaluation 'nnl'; did you mean `nll`?",
        "sweep.yaml:12: limits.slots: 0 found; a number of at least 1 is right",
        "sweep.yaml:13: best.mode: 'low' found; `min` or `max` is right",
    ]


def test_a_transfer_needs_a_pair() -> None:
    assert ": data: " in refused(TRANSFER, "data={a: {source: a}}")
    assert "data: expected a source and a target" in refused(TRANSFER, "sources=[a]", "targets=[a]")


def test_rules_between_keys_are_told_beside_wrong_keys() -> None:
    said = refused(TRANSFER, "targets=[a, f]", "tags=3")
    assert "targets.1: got 'f'" in said
    assert "tags: 3 found; a list is right" in said


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("train.batch_size=1e300", "train.batch_size: 1e+300 found"),  # numpy would have a traceback
        ("train.steps=1e300", "train.steps: 1e+300 found"),
        ("train.rank=7", "train.rank: 7 found; a power of two is right, as 4 or 8"),
        ("train.rank=1.5", "train.rank: 1.5 found; an integer is right"),
        ("train.rank=true", "train.rank: true found; an integer is right"),
        ("train.learning_rate=fast", "train.learning_rate: 'fast' found; a number above 0 or `auto` is right"),
        ("train.learning_rate=~", "train.learning_rate: missing"),
        ("train.schedule=step", "`constant`, `linear`, `cosine` or `wsd` is right"),
        ("train.train_mlp=no", "train.train_mlp: 'no' found; true or false is right"),
        ("train.epochs=3", "train: steps and epochs found; exactly one of steps, epochs, tokens is right"),
        ("train.steps=~", "train: no length found"),
        ("train.steps={base: 16, power: 0.5}", "train.steps.at_size: missing"),
        ("train.warmup=.nan", "train.warmup: nan found; a count (an integer) or a share (0.1) is right"),
        ("train.adam.eps=.inf", "train.adam.eps: inf found; a finite number is right"),
        ("train=3", "train: 3 found; `key: value` lines are right"),
        ("budget.usd=1e7", "budget.usd: 10000000.0 found; a number of at most 1000000 is right"),
        ("budget=3", "budget: 3 found; `{usd: …}` is right"),
        ("window=22:00-07:30", "window: '22:00-07:30' found; `{daily: …, tz: …}` is right"),
        ("priority=-1", "priority: -1 found; a number of at least 0 is right"),
        ("priority=1000001", "priority: 1000001 found; a number of at most 1000000 is right"),
        ("data={a b: {source: x}}", "data.a b: 'a b' found; letters, digits, `_` and `-` are right"),
        ("seeds=" + "9" * 5000, "9 found, which is larger than any number here"),
        ("train.min_steps=3", "train.min_steps: belongs to `epochs`"),
        ("train.beta=0.1", "train.beta: belongs to `method: dpo`"),
        ("train.adam={beta3: 1}", "train.adam.beta3: unknown key; did you mean `beta2`?"),
        ("train.eval_every=5", "data.a: no `validation` found"),
        ("data.a.holdout=1.5", "data.a.holdout: 1.5 found; a count (an integer) or a share (0.1) is right"),
        ("data.a.holdout=0", "data.a.holdout: 0 found"),
        ("data.a.sauce=x", "data.a.sauce: unknown key; did you mean `source`?"),
        ("data={}", "data: missing; name at least one data set"),
        ("seeds=0", "seeds: 0 found; a count (3) or a list of different integers from 0 is right"),
        ("seeds=[1, 1]", "seeds: [1, 1] found"),
        ("sizes=[4]", "sizes: belongs to `experiment: data_scaling or transfer`; this one is grid"),
        ("experiment=gird", "`grid`, `data_scaling`, `transfer`, `compare`, got 'gird'"),
        ("experiment=data_scaling", "sizes: missing; `experiment: data_scaling` needs it"),
        ("best={metric: accuracy, mode: max}", "best.metric: 'accuracy' found, which nothing evaluates"),
        ("target={metric: nll}", "target: exactly one of `below` and `above` is right"),
        ("evaluate=[nll, nll]", "evaluate.1: nll found a second time"),
        ("evaluate=[{nll: {via: post}}]", "evaluate.0.nll.via: expected `forward` or `sampler`, got 'post'"),
        ("deadline=2026-12-01T08:00:00", "deadline: '2026-12-01T08:00:00' found; a moment with its offset"),
        ("deadline=5", "deadline: 5 found; a moment with its offset"),
        ("notify=[{webhook: 'https://x'}]", "notify.0.webhook: no name of a variable found; env:NAME is right"),
        ("checkpoint.keep=first", "checkpoint.keep: 'first' found; `last`, `all` or a count is right"),
        ("budget.usd=0", "budget.usd: 0 found; a number above 0 is right"),
        ("sweep=a b", "sweep: 'a b' found; letters, digits, `.`, `_` and `-` are right, a letter or digit first"),
        ("target={metric: nll, below: 2}", "target: belongs to `experiment: data_scaling`; this one is grid"),
        ("reuse=some", "`never`, `sweep` or `all` is right"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(override: str, said: str) -> None:
    found = refused(HEAD, override)
    assert said in found
    assert len(found.splitlines()) == 1


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("target={metric: nll, above: 2}", "target.above: found, and nll falls as the model gets better; `below`"),
        ("target={metric: validation.nll, below: 2}", "target.metric: 'validation.nll' found, which nothing evaluates"),
        ("target={metric: accuracy, below: 0.5}", "target.below: found, and accuracy rises as the model gets better;"),
        ("target={metric: accuracy, above: 1.5}", "target.above: 1.5 found; guessing has 0 of it and no model more"),
        ("target={metric: accuracy, above: 0}", "target.above: 0 found; guessing has 0 of it"),
        ("target={metric: preference_accuracy, above: 0.4}", "target.above: 0.4 found; guessing has 0.5 of it"),
        ("target={metric: ece, below: 0.1}", "target.metric: 'ece' found, which has no law; one of nll, bits_per_byte"),
        ("target={metric: reward, above: 3}", "target.metric: 'reward' found, which has no law"),
        ("best={metric: nll, mode: min}", "best: belongs to `experiment: grid or compare`; this one is data_scaling"),
    ],
)
def test_what_no_answer_would_heed_is_refused(override: str, said: str) -> None:
    asked = "evaluate: [nll, answers, preference, {task_completion: {environment: 'offline:tool_use'}}]"
    scaling = HEAD.replace("grid", "data_scaling") + f"sizes: [8, 16]\n{asked}\n"
    assert said in refused(scaling, override)


@pytest.mark.parametrize("target", ["{metric: accuracy, above: 0.8}", "{metric: accuracy, above: 2, of: zero_shot}"])
def test_the_data_for_an_accuracy_can_be_asked_for(target: str) -> None:
    scaling = HEAD.replace("grid", "data_scaling") + "sizes: [8, 16]\nevaluate: [answers]\n"
    assert parse(scaling, overrides=[f"target={target}"]).list_unsupported() == ()


@pytest.mark.parametrize("override", ["train.rank", "=3", "train..rank=3", "train.rank=[1,", "seeds=!!int 3"])
def test_an_override_that_is_none_is_named(override: str) -> None:
    assert refused(HEAD, override).startswith(f"override {override!r}: ")


def test_an_override_of_an_unknown_key_is_named_and_not_a_line_of_the_file() -> None:
    assert refused(HEAD, "trian.rank=4") == "override 'trian.rank=4': trian: unknown key; did you mean `train`?"


def test_an_override_is_read_like_the_file() -> None:
    sweep = parse(
        HEAD,
        overrides=[
            "train.learning_rate=1e-4",
            "seeds=[3, 5]",
            "data.a.source=x.jsonl",
            "vary.train.rank=[4, 8]",
            "train.steps={base: 2, at_size: 8, power: 1}",
        ],
    )
    assert sweep.train is not None
    assert sweep.train.learning_rate == 1e-4
    assert sweep.seed_values == (3, 5)
    assert sweep.data["a"].source == "x.jsonl"
    assert sweep.vary == {"train.rank": (4, 8)}
    assert isinstance(sweep.train.steps, StepLaw)


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("vary: {train.rnk: [4]}", "vary.train.rnk: no such path; did you mean `rank`?"),
        ("vary: {train.rank.x: [4]}", "vary.train.rank.x: no such path; train.rank has no parts"),
        ("vary: {seeds: [4]}", "vary.seeds: seeds is an axis of its own"),
        ("vary: {budget.usd: [4]}", "vary.budget.usd: budget is said of the whole sweep"),
        ("vary: {data.b.source: [x]}", "vary.data.b.source: no data set 'b'"),
        ("vary: {train.rank: [4, 6]}", "vary.train.rank.1: 6 found; a power of two is right"),
        ("vary: {train.rank: [4, 4]}", "vary.train.rank.1: 4 found a second time"),
        ("vary: {data: [{b: {source: x}}]}", "vary.data: all data sets at once cannot be varied"),
        ("vary: {train.steps.base: [3]}", "vary.train.steps.base.0: train.steps.at_size: missing"),
        ("vary: {train.rank: [4]}\nexclude: [{data: a}]", "exclude.0.data: no cell has it"),
        ("data: {a: {source: x}, b: {source: y}}\nexclude: [{data: c}]", "one of ['a', 'b'] is right"),
        ("vary: {model: [3]}", "vary.model.0: 3 found; text is right"),
        ("vary: {train.steps: [{base: 1}]}", "vary.train.steps.0: at_size: missing"),
        ("vary: {train.steps: [{base: 1, at: 3}]}", "vary.train.steps.0: at_size: missing"),
        ("vary: {train.rank: {geom: [4, 100], count: 3}}", "vary.train.rank.1: 20 found; a power of two is right"),
        ("vary: {train.rank: []}", "vary.train.rank: [] found; at least one is right"),
        ("vary: {train.rank: {geom: [4, 8]}}", "vary.train.rank: `geom` takes either a count or a factor"),
        ("vary: {train.rank: {gem: [4, 8]}}", "vary.train.rank.gem: unknown key; did you mean `geom`?"),
        ("vary: {train.steps: [1], train.steps.base: [2]}", "stands inside train.steps"),
        ("vary: {train.rank: [4]}\nzip: [[train.rank, train.batch_size]]", "zip.0: train.batch_size found"),
        (
            "vary: {train.rank: [4], train.batch_size: [1, 2]}\nzip: [[train.rank, train.batch_size]]",
            "zip.0: train.rank has 1, train.batch_size has 2",
        ),
        ("vary: {train.rank: [4]}\nexclude: [{train.rnk: 4}]", "did you mean `train.rank`?"),
        ("vary: {train.rank: [4]}\nexclude: [{train.rank: 5}]", "exclude.0.train.rank: 5 found; one of [4] is right"),
        ("vary: {train.rank: [4]}\nwhen: {train.batch_size: {train.rank: 4}}", "when.train.batch_size"),
        (
            "vary: {train.rank: [4], model: [m]}\nwhen: {train.rank: {model: m}, model: {train.rank: 4}}",
            "wait for each other",
        ),
    ],
)
def test_the_axes_are_checked_against_the_model(extra: str, said: str) -> None:
    head = HEAD.replace("data: {a: {source: a.jsonl, holdout: 10}}\n", "") if extra.startswith("data:") else HEAD
    assert said in refused(head + extra)


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        ("compare", "train.rank", "this one is compare; here a method says how it trains: methods.NAME.rank"),
        ("grid", "methods.sl.rank", "belongs to `experiment: compare`; this one is grid"),
        ("grid", "equal.tokens", "belongs to `experiment: compare`; this one is grid"),
        ("grid", "source_size", "belongs to `experiment: transfer`; this one is grid"),
    ],
)
def test_an_axis_that_would_change_nothing_is_refused(text: str, path: str, said: str) -> None:
    """Its cells would have names that differ, and be the same trainings: a rank that makes no difference."""
    example = (ROOT / f"examples/{text}.yaml").read_text()
    found = refused(example, f"vary={{{path}: [8, 16]}}")
    assert f"vary.{path}: belongs to" in found
    assert said in found


def test_a_cell_is_excluded_by_what_the_experiment_puts_into_it() -> None:
    assert "exclude.0.size: 8 found; one of [0, 16, 32, 64, 128] is right" in refused(TRANSFER, "exclude=[{size: 8}]")
    assert "exclude.0.data: no cell has it" in refused(TRANSFER, "exclude=[{data: a}]")
    assert parse(TRANSFER, overrides=["exclude=[{source: ~, size: 0}, {target: a}]"]).exclude


def test_a_method_names_methods_and_data_that_are_there() -> None:
    text = (ROOT / "examples/compare.yaml").read_text()
    assert "methods.sl_then_rl.then.1: 'rll' found; did you mean `rl`?" in refused(
        text, "methods.sl_then_rl.then=[sl, rll]"
    )
    assert "methods.sl.data: 'demo' found; did you mean `demos`?" in refused(text, "methods.sl.data=demo")
    assert "`equal` sets the length" in refused(text, "methods.sl.steps=3")
    assert "methods.rl: no environment found" in refused(text, "methods.rl.environment=~")
    assert "methods.rl: data: demos found" in refused(text, "methods.rl.data=demos")
    assert "methods.sl_then_rl: rank found beside `then`" in refused(text, "methods.sl_then_rl.rank=8")
    assert "parts whose rank is 32 and 64" in refused(text, "methods.rl.rank=64")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("epochs=2", "steps or tokens is right"),
        ("batch_size=8", "groups and group_size say how much one iteration is"),
        ("eval_every=2", "rl has no examples to count"),
        ("steps={base: 1, at_size: 2, power: 1}", "a number of iterations is right"),
        ("substeps=17", "17 found, of fewer groups"),
        ("group_size=1", "a number of at least 2 is right"),
        ("loss=custom", "importance_sampling"),
        ("lag=2", "0"),
        ("beta=0.1", "belongs to `method: dpo`"),
    ],
)
def test_rl_is_told_of_rollouts_and_not_of_examples(given: str, said: str) -> None:
    assert said in refused(ACTING, f"train.{given}")


def test_whoever_acts_needs_an_environment_and_no_data() -> None:
    assert not parse(ACTING).data
    assert "train.environment: missing" in refused(ACTING, "train.environment=~")
    assert "evaluate: nll found, and no data to measure it on" in refused(ACTING, "evaluate=[nll]")
    assert "data: missing" in refused(ACTING, "train={method: sl, steps: 3, learning_rate: 0.1}")
    assert "no environment found" in refused(ACTING, "evaluate=[task_completion]")
    assert "`temperature`" in refused(ACTING, "evaluate=[{task_completion: {environment: a, warmth: 3}}]")
    assert "expected a count from 1, got 0" in refused(
        ACTING, "evaluate=[{task_completion: {environment: a, episodes: 0}}]"
    )
    assert "belongs to `experiment: data_scaling" in refused(ACTING, "sizes=[3]")
    assert "train.method: got rl" in refused(ACTING, "experiment=data_scaling", "sizes=[3]")


ACTING = """
sweep: acting
experiment: grid
model: offline/ngram-s
train: {method: rl, environment: "offline:arithmetic", learning_rate: 0.03, steps: 20}
seeds: 2
evaluate:
  - task_completion: {environment: "offline:arithmetic", episodes: 50}
"""


@pytest.mark.parametrize("text", ["", "- a", "just words"])
def test_a_file_that_is_no_mapping_is_refused(text: str) -> None:
    assert "a file of `key: value` lines is right" in refused(text)


@pytest.mark.parametrize(
    "text",
    [
        "is lr #3 best?",
        "#3",
        "a # b",
        "which: this or that?",
        "- what",
        "*new* rates",
        "&c.",
        "!important",
        "% of rows",
        "@home",
        "`x`",
        "| pipes > all",
        "a=b=c",
        "yes",
        "no",
        "22:00",
        "1,5 or 2",
        "0.5 is best?",
        "naïve Größe 大",
        "two\nlines",
        "what? {a}",
        "it's 'that' one",
        "---",
        "...",
        "<<",
        "? a",
        "2026-12-01",
        "a\tb",
        "\\n",
    ],
)
def test_a_text_of_the_command_line_is_that_whole_text(text: str) -> None:
    assert parse(HEAD, overrides=[f"question={text}"]).question == text
    assert parse(HEAD, overrides=[f"data.a.source={text}"]).data["a"].source == text


@pytest.mark.parametrize(
    ("override", "question"),
    [
        ("question=  wide  ", "wide"),
        ("question='  wide  '", "  wide  "),
        ('question="a # b"', "a # b"),
        ('question="a\\nb"', "a\nb"),
        ("question='is it ''this''?'", "is it 'this'?"),
        ("question='null'", "null"),
        ("question=''", ""),
        ("question='[draft] which?'", "[draft] which?"),
        ("question=null", None),
        ("question=~", None),
    ],
)
def test_what_is_quoted_twice_is_what_is_in_the_inner_quotes(override: str, question: str | None) -> None:
    assert parse(HEAD, overrides=[override]).question == question


@pytest.mark.parametrize(
    "override",
    [
        "question=",
        "question=   ",
        "question=[draft] is it lr?",
        "question={a} is it?",
        "question='that' one",
        'question="that" one',
        "question='tis",
        "question='a': b",
        "tags=[run #3]",
        "tags=[a, b] # mine",
        "tags=[a, b",
        "train.steps={base: 16, at_size: 32, power: 0.5} # law",
        "train.steps={base: 16, base: 17, at_size: 32, power: 0.5}",
        "train.adam={<<: {eps: 1}}",
        "tags=[*a]",
        "tags=[!!python/name:os.system x]",
        "train.learning_rate=1e400",
        "data.a.source=\udcff.jsonl",
        "=3",
        "train.=3",
    ],
)
def test_an_ambiguous_value_of_the_command_line_is_refused_by_its_name(override: str) -> None:
    said = refused(HEAD, override)
    assert said.startswith("override ")
    assert len(said.splitlines()) == 1
    said.encode()  # it can be printed


def test_lists_and_mappings_of_the_command_line_are_those_of_the_file() -> None:
    found = parse(
        HEAD,
        overrides=[
            "tags=['run #3', b, \"c: d\"]",
            "train.steps={base: 16, at_size: 32, power: 0.5}",
            "train.adam={eps: 1e-6}",
            "seeds= [1, 2]",
            "vary.train.rank=[4, 0x8, 16.0]",
            "evaluate=[{nll: {via: forward}}]",
        ],
    )
    assert found.tags == ("run #3", "b", "c: d")
    assert found.train is not None
    assert found.train.steps == StepLaw(base=16, at_size=32, power=0.5)
    assert found.train.adam.eps == 1e-6
    assert found.seed_values == (1, 2)
    assert found.vary["train.rank"] == (4, 8, 16.0)
