"""Check the keys of a spec against each other: what each kind of experiment needs, and names that must agree.

`RULES` lists the keys that each rule reads. A rule is skipped if one of its keys has a mistake already, so that the
rest of the file is still checked.
"""

from collections.abc import Callable, Iterator, Sequence

from sweeps.evaluation.metric_prefixes import FACT_PREFIX, VALIDATION, find_fact, get_base_name
from sweeps.evaluation.registry import EVALUATORS, FALLING, RISING, find_metric, has_law, is_rising
from sweeps.evaluation.task_completion import TASK_COMPLETION
from sweeps.experiments.experiment_registry import find_experiment, list_experiments, map_keys
from sweeps.spec import axes
from sweeps.spec.data_role_rules import check_roles
from sweeps.spec.measured_metrics import list_measured
from sweeps.spec.metric_rules import check_goals, check_wishes, is_class_metric
from sweeps.spec.model import SweepFields
from sweeps.spec.scalars import Finding, refuse_word, show, suggest
from sweeps.spec.sections import Target
from sweeps.spec.train_section import LENGTHS, Method
from sweeps.spec.variation_rules import (
    MOST_MADE,
    VARIED,
    check_exclude,
    check_vary,
    check_when,
    check_zip,
    find_repetitions,
)

Rule = Callable[[SweepFields], Iterator[Finding]]

LAWFUL = (*FALLING, *RISING)  # metrics that a law of sizes is known of


def check(sweep: SweepFields, without: frozenset[str] = frozenset()) -> Iterator[Finding]:
    """Check all rules, except those that read a key of `without`."""
    own = () if "experiment" in without else find_experiment(sweep.experiment).rules
    for reads, rule in (*RULES, *own):
        if not without.intersection(reads):
            yield from rule(sweep)


def check_cell(cell: SweepFields, varied: frozenset[str]) -> Iterator[Finding]:
    """Check one cell, which has no axes any more, by the rules that read a section in which cells differ."""
    for reads, rule in (*RULES, *find_experiment(cell.experiment).rules):
        if reads[0] != "vary" and varied.intersection(reads):
            yield from rule(cell)


def check_kind_keys(sweep: SweepFields) -> Iterator[Finding]:
    for key in find_experiment(sweep.experiment).needs:
        if getattr(sweep, key) is None:
            yield (key,), f"missing; `experiment: {sweep.experiment}` needs it"
    for key, kinds in map_keys().items():
        if key in sweep.model_fields_set and sweep.experiment not in kinds:
            yield (key,), f"belongs to `experiment: {' or '.join(kinds)}`, got `experiment: {sweep.experiment}`"


def check_varied_keys(sweep: SweepFields) -> Iterator[Finding]:
    """Refuse an axis over a key of another kind of experiment: its cells would differ in name only."""
    kind = find_experiment(sweep.experiment)
    for path in sweep.vary:
        root, _, key = path.partition(".")
        kinds = map_keys().get(root, (sweep.experiment,))
        if root in VARIED and sweep.experiment not in kinds:
            own = f"; use methods.NAME.{key}" if root == "train" and key and "methods" in kind.takes else ""
            text = f"belongs to `experiment: {' or '.join(kinds)}`, got `experiment: {sweep.experiment}`{own}"
            yield ("vary", path), text


def check_sizes(sweep: SweepFields) -> Iterator[Finding]:
    if sweep.sizes is None:
        return
    if not isinstance(sweep.sizes, tuple) and sweep.sizes.rule not in axes.RANGES:
        yield ("sizes",), f"expected a list, `geom` or `lin`, got `{sweep.sizes.rule}`"
    elif axes.count_values(sweep.sizes) <= MOST_MADE:
        made = axes.list_values(sweep.sizes, "sizes", integers=True)
        for index, size in enumerate(made):
            if size == 0 and not isinstance(size, bool):
                yield ("sizes", index), "got 0; leave it out: the plan adds the zero-shot reference itself"
            elif not isinstance(size, int) or isinstance(size, bool) or size < 1:
                yield ("sizes", index), f"expected a number of rows, a whole number from 1, got {show(size)}"
        yield from ((("sizes", *at), text) for at, text in find_repetitions(sweep.sizes, made))


def check_data(sweep: SweepFields) -> Iterator[Finding]:
    """Require data for every method that reads rows; rl needs none, and has no sizes of data."""
    if sweep.train is None:
        return
    methods = {sweep.train.method, *sweep.list_axis_words("train.method")}
    if not find_experiment(sweep.experiment).acts and "rl" in methods:
        kinds = " or ".join(f"`{kind.name}`" for kind in list_experiments() if kind.acts)
        yield ("train", "method"), f"got rl, which has no rows to vary; use `experiment:` {kinds}"
    if not sweep.data and methods - {"rl"}:
        yield ("data",), "missing; name at least one data set, such as `mine: {source: my_chats.jsonl}`"
        return
    for evaluation in () if sweep.data else sweep.evaluate:
        if evaluation.evaluator.formats:
            free = ", ".join(name for name, known in EVALUATORS.items() if not known.formats)
            yield (
                ("evaluate",),
                f"got {evaluation.name}, which needs `data:`, and there is none; without data use {free}",
            )


