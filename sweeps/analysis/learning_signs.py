"""Judge from the facts of a training whether it shows signs of not having learnt. Pure functions.

A sign says what the numbers say and no more: a training without a falling loss may still have changed the model.
`sweeps/analysis/learning_words.py` puts the signs into words.
"""

import statistics
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from sweeps.records import canonicalize_row
from sweeps.results import RunResult
from sweeps.stage import Json

LearningFacts = Mapping[str, Any]
Code = Literal[
    "no_group_differed",
    "groups_alike",
    "few_groups",
    "barely_moved",
    "few_iterations",
    "reward_flat",
    "reward_fell",
    "actions_cut",
    "episodes_unfinished",
    "episodes_lost",
    "loss_flat",
    "loss_rose",
    "at_chance",
    "moved_far",
    "sampler_differs",
]
"""What the numbers of a training show, in the order in which signs are listed."""
FLAT: frozenset[Code] = frozenset({"loss_flat", "reward_flat", "at_chance"})
ORDER: tuple[Code, ...] = get_args(Code)

FEWEST = 10  # iterations: with fewer, a quarter holds one or two of them, and one lucky task is a trend
SOME = 4  # steps from which on their noise can be estimated: three differences
ERRORS = 2.0  # standard errors: about a chance of 1 in 40 that noise looks like progress
ALARM = 3.0  # the same, before a training is said to have become worse: 1 in 700, for a sweep has many
ALARM_ALONE = 4.0  # the same, of one seed against the others of its cell
NOTHING: LearningFacts = {}
MOVED = 0.001  # of the first loss: what rounding and half precision move by themselves
WORTH = 0.02  # of the first loss: where noise would hide less than this, a fall worth having would have shown
ALIKE = 0.5  # of the iterations: if more teach nothing, most of what was paid for was not trained on
FEW_MIXED = 0.1  # of the groups: nine of ten episodes are paid for and not trained on
MOST_CUT = 0.9  # of the actions, or episodes: nearly all of them end in the middle
MUCH_LOST = 0.25  # of the episodes: a quarter of the money buys nothing; half of them fail the stage
STILL = 1e-5  # how far Adam can move a weight: a thousandth of the rates and steps that are usual
FAR = 1.0  # nats per token: log(policy/reference) of -1.8 or +1.1, so each probability changed three- to sixfold
APART = 0.1  # nats per token: ten times what the SDK's documentation calls healthy between sampler and trainer


@dataclass(frozen=True)
class Improvement:
    """A metric of the evaluation that is better than the untrained model's, as a mean over the seeds."""

    metric: str
    before: float
    after: float
    clear: bool  # beyond the 95 % interval over the seeds


@dataclass(frozen=True)
class LearningSign:
    """What some seeds of a cell show in one of its trainings."""

    code: Code
    cell: Mapping[str, Json]
    seeds: tuple[int, ...]
    all_seeds: int  # of the cell, that have this training
    place: int  # of the training in its chain, from 1
    chain: int  # trainings in the chain
    stages: tuple[str, ...]
    facts: tuple[LearningFacts, ...]  # of each seed
    running: bool
    improved: Improvement | None = None  # where the evaluation is known


def judge_training(facts: LearningFacts, *, pooled: LearningFacts = NOTHING, running: bool = False) -> list[Code]:
    """List the signs of one training. One that still runs is judged from the tenth step on, and is never called flat.

    `pooled` are the means that the seeds of its cell have together: they tell a trend from noise where one cannot. A
    seed that became far worse is named even if the others did not.
    """
    if "first" not in facts or (running and facts["steps"] < FEWEST):
        return []
    judge, worse = JUDGES[facts["method"]]
    codes = set(judge({**facts, **pooled}))
    if 0 < facts.get("travel", 1.0) < STILL:
        codes = (codes - FLAT) | {"barely_moved"}  # which is why they are flat
    if pooled and find_trend(facts, alarm=ALARM_ALONE) < 0:
        codes = (codes - FLAT) | {worse}
    if running:
        codes -= {*FLAT, "barely_moved"}  # what has not moved yet may still move
    return [code for code in ORDER if code in codes]


def pool_seeds(group: Sequence[LearningFacts]) -> LearningFacts:
    """Pool the means of several seeds: their mean, and the noise that it has, as that of a step."""
    known = [facts for facts in group if "first" in facts]
    if len(known) < 2:
        return NOTHING
    window = known[0]["window"]
    variance = sum(facts["step_sd"] ** 2 / facts["window"] for facts in known) / len(known) ** 2
    pooled = {
        "steps": min(facts["steps"] for facts in known),
        "first": statistics.fmean(facts["first"] for facts in known),
        "last": statistics.fmean(facts["last"] for facts in known),
        "step_sd": (variance * window) ** 0.5,
        "window": window,
    }
    if all("accuracy" in facts for facts in known):
        pooled["pairs"] = sum(facts["pairs"] for facts in known)
        pooled["accuracy"] = statistics.fmean(facts["accuracy"] for facts in known)
    return pooled


def _judge_rewards(facts: LearningFacts) -> Iterator[Code]:
    yield from _judge_groups(facts)
    if facts["mixed_iterations"] and abs(facts.get("kl_sample_train", 0.0)) > APART:
        yield "sampler_differs"
    if facts.get("kl_start", 0.0) > FAR:
        yield "moved_far"
    trend = find_trend(facts)
    if trend > 0:
        return
    if facts.get("cut_turns", 0.0) >= MOST_CUT:
        yield "actions_cut"
    if facts.get("unfinished", 0.0) >= MOST_CUT:
        yield "episodes_unfinished"
    if facts["steps"] < FEWEST:
        yield "few_iterations"
    elif facts["mixed_iterations"]:
        yield "reward_fell" if trend < 0 else "reward_flat"


