"""Divide the runs of a sweep with `until`: the first round, and those that may follow."""

from collections.abc import Iterable, Mapping, Sequence

from sweeps.errors import PlanError
from sweeps.identity import name_run
from sweeps.planning.rounds.next_round import Candidate, Spec, sum_costs
from sweeps.planning.rounds.round_designs import ROUNDING, RoundLimits, find_design
from sweeps.planning.run_rows import CountedRun
from sweeps.spec.model import SweepFields
from sweeps.stage import HeldRun, Json, Run, Stage, to_dollars

MORE_SEEDS = 2  # times the seeds of the file: so many may a size have
FEWEST_SEEDS = 4  # that a size may have


def add_seeds(sweep: SweepFields) -> SweepFields:
    """With `until`, add the seeds that rounds may use to those of the file: the next whole numbers not named there."""
    if sweep.until is None:
        return sweep
    named = sweep.seed_values
    count = max(MORE_SEEDS * len(named), FEWEST_SEEDS)
    others = (seed for seed in range(count) if seed not in named)
    return sweep.model_copy(update={"seeds": (*named, *others)[:count]})


def read_spec(sweep: SweepFields) -> Spec:
    """Read a sweep as a design does: what its file says."""
    document: dict[str, Json] = sweep.model_dump(mode="json", exclude_defaults=True)
    return document


def hold_runs(sweep: SweepFields, made: Sequence[CountedRun], stages: Mapping[str, Stage]) -> tuple[HeldRun, ...]:
    """Say of every run what it costs, whether the full grid has it, and whether the first round does.

    Raises PlanError if the first round alone passes a limit of `until`.
    """
    spec = read_spec(sweep)
    design = find_design(spec)
    assert design is not None
    candidates = [
        Candidate(run.cell, run.seed, _sum_stages(run, stages), in_grid=run.seed in sweep.seed_values)
        for run, _ in made
    ]
    first = design.choose_first(spec, candidates)
    places = {stage: place for place, stage in enumerate(stages)}
    begun = [candidate for candidate in candidates if candidate.key in first]
    _refuse_beyond(RoundLimits.read(spec, candidates), begun)
    return tuple(
        HeldRun(run, candidate.cost, candidate.in_grid, candidate.key in first, _list_ordered(run, stages, places))
        for (run, _), candidate in zip(made, candidates, strict=True)
    )


def _list_ordered(run: Run, stages: Mapping[str, Stage], places: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(sorted(list_needed([run], stages), key=places.__getitem__))


def list_candidates(held: Iterable[HeldRun]) -> list[Candidate]:
    """List the runs as a design sees them."""
    return [Candidate(run.run.cell, run.run.seed, run.cost, in_grid=run.in_grid) for run in held]


def name_held(held: HeldRun) -> str:
    """Name a run as its candidate is named."""
    return name_run(held.run.cell, held.run.seed)


def list_needed(runs: Iterable[Run], stages: Mapping[str, Stage]) -> set[str]:
    """List the stages of runs, and the stages that these need."""
    needed = set[str]()
    left = [stage for run in runs for stage in list_own_stages(run)]
    while left:
        stage = left.pop()
        if stage not in needed:
            needed.add(stage)
            left += stages[stage].parents
    return needed


def list_own_stages(run: Run) -> list[str]:
    """List the stages of a run: its trainings, and its evaluations."""
    return [*run.before, *((run.stage,) if run.stage else ()), *run.measures.values()]


def _sum_stages(run: Run, stages: Mapping[str, Stage]) -> float:
    own = [stages[stage] for stage in dict.fromkeys(list_own_stages(run))]
    amounts = [stage.micro_usd for stage in own]
    known = [amount for amount in amounts if amount is not None]
    return float(sum(known) if len(known) == len(own) else sum(stage.tokens for stage in own))


def _refuse_beyond(limits: RoundLimits, begun: Sequence[Candidate]) -> None:
    trained, cost = sum(run.trains for run in begun), sum_costs(begun)
    if trained > limits.runs:
        raise PlanError(
            f"until.most: the first round has {trained} runs; expected at least so many, got {limits.runs:g}"
        )
    if cost > limits.cost + ROUNDING:
        need, got = to_dollars(round(cost)) or 0.0, to_dollars(round(limits.cost)) or 0.0
        raise PlanError(f"until.budget.usd: expected at least {need:.4g}, which the first round costs, got {got:.4g}")