def check_environment(sweep: SweepFields) -> Iterator[Finding]:
    open_ended = {"train.environment", "train"} & set(sweep.vary)
    if sweep.train is not None and sweep.train.method == "rl" and sweep.train.environment is None and not open_ended:
        yield ("train", "environment"), "missing; `method: rl` needs one, such as offline:tool_use"


def check_length(sweep: SweepFields) -> Iterator[Finding]:
    """Require exactly one of steps, epochs and tokens, under `train` or as an axis."""
    if sweep.train is None:
        return
    varied = {path.split(".")[1] for path in sweep.vary if path.startswith("train.")}
    given = [key for key in LENGTHS if getattr(sweep.train, key) is not None or key in varied]
    if len(given) != 1 and "train" not in sweep.vary:
        yield ("train",), f"expected exactly one of steps, epochs, tokens, got {' and '.join(given) or 'none'}"
    if sweep.train.learning_rate is None and not varied & {"learning_rate"} and "train" not in sweep.vary:
        yield ("train", "learning_rate"), "missing; write a number, `auto`, or vary it"


def check_metrics(sweep: SweepFields) -> Iterator[Finding]:
    """Require that something measures the metrics of `best` and `target`."""
    known = list_measured(sweep)
    # Environments name the facts of their episodes.
    facts = tuple(
        f"{evaluation.prefix}{FACT_PREFIX}" for evaluation in sweep.evaluate if evaluation.name == TASK_COMPLETION.name
    )
    # Which cell is best is chosen on `validation`, whether the file spells it or not; a target is of the holdout.
    wishes = (
        ("best", sweep.best, [*known, *(f"{VALIDATION}{metric}" for metric in known)]),
        ("target", sweep.target, known),
    )
    for key, wish, right in wishes:
        is_class = wish and key == "best" and is_class_metric(wish.metric, right)
        if wish and wish.metric not in right and not is_class and not wish.metric.startswith(facts):
            yield (key, "metric"), f"got {wish.metric!r}, which no evaluation measures; {suggest(wish.metric, right)}"


def check_names(sweep: SweepFields) -> Iterator[Finding]:
    """Require that the name of each metric means one thing."""
    names = [evaluation.title for evaluation in sweep.evaluate]
    for index, (name, evaluation) in enumerate(zip(names, sweep.evaluate, strict=True)):
        if name in names[:index]:
            other = f"{{{'other_' if evaluation.label else 'my_'}{name}: {{{evaluation.name}: …}}}}"
            yield ("evaluate", index), f"expected each name once, got {name} twice; give one a name of its own: {other}"
        elif evaluation.label in sweep.data:
            yield ("evaluate", index), f"{name} is the name of a data set; use another name, such as {name}_answers"
    taken = {**dict.fromkeys(sweep.data, "a data set"), **dict.fromkeys(EVALUATORS, "an evaluator")}
    taken |= {evaluation.label: "an evaluation" for evaluation in sweep.evaluate if evaluation.label}
    for data, spec in sweep.data.items():
        for test, measured in (spec.tests or {}).items():
            where = ("data", data, "tests", test)
            if test in taken:
                yield where, f"{test} is the name of {taken[test]}; use another, such as {test}_test"
            for place, asked in enumerate(measured.evaluate or ()):
                if asked not in names:
                    yield (*where, "evaluate", place), f"no evaluation of the sweep: {refuse_word(asked, names)}"


def check_target(sweep: SweepFields) -> Iterator[Finding]:
    """Require a goal that the metric can reach, and that a law of sizes can predict."""
    wish = sweep.target
    if wish is None:
        return
    above, below = wish.above, wish.below
    known = find_metric(wish.metric)
    if above is not None and known and known.better == "lower":
        yield ("target", "above"), f"expected `below`, got `above`: {wish.metric} falls as the model gets better"
    elif below is not None and is_rising(wish.metric):
        yield ("target", "below"), f"expected `above`, got `below`: {wish.metric} rises as the model gets better"
    elif not has_law(wish.metric) and (known or find_fact(wish.metric) is not None):
        yield ("target", "metric"), f"expected a metric with a law of sizes ({', '.join(LAWFUL)}), got {wish.metric!r}"
    elif above is not None and wish.of is None and not (least := known.chance if known else 0.0) < above < 1:
        yield ("target", "above"), f"expected a number between {least:g} (guessing) and 1, got {above:g}"

    else:
        yield from check_reachable(wish)


