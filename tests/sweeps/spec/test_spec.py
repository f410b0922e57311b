"""The contract of the file: what is written there loads and means what it says; the rest is refused and explained."""

import pytest
from pydantic import ValidationError

from sweeps import SpecError, Sweep, parse
from sweeps.spec.train_section import Method, StepLaw
from tests.sweeps.questions import ACTING, HEAD, ROOT, TRANSFER
from tests.wording import lacks

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
    assert sweep.deadline.isoformat() == "2035-12-01T08:00:00+01:00"
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
    with pytest.raises(ValidationError, match=r"steps.*epochs.*tokens"):
        Sweep.model_validate({**made.model_dump(exclude_unset=True), "train": {"learning_rate": 1}})


def test_every_finding_is_told_at_once_with_its_line() -> None:
    message = refused(
        HEAD
        + "rank: 8\nvari: {}\nwindow: {daily: '22:00', tz: Europe/Berln}\n"
        + "evaluate: [nnl]\nlimits: {slots: 0}\nbest: {metric: nll, mode: low}\n"
    )
    assert [line.partition(": ")[0] for line in message.splitlines()] == [
        f"sweep.yaml:{line}" for line in (8, 9, 10, 10, 11, 12, 13)
    ]
    expected = [
        "sweep.yaml:8: rank: `train.rank`",
        "sweep.yaml:9: vari: `vary`",
        "sweep.yaml:10: window.daily: '22:00' '22:00-07:30'",
        "sweep.yaml:10: window.tz: 'Europe/Berln' `Europe/Berlin`",
        "sweep.yaml:11: the 1st of evaluate: 'nnl' `nll`",
        "sweep.yaml:12: limits.slots: 0 1",
        "sweep.yaml:13: best.mode: 'low' `min` `max`",
    ]
    assert [lacks(*pair) for pair in zip(message.splitlines(), expected, strict=True)] == [[]] * len(expected)


def test_a_transfer_needs_a_pair() -> None:
    assert not lacks(refused(TRANSFER, "data={a: {source: a}}"), ": data: ")
    assert not lacks(refused(TRANSFER, "sources=[a]", "targets=[a]"), "data: expected a source and a target")


