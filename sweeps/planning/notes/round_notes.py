"""Note what a sweep with `until` starts with, and the most that its rounds may come to."""

from collections.abc import Iterator, Sequence

from sweeps.formatting import format_count, format_usd
from sweeps.planning.rounds.held_runs import list_candidates
from sweeps.planning.rounds.next_round import Spec, sum_costs
from sweeps.planning.rounds.round_designs import RoundLimits
from sweeps.stage import HeldRun, Stage


def note_rounds(spec: Spec, held: Sequence[HeldRun], stages: Sequence[Stage]) -> Iterator[str]:
    """Note the first round of the plan, the full grid, and the most that all rounds may have together."""
    if not held:
        return
    candidates = list_candidates(held)
    limits = RoundLimits.read(spec, candidates)
    begun = [run for run, known in zip(candidates, held, strict=True) if known.is_first and run.trains]
    grid = [run for run in candidates if run.in_grid]
    trained = min(limits.runs, sum(run.trains for run in candidates))
    most = format_count(int(trained), "trained run")
    if all(stage.micro_usd is not None for stage in stages):
        every = min(limits.cost, sum_costs(candidates))
        most = f"{most} for at most {format_usd(round(every))}"
        whole = f", {format_usd(round(sum_costs(grid)))} at most"
    else:
        whole = ""
    planned = sum(run.trains for run in grid)
    yield (
        f"until: this plan is the first round, {format_count(len(begun), 'trained run')} of the "
        f"{planned:,} in the full grid{whole}; rounds follow where they narrow the answer most, up to {most}"
    )
