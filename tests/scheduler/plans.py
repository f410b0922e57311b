"""Small plans as plain values, made without a file or data."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from scheduler.state.submission import Submission
from sweeps.cost import Rates
from sweeps.identity import fingerprint
from sweeps.planning.plan import Json, Plan, Run, Stage, Totals
from sweeps.stage import HeldRun

MODEL = "offline/ngram-s"
RATES = Rates(training=1_000_000)
COST = 1_000  # micro-dollars of a stage unless it says otherwise


def train(name: str, *parents: str, cost: int = COST, low: int | None = None) -> Stage:
    """A train stage; its estimate in tokens is its cost, at a dollar for a million."""
    return _stage("train", name, parents, cost, low)


def evaluate(name: str, *parents: str, cost: int = COST) -> Stage:
    return _stage("evaluate", name, parents, cost)


def _stage(kind: str, name: str, parents: tuple[str, ...], cost: int, low: int | None = None) -> Stage:
    recipe: dict[str, Json] = {"model": MODEL, "name": name}
    return Stage(
        id=f"{kind}-{name}",
        kind="train" if kind == "train" else "evaluate",
        parents=parents,
        recipe=recipe,
        label=f"{kind} {name}",
        steps=10 if kind == "train" else 0,
        tokens=cost,
        low_tokens=cost if low is None else low,
        examples=1,
        micro_usd=cost,
        low_micro_usd=cost if low is None else low,
    )


def plan(sweep: str, stages: Iterable[Stage], runs: Iterable[Run] = ()) -> Plan:
    """The plan of these stages; its digest says what they are."""
    listed, rows = tuple(stages), tuple(runs)
    totals = Totals(
        stages=len(listed),
        train=sum(stage.kind == "train" for stage in listed),
        evaluate=sum(stage.kind == "evaluate" for stage in listed),
        naive_train=len(listed),
        examples=len(listed),
        naive_examples=len(listed),
        tokens=sum(stage.tokens for stage in listed),
        low_tokens=sum(stage.low_tokens for stage in listed),
        micro_usd=sum(stage.micro_usd or 0 for stage in listed),
        low_micro_usd=sum(stage.low_micro_usd or 0 for stage in listed),
        price_dates=None,
    )
    digest = fingerprint({"sweep": sweep, "stages": [stage.id for stage in listed], "runs": len(rows)})
    return Plan(sweep, digest, listed, rows, totals, (), (), {})


def single(sweep: str, count: int, *, cost: int = COST, prefix: str = "") -> Plan:
    """`count` train stages that depend on nothing."""
    return plan(sweep, [train(f"{prefix}{number:04d}", cost=cost) for number in range(count)])


def scaling(sweep: str, sizes: Sequence[int], seeds: int = 2) -> Plan:
    """Trainings with one evaluation each, and one evaluation of the base shared by all seeds: a small data scaling."""
    stages, runs = [evaluate("base")], []
    for size in sizes:
        for seed in range(seeds):
            name = f"n{size}s{seed}"
            stages += [train(name), evaluate(name, f"train-{name}")]
            measures = {"nll": f"evaluate-{name}", "zero_shot.nll": "evaluate-base"}
            runs.append(Run({"data": "code", "size": size}, seed, f"train-{name}", measures))
    return plan(sweep, stages, runs)


def submission(
    plan: Plan,
    *,
    limit: int | None = None,
    slots: int | None = None,
    priority: int = 0,
    weight: float = 1.0,
    window: str = "",
    deadline: int | None = None,
    user: str = "ada",
    spec: Mapping[str, Json] | None = None,
    notify: tuple[str, ...] = (),
) -> Submission:
    return Submission(
        plan=plan,
        spec=spec or {"sweep": plan.sweep},
        user=user,
        rates={MODEL: RATES},
        limit=limit,
        slots=slots,
        priority=priority,
        weight=weight,
        window=window,
        deadline=deadline,
        notify=notify,
    )


def rounds(sweep: str, sizes: Sequence[int], seeds: int, first: int, *, grid: int = 2) -> Plan:
    """A scaling sweep with `until`: the first round has the first so many seeds, and further ones may follow."""
    whole = scaling(sweep, sizes, seeds)
    held = tuple(
        HeldRun(run, 2 * COST, run.seed < grid, run.seed < first, (str(run.stage), *run.measures.values()))
        for run in whole.runs
    )
    needed = {stage for run in held if run.is_first for stage in run.stages} | {"evaluate-base"}
    begun = plan(
        sweep,
        [stage for stage in whole.stages if stage.id in needed],
        [run.run for run in held if run.is_first],
    )
    left = tuple(stage for stage in whole.stages if stage.id not in needed)
    return replace(begun, digest=fingerprint({"sweep": sweep}), held=held, held_stages=left)


def rounds_spec(sweep: str, ratio: float = 1.5) -> dict[str, Json]:
    return {"sweep": sweep, "experiment": "data_scaling", "until": {"minimum_data": {"ratio": ratio}}}