def test_rules_between_keys_are_told_beside_wrong_keys() -> None:
    message = refused(TRANSFER, "targets=[a, f]", "tags=3")
    assert "the 2nd of targets: got 'f'" in message
    assert not lacks(message, "tags: 3 list [3]")


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train.batch_size=1e300", "train.batch_size: 1e+300"),  # numpy would have a traceback
        ("train.steps=1e300", "train.steps: 1e+300"),
        ("train.rank=7", "train.rank: 7 4 8"),
        ("train.rank=1.5", "train.rank: 1.5"),
        ("train.rank=true", "train.rank: true"),
        ("train.learning_rate=fast", "train.learning_rate: 'fast' 0 `auto`"),
        ("train.learning_rate=~", "train.learning_rate: missing `auto`"),
        ("train.schedule=step", "`constant` `linear` `cosine` `wsd`"),
        ("train.train_mlp=no", "train.train_mlp: 'no' true false"),
        ("train.epochs=3", "train: steps epochs tokens"),
        ("train.steps=~", "train: steps epochs tokens none"),
        ("train.steps={base: 16, power: 0.5}", "train.steps.at_size: missing"),
        ("train.warmup=.nan", "train.warmup: nan 0.1"),
        ("train.adam.eps=.inf", "train.adam.eps: inf finite"),
        ("train=3", "train: 3 `key: value`"),
        ("budget.usd=1e7", "budget.usd: 10000000.0 1000000"),
        ("budget=3", "budget: 3 `{usd:"),
        ("window=22:00-07:30", "window: '22:00-07:30' `{daily: tz:"),
        ("priority=-1", "priority: -1 0"),
        ("priority=1000001", "priority: 1000001 1000000"),
        ("data={a b: {source: x}}", "data.a b: 'a b' `_` `-`"),
        ("seeds=" + "9" * 5000, "seeds= number"),
        ("train.min_steps=3", "train.min_steps: `epochs`"),
        ("train.beta=0.1", "train.beta: `method: dpo`"),
        ("train.adam={beta3: 1}", "train.adam.beta3: `beta2`"),
        ("train.eval_every=5", "data.a: `validation`"),
        ("data.a.holdout=1.5", "data.a.holdout: 1.5 0.1"),
        ("data.a.holdout=0", "data.a.holdout: 0"),
        ("data.a.sauce=x", "data.a.sauce: `source`"),
        ("data={}", "data: missing source:"),
        ("seeds=0", "seeds: 0 3"),
        ("seeds=[1, 1]", "seeds: [1, 1]"),
        ("sizes=[4]", "sizes: `experiment: data_scaling transfer` grid"),
        ("experiment=gird", "`grid`, `data_scaling`, `transfer`, `compare`, got 'gird'"),
        ("experiment=data_scaling", "sizes: `experiment: data_scaling`"),
        ("best={metric: accuracy, mode: max}", "best.metric: 'accuracy'"),
        ("target={metric: nll}", "target: `below` `above`"),
        ("sizes={geom: 32, factor: 2}", "sizes.geom: 32 sizes.geom=[32,2048]"),
        ("sizes={geom: [32], factor: 2}", "sizes.geom: [32] sizes.geom=[32,2048]"),
        ("sizes=32 to 2048", "sizes: sizes=[32,2048] sizes={geom: [32, 2048], factor: 2}"),
        ("sizes={from: 32, to: 64}", "sizes: sizes=[32,64] sizes={geom: [32, 64], factor: 2}"),
        ("sizes={goem: [32, 64], factor: 2}", "sizes.goem: `geom`"),
        ("evaluate=[nll, accuracy]", "the 2nd of evaluate: 'accuracy' `answers`"),
        ("evaluate=[nll, nll]", "the 2nd of evaluate: nll twice {my_nll: {nll:"),
        ("evaluate=[{nll: {via: post}}]", "1st evaluate: nll.via: expected `forward` or `sampler`, got 'post'"),
        ("deadline=2026-12-01T08:00:00", "deadline: '2026-12-01T08:00:00' +01:00"),
        ("deadline=5", "deadline: 5 +01:00"),
        ("notify=[{webhook: 'https://x'}]", "1st notify: webhook: env:NAME"),
        ("checkpoint.keep=first", "checkpoint.keep: 'first' `last` `all`"),
        ("budget.usd=0", "budget.usd: 0"),
        ("sweep=a b", "sweep: 'a b' `.` `_` `-`"),
        ("target={metric: nll, below: 2}", "target: `experiment: data_scaling` grid"),
        ("reuse=some", "`never` `sweep` `all`"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(override: str, words: str) -> None:
    message = refused(HEAD, override)
    assert not lacks(message, words)
    assert len(message.splitlines()) == 1


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("target={metric: nll, above: 2}", "target.above: nll `below`"),
        ("target={metric: validation.nll, below: 2}", "target.metric: 'validation.nll'"),
        ("target={metric: accuracy, below: 0.5}", "target.below: accuracy `above`"),
        ("target={metric: accuracy, above: 1.5}", "target.above: 1.5 0 1"),
        ("target={metric: accuracy, above: 0}", "target.above: 0"),
        ("target={metric: preference_accuracy, above: 0.4}", "target.above: 0.4 0.5"),
        ("target={metric: ece, below: 0.1}", "target.metric: 'ece' law nll bits_per_byte"),
        ("target={metric: reward, above: 3}", "target.metric: 'reward' law"),
        ("best={metric: nll, mode: min}", "best: `experiment: grid compare` data_scaling"),
    ],
)
def test_what_no_answer_would_heed_is_refused(override: str, words: str) -> None:
    asked = "evaluate: [nll, answers, preference, {task_completion: {environment: 'offline:tool_use'}}]"
    scaling = HEAD.replace("grid", "data_scaling") + f"sizes: [8, 16]\n{asked}\n"
    assert not lacks(refused(scaling, override), words)