def _judge_groups(facts: LearningFacts) -> Iterator[Code]:
    """Judge how much of what was played could be trained on."""
    steps, mixed = facts["steps"], facts["mixed_iterations"]
    if not mixed:
        yield "no_group_differed"
    elif steps - mixed > ALIKE * steps:
        yield "groups_alike"
    elif facts.get("mixed_groups", 1.0) < FEW_MIXED:
        yield "few_groups"
    if facts["lost"] > MUCH_LOST:
        yield "episodes_lost"


def _judge_loss(facts: LearningFacts) -> Iterator[Code]:
    first, last, trend = facts["first"], facts["last"], find_trend(facts)
    if facts["steps"] == 1 or trend > 0:
        return  # the loss of a single step is measured before it
    if trend < 0:
        yield "loss_rose"
    elif last >= first - MOVED * abs(first) or _find_reach(facts, ERRORS) <= WORTH * abs(first):
        yield "loss_flat"


def _judge_pairs(facts: LearningFacts) -> Iterator[Code]:
    if facts.get("kl", 0.0) > FAR:
        yield "moved_far"
    pairs = facts.get("pairs", 0)
    if pairs and facts["accuracy"] <= 0.5 + ERRORS * (0.25 / pairs) ** 0.5:
        yield "at_chance"
    else:
        yield from _judge_loss(facts)


JUDGES: Mapping[str, tuple[Callable[[LearningFacts], Iterator[Code]], Code]] = {
    "sl": (_judge_loss, "loss_rose"),
    "dpo": (_judge_pairs, "loss_rose"),
    "rl": (_judge_rewards, "reward_fell"),
}
"""For each method its judge, and the sign of having become worse."""


def find_trend(facts: LearningFacts, *, alarm: float = ALARM) -> int:
    """Compare the last part of the steps with the first: 1 if it is clearly better, -1 if clearly worse, else 0.

    With too few steps to know their noise, nothing is clear, except that a loss that is lower is called so.
    """
    change = facts["last"] - facts["first"]
    gain = change if facts["method"] == "rl" else -change
    if facts["steps"] < SOME:
        return int(facts["method"] != "rl" and gain > MOVED * abs(facts["first"]))
    return int(gain > _find_reach(facts, ERRORS)) - int(-gain > _find_reach(facts, alarm))


def had_risen(facts: LearningFacts) -> bool:
    """Whether the reward was clearly higher once the groups were all alike: then its tasks are solved."""
    rise: float = facts.get("reward_after", facts["first"]) - facts["first"]
    return rise > _find_reach(facts, ERRORS)


def measure_noise(group: Sequence[LearningFacts]) -> float:
    """Measure by how much the change from first to last may be noise, as a mean of these seeds: two standard errors."""
    facts = pool_seeds(group) or group[0]
    noise: float = ERRORS * facts["step_sd"] * (2 / facts["window"]) ** 0.5
    return noise


def _find_reach(facts: LearningFacts, errors: float) -> float:
    """Find by how much the two means differ by chance, within so many standard errors."""
    noise: float = errors * facts["step_sd"] * (2 / facts["window"]) ** 0.5
    least: float = MOVED * abs(facts["first"])
    return max(least, noise)


def list_learning_signs(
    rows: Sequence[RunResult], facts: Mapping[str, LearningFacts], running: Collection[str] = ()
) -> tuple[LearningSign, ...]:
    """List the signs of all trainings of a sweep, each training once, the seeds of a cell together.

    `facts` are those of each stage, `running` the stages that have not ended.
    """
    owners = _find_owners(rows)
    order = {canonicalize_row(row.cell): place for place, row in reversed(list(enumerate(rows)))}
    alike: dict[tuple[bytes, int, bool], list[tuple[RunResult, str]]] = {}
    for stage, (row, place) in sorted(owners.items(), key=lambda owner: (owner[1][1], owner[1][0].seed)):
        if stage in facts:
            alike.setdefault((canonicalize_row(row.cell), place, stage in running), []).append((row, stage))
    groups: dict[tuple[bytes, int, Code, bool], list[tuple[RunResult, str]]] = {}
    for (cell, place, still), members in alike.items():
        pooled = NOTHING if still else pool_seeds([facts[stage] for _, stage in members])
        for row, stage in members:
            for code in judge_training(facts[stage], pooled=pooled, running=still):
                groups.setdefault((cell, place, code, still), []).append((row, stage))
    return tuple(
        LearningSign(
            code=code,
            cell=trainings[0][0].cell,
            seeds=tuple(row.seed for row, _ in trainings),
            all_seeds=len(alike[cell, place, still]),
            place=place,
            chain=len(trainings[0][0].before) + 1,
            stages=tuple(stage for _, stage in trainings),
            facts=tuple(facts[stage] for _, stage in trainings),
            running=still,
        )
        for (cell, place, code, still), trainings in sorted(
            groups.items(), key=lambda group: (ORDER.index(group[0][2]), order[group[0][0]], group[0][1])
        )
    )


def _find_owners(rows: Sequence[RunResult]) -> dict[str, tuple[RunResult, int]]:
    """Find the row and the place of each training: the row that it is the last one of, or the first that needs it."""
    last = {row.stage: (row, len(row.before) + 1) for row in reversed(rows) if row.stage}
    needed = {stage: (row, place) for row in reversed(rows) for place, stage in enumerate(row.before, 1)}
    return {stage: owner for stage, owner in {**needed, **last}.items() if stage}