def check_reachable(wish: Target) -> Iterator[Finding]:
    """Refuse a goal that the untrained base meets already, or that no model can meet."""
    if wish.below is not None and has_law(wish.metric) and wish.below <= 0:
        yield ("target", "below"), f"expected a number above 0, got {wish.below:g}: no {wish.metric} is below 0"
    elif wish.of is not None and wish.below is not None and wish.below >= 1:
        yield (
            ("target", "below"),
            f"expected less than 1 times zero_shot, got {wish.below:g}: the untrained base meets it already",
        )
    elif wish.of is not None and wish.above is not None and wish.above <= 1:
        yield (
            ("target", "above"),
            f"expected more than 1 times zero_shot, got {wish.above:g}: the untrained base meets it already",
        )


def check_best(sweep: SweepFields) -> Iterator[Finding]:
    """Refuse a mode that would choose the worst cell."""
    if sweep.best is None or find_fact(sweep.best.metric) is not None:
        return
    metric, known = get_base_name(sweep.best.metric), find_metric(sweep.best.metric)
    better = known.better if known else None
    if sweep.best.mode == "max" and better == "lower":
        yield ("best", "mode"), f"expected `min`, got `max`: {metric} falls as the model gets better"
    if sweep.best.mode == "min" and better == "higher":
        yield ("best", "mode"), f"expected `max`, got `min`: {metric} rises as the model gets better"


def check_validation(sweep: SweepFields) -> Iterator[Finding]:
    if sweep.train is None or (sweep.train.eval_every is None and "train.eval_every" not in sweep.vary):
        return
    for name, spec in sweep.data.items():
        if spec.validation is None:
            yield ("data", name), "missing `validation`; `train.eval_every` measures on it, so add one (0.1)"


def check_methods(sweep: SweepFields) -> Iterator[Finding]:
    parts = {part for method in (sweep.methods or {}).values() for part, _ in method.chain}
    for name, method in (sweep.methods or {}).items():
        here = ("methods", name)
        if method.data is not None and method.data not in sweep.data:
            yield (*here, "data"), refuse_word(method.data, list(sweep.data))
        yield from (((*here, "then", *at), text) for at, text in check_chain(sweep, [name for name, _ in method.chain]))
        if not method.compared and name not in parts:
            yield (*here, "compared"), "expected a part of some chain (`then`), got a method that none names"
        given = [key for key in LENGTHS if getattr(method, key) is not None]
        if given:
            yield (*here, given[0]), "not used in a comparison: `equal` sets the length of every method; leave it out"
        yield from ((here, text) for text in check_method(method))


def check_chain(sweep: SweepFields, then: Sequence[str]) -> Iterator[Finding]:
    """Require the same adapter for all parts of a chain, because each part continues with it."""
    known = {name: method for name, method in (sweep.methods or {}).items() if method.then is None}
    for index, part in enumerate(then):
        if part not in known:
            yield (index,), f"expected the name of a method of this file: {refuse_word(part, list(known))}"
    parts = [known[part] for part in then if part in known]
    for key in ("rank", "train_mlp", "train_attn", "train_unembed"):
        values = {getattr(part, key) for part in parts}
        if len(values) > 1:
            listed = " and ".join(map(show, sorted(values)))
            yield (), f"expected the same {key} for all parts, which train one adapter, got {listed}"


def check_method(method: Method) -> Iterator[str]:
    if method.then is not None:
        if beside := sorted(method.model_fields_set - {"then", "control_of", "note"}):
            yield f"got {', '.join(beside)} beside `then`; leave it out: each part has its own"
        return
    if method.learning_rate is None:
        yield "missing learning_rate; write a number or `auto`"
    if method.method == "rl" and method.environment is None:
        yield "missing environment; `method: rl` needs one"
    if method.method != "rl" and method.data is None:
        yield f"missing data; `method: {method.method}` needs the name of a data set"
    if method.method == "rl" and method.data is not None:
        yield f"got data: {method.data}; leave it out: `method: rl` learns in its environment"


RULES: tuple[tuple[tuple[str, ...], Rule], ...] = (
    (("experiment",), check_kind_keys),
    (("experiment", "train", "vary", "data", "evaluate"), check_data),
    (("train", "vary"), check_environment),
    (("sizes",), check_sizes),
    (("train", "vary"), check_length),
    (("experiment", "data", "evaluate", "best", "target"), check_metrics),
    (("data", "evaluate"), check_names),
    (("experiment", "data", "vary"), check_roles),
    (("experiment", "data", "evaluate", "metrics"), check_wishes),
    (("metrics", "best", "target"), check_goals),
    (("target",), check_target),
    (("best",), check_best),
    (("train", "data", "vary"), check_validation),
    (("methods", "data"), check_methods),
    (("vary", "experiment"), check_varied_keys),
    (("vary", "train", "data", "model", "methods", "equal", "experiment"), check_vary),
    (("vary", "zip"), check_zip),
    (("vary", "exclude", "experiment", "data", "sizes", "sources", "targets", "methods"), check_exclude),
    (("vary", "when"), check_when),
)