@pytest.mark.parametrize("target", ["{metric: accuracy, above: 0.8}", "{metric: accuracy, above: 2, of: zero_shot}"])
def test_the_data_for_an_accuracy_can_be_asked_for(target: str) -> None:
    scaling = HEAD.replace("grid", "data_scaling") + "sizes: [8, 16]\nevaluate: [answers]\n"
    assert parse(scaling, overrides=[f"target={target}"]).list_unsupported() == ()


@pytest.mark.parametrize("override", ["train.rank", "=3", "train..rank=3", "train.rank=[1,", "seeds=!!int 3"])
def test_an_override_that_is_none_is_named(override: str) -> None:
    assert refused(HEAD, override).startswith(f"command line: {override!r}: ")


def test_an_override_of_an_unknown_key_is_named_and_not_a_line_of_the_file() -> None:
    message = refused(HEAD, "trian.rank=4")
    assert message.startswith("command line: 'trian.rank=4': trian: ")
    assert "`train`" in message


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
    ("extra", "words"),
    [
        ("vary: {train.rnk: [4]}", "vary.train.rnk: `rank`"),
        ("vary: {train.rank.x: [4]}", "vary.train.rank.x: train.rank"),
        ("vary: {seeds: [4]}", "vary.seeds: `seeds:`"),
        ("vary: {budget.usd: [4]}", "vary.budget.usd: budget"),
        ("vary: {data.b.source: [x]}", "vary.data.b.source: 'b'"),
        ("vary: {train.rank: [4, 6]}", "the 2nd of vary.train.rank: 6"),
        ("vary: {train.rank: [4, 4]}", "the 2nd of vary.train.rank: 4"),
        ("vary: {data: [{b: {source: x}}]}", "vary.data: data.a.source"),
        ("vary: {train.steps.base: [3]}", "the 1st of vary.train.steps.base: train.steps.at_size: missing"),
        ("vary: {train.rank: [4]}\nexclude: [{data: a}]", "the 1st of exclude: data: condition"),
        ("data: {a: {source: x}, b: {source: y}}\nexclude: [{data: c}]", "the 1st of exclude: data: ['a', 'b'] 'c'"),
        ("vary: {model: [3]}", "the 1st of vary.model: 3"),
        ("vary: {train.steps: [{base: 1}]}", "the 1st of vary.train.steps: at_size: missing"),
        ("vary: {train.steps: [{base: 1, at: 3}]}", "the 1st of vary.train.steps: at_size: missing"),
        ("vary: {train.rank: {geom: [4, 100], count: 3}}", "the 2nd of vary.train.rank: 20"),
        ("vary: {train.rank: []}", "vary.train.rank: []"),
        ("vary: {train.rank: {geom: [4, 8]}}", "vary.train.rank: `geom` count factor"),
        ("vary: {train.rank: {gem: [4, 8]}}", "vary.train.rank.gem: `geom`"),
        ("vary: {train.steps: [1], train.steps.base: [2]}", "vary.train.steps.base: train.steps"),
        (
            "vary: {train.rank: [4]}\nzip: [[train.rank, train.batch_size]]",
            "the 1st of zip: train.batch_size train.rank",
        ),
        (
            "vary: {train.rank: [4], train.batch_size: [1, 2]}\nzip: [[train.rank, train.batch_size]]",
            "the 1st of zip: train.rank 1 train.batch_size 2",
        ),
        ("vary: {train.rank: [4]}\nexclude: [{train.rnk: 4}]", "did you mean `train.rank`?"),
        ("vary: {train.rank: [4]}\nexclude: [{train.rank: 5}]", "the 1st of exclude: train.rank: 5 [4]"),
        ("vary: {train.rank: [4]}\nwhen: {train.batch_size: {train.rank: 4}}", "when.train.batch_size"),
        (
            "vary: {train.rank: [4], model: [m]}\nwhen: {train.rank: {model: m}, model: {train.rank: 4}}",
            "when: train.rank model",
        ),
    ],
)
def test_the_axes_are_checked_against_the_model(extra: str, words: str) -> None:
    head = HEAD.replace("data: {a: {source: a.jsonl, holdout: 10}}\n", "") if extra.startswith("data:") else HEAD
    assert not lacks(refused(head + extra), words)


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("compare", "train.rank", "compare methods.NAME.rank"),
        ("grid", "methods.sl.rank", "`experiment: compare` grid"),
        ("grid", "equal.tokens", "`experiment: compare` grid"),
        ("grid", "source_size", "`experiment: transfer` grid"),
    ],
)
def test_an_axis_that_would_change_nothing_is_refused(text: str, path: str, words: str) -> None:
    """Its cells would have names that differ, and be the same trainings: a rank that makes no difference."""
    example = (ROOT / f"examples/{text}.yaml").read_text()
    message = refused(example, f"vary={{{path}: [8, 16]}}")
    assert f"vary.{path}: " in message
    assert not lacks(message, words)


def test_a_cell_is_excluded_by_what_the_experiment_puts_into_it() -> None:
    assert not lacks(refused(TRANSFER, "exclude=[{size: 8}]"), "the 1st of exclude: size: 8 [0, 16, 32, 64, 128]")
    assert not lacks(refused(TRANSFER, "exclude=[{data: a}]"), "the 1st of exclude: data: condition")
    assert parse(TRANSFER, overrides=["exclude=[{source: ~, size: 0}, {target: a}]"]).exclude


def test_a_method_names_methods_and_data_that_are_there() -> None:
    text = (ROOT / "examples/compare.yaml").read_text()
    assert not lacks(
        refused(text, "methods.sl_then_rl.then=[sl, rll]"), "the 2nd of methods.sl_then_rl.then: 'rll' `rl`"
    )
    assert not lacks(refused(text, "methods.sl.data=demo"), "methods.sl.data: 'demo' `demos`")
    assert not lacks(refused(text, "methods.sl.steps=3"), "methods.sl.steps: `equal`")
    assert not lacks(refused(text, "methods.rl.environment=~"), "methods.rl: environment")
    assert not lacks(refused(text, "methods.rl.data=demos"), "methods.rl: demos")
    assert not lacks(refused(text, "methods.sl_then_rl.rank=8"), "methods.sl_then_rl: rank `then`")
    assert not lacks(refused(text, "methods.rl.rank=64"), "methods.sl_then_rl.then: rank 32 64")


def test_a_method_that_is_not_compared_is_part_of_a_chain() -> None:
    text = (ROOT / "examples/compare.yaml").read_text()
    assert parse(text, overrides=["methods.sl.compared=false"]).methods
    unused = ["methods.sl.compared=false", "methods.sl_then_rl={then: [rl, rl]}"]
    assert not lacks(refused(text, *unused), "methods.sl.compared: `then`")
    assert not lacks(refused(text, "methods.sl_then_rl.compared=false"), "methods.sl_then_rl: compared `then`")


@pytest.mark.parametrize(
    ("then", "named"),
    [
        ("[{sl: 0.2}, {rl: 0.7}]", "1 0.2 0.7 0.9"),
        ("[{sl: 0.2}, rl]", "sl rl"),
        ("[{sl: 1}, {rl: 0}]", "sl 1"),
        ("[{sl: half}, {rl: half}]", "sl 'half'"),
        ("[{sl: 0.2, rl: 0.8}]", "sl 0.2"),
        ("[{sl: 0.5}, {rll: 0.5}]", "the 2nd of methods.sl_then_rl.then: 'rll' `rl`"),
        ("[sl]", "[sl, rl] 'sl'"),
        ("sl", "'sl'"),
    ],
)
def test_the_shares_of_a_chain_sum_to_1(then: str, named: str) -> None:
    text = (ROOT / "examples/compare.yaml").read_text()
    message = refused(text, f"methods.sl_then_rl.then={then}")
    assert not lacks(message, f"methods.sl_then_rl.then {named}")


def test_a_chain_with_shares_is_read_back_and_one_without_is_what_it_was() -> None:
    text = (ROOT / "examples/compare.yaml").read_text()
    shared = parse(text, overrides=["methods.sl_then_rl.then=[{sl: 0.2}, {rl: 0.8}]"])
    kept = shared.model_dump(mode="json", exclude_defaults=True)
    assert kept["methods"]["sl_then_rl"] == {"then": [{"sl": 0.2}, {"rl": 0.8}]}
    assert shared.methods is not None
    assert shared.methods["sl_then_rl"].chain == (("sl", 0.2), ("rl", 0.8))
    assert parse(text).model_dump(mode="json", exclude_defaults=True)["methods"]["sl_then_rl"] == {"then": ["sl", "rl"]}
    assert hash(shared.methods["sl_then_rl"]) == hash(Method.model_validate(kept["methods"]["sl_then_rl"]))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("epochs=2", "train.epochs: rl steps tokens"),
        ("batch_size=8", "train.batch_size: rl groups group_size"),
        ("eval_every=2", "train.eval_every: rl reward"),
        ("steps={base: 1, at_size: 2, power: 1}", "train.steps: rl iterations"),
        ("substeps=17", "train.substeps: 17 group"),
        ("group_size=1", "train.group_size: 1 2"),
        ("loss=custom", "importance_sampling"),
        ("lag=2", "0"),
        ("beta=0.1", "`method: dpo`"),
    ],
)
def test_rl_is_told_of_rollouts_and_not_of_examples(given: str, words: str) -> None:
    assert not lacks(refused(ACTING, f"train.{given}"), words)


def test_whoever_acts_needs_an_environment_and_no_data() -> None:
    assert not parse(ACTING).data
    assert not lacks(refused(ACTING, "train.environment=~"), "train.environment: missing")
    assert not lacks(refused(ACTING, "evaluate=[nll]"), "evaluate: nll data")
    assert not lacks(refused(ACTING, "train={method: sl, steps: 3, learning_rate: 0.1}"), "data: missing")
    assert not lacks(
        refused(ACTING, "evaluate=[task_completion]"),
        "1st evaluate: task_completion: {task_completion: environment",
    )
    assert not lacks(refused(ACTING, "evaluate=[{task_completion: {environment: a, warmth: 3}}]"), "`temperature`")
    assert not lacks(
        refused(ACTING, "evaluate=[{task_completion: {environment: a, episodes: 0}}]"), "expected a count from 1, got 0"
    )
    assert not lacks(refused(ACTING, "sizes=[3]"), "sizes: `experiment: data_scaling grid")
    assert not lacks(refused(ACTING, "experiment=data_scaling", "sizes=[3]"), "train.method: got rl")


@pytest.mark.parametrize("text", ["", "- a", "just words"])
def test_a_file_that_is_no_mapping_is_refused(text: str) -> None:
    assert not lacks(refused(text), "`key: value`")


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


@pytest.mark.parametrize("path", ["vary", "data.a.columns"])
def test_null_removes_a_section_of_the_file(path: str) -> None:
    """Also one that may not be null, such as `vary`."""
    written = HEAD + "vary: {train.rank: [4, 8]}\n"
    columns = "data.a.columns={text: body}"
    assert parse(written, overrides=[columns, f"{path}=null"]) != parse(written, overrides=[columns])
    assert parse(written, overrides=[columns, "vary=null", "data.a.columns=null"]) == parse(HEAD)


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
    message = refused(HEAD, override)
    assert message.startswith("command line: ")
    assert len(message.splitlines()) == 1
    message.encode()  # it can be printed


def test_lists_and_mappings_of_the_command_line_are_those_of_the_file() -> None:
    sweep = parse(
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
    assert sweep.tags == ("run #3", "b", "c: d")
    assert sweep.train is not None
    assert sweep.train.steps == StepLaw(base=16, at_size=32, power=0.5)
    assert sweep.train.adam.eps == 1e-6
    assert sweep.seed_values == (1, 2)
    assert sweep.vary["train.rank"] == (4, 8, 16.0)
