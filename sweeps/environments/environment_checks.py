"""Check an environment as a whole: what it returns, its shape, its determinism, its splits, and whether it can be done.

It plays every episode through the stages that it is given. Each check is one line: ok, a note, or what is wrong.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import zip_longest
from typing import Literal, NamedTuple

from sweeps.environments import Split
from sweeps.environments.trials import (
    Policy,
    TrialEpisode,
    Trials,
    TrialStage,
    act_randomly,
    follow_expert,
    repeat_actions,
)
from sweeps.formatting import escape, format_count

EPISODES = 20  # seeds that are played, of each split and by each policy
REPLAYED = 6  # of them that are played again
PROMPTS = 200  # seeds of each split whose tasks are compared
PAIRS = 10  # tasks with the same prompt that are played to see whether they are the same
AT_ONCE = 4  # episodes that are played together, before lost ones are counted
MESSAGES = 'messages, such as [{"role": "user", "content": "…"}] or with the role "tool",'
FEW_LOST = 3  # lost episodes after which no more are played: each may use all its time
SHOWN = 60  # characters of an answer in a message


class EnvironmentCheck(NamedTuple):
    """The result of one check."""

    check: str
    verdict: Literal["ok", "note", "wrong"]
    message: str


class PlayedTrials(NamedTuple):
    """What was played: the train tasks by the expert and by chance, the test tasks by the expert if there is one."""

    expert: Sequence[TrialEpisode]  # none if there is no expert
    chance: Sequence[TrialEpisode]
    test: Sequence[TrialEpisode]

    @property
    def every(self) -> list[TrialEpisode]:
        return [*self.expert, *self.chance, *self.test]

    @property
    def best(self) -> Sequence[TrialEpisode]:
        return self.expert or self.chance


def check_environment(
    open_stage: Callable[[Split], TrialStage], episodes: int = EPISODES
) -> Iterator[EnvironmentCheck]:
    """Yield the result of each check. What depends on a check that failed is left out."""
    train, test = Trials(open_stage("train")), Trials(open_stage("test"))
    played = _play(train, test, range(episodes))
    if fault := _find_lost(played.every) or _find_mixture(played.every):
        yield EnvironmentCheck("returns", "wrong", fault)
        return
    count = format_count(len(played.every), "episode")
    yield EnvironmentCheck("returns", "ok", f"{count} gave prompts, turns and facts as they have to be")
    yield _check_shape(train.stage, played)
    yield _check_determinism(Trials(open_stage("train")), played)
    yield _check_splits(train, test, follow_expert if played.expert else act_alike)
    yield _check_reward(played)


def act_alike(episode: TrialEpisode, advice: object) -> str:
    """Act the same in every task."""
    del episode, advice
    return "a"


def _play(train: Trials, test: Trials, seeds: Sequence[int]) -> PlayedTrials:
    expert = _play_some(train, seeds, follow_expert)
    if not any(episode.actions or episode.lost for episode in expert):  # it gave up at once
        expert = []
    if _find_lost(expert):
        return PlayedTrials(expert, (), ())
    chance = _play_some(train, seeds, act_randomly)
    if _find_lost(chance):
        return PlayedTrials(expert, chance, ())
    return PlayedTrials(expert, chance, _play_some(test, seeds, follow_expert if expert else act_randomly))


def _play_some(trials: Trials, seeds: Sequence[int], policy: Policy) -> list[TrialEpisode]:
    """Play one episode, then some at a time, until all or several are lost."""
    episodes: list[TrialEpisode] = []
    for start in (0, *range(1, len(seeds), AT_ONCE)):
        episodes += trials.play(dict.fromkeys(seeds[start : start + (AT_ONCE if start else 1)], policy))
        lost = sum(bool(episode.lost) for episode in episodes)
        if lost >= min(FEW_LOST, len(episodes)):
            break
    return episodes


def _find_lost(episodes: Sequence[TrialEpisode]) -> str:
    lost = [episode.lost for episode in episodes if episode.lost]
    return f"lost: {len(lost)} of {format_count(len(episodes), 'episode')}; the first one {lost[0]}" if lost else ""


def _find_mixture(episodes: Sequence[TrialEpisode]) -> str:
    """Find an observation of another kind than the prompt."""
    for episode in episodes:
        for step, turn in enumerate(episode.turns, 1):
            if turn.observation and isinstance(turn.observation, str) != isinstance(episode.prompt, str):
                kinds = ("text", "messages") if isinstance(episode.prompt, str) else (MESSAGES, "text")
                where = f"step {step} of the episode of seed {episode.seed}"
                return f"expected {kinds[0]} as the observation, as in the prompt, got {kinds[1]}, in {where}"
    return ""


def _check_shape(stage: TrialStage, played: PlayedTrials) -> EnvironmentCheck:
    """Compare how long episodes are with what the environment declares."""
    least, most = stage.shape.turns
    turns = [len(episode.turns) for episode in played.best]
    endless = [episode for episode in played.best if not episode.done]
    if endless:
        by = "expert's" if played.expert else "random"
        count = f"{len(endless)} of {len(turns)} of the {by} episodes were not over after {format_count(most, 'turn')}"
        verdict: Literal["note", "wrong"] = "wrong" if played.expert else "note"
        return EnvironmentCheck(
            "shape", verdict, f"{count} (seed {endless[0].seed}); raise the most of turns, or return done=True"
        )
    if min(turns) < least:
        message = f"an episode ended after {format_count(min(turns), 'turn')}, but the least of turns is {least}"
        return EnvironmentCheck("shape", "note", f"{message}; lower it, because costs are estimated by it")
    longest = max((len(action) for episode in played.expert for action in episode.actions), default=0)
    size = f"{min(turns)} to {max(turns)} turns, as declared ({least} to {most})"
    if longest > stage.shape.action[1]:
        limit = (
            f"an action of the expert has {longest} characters, and at most {stage.shape.action[1]} tokens are sampled"
        )
        return EnvironmentCheck("shape", "note", f"{size}; {limit}: offline models write one character a token")
    return EnvironmentCheck("shape", "ok", size)


def _check_determinism(again: Trials, played: PlayedTrials) -> EnvironmentCheck:
    """Play episodes again in a new process, one after the other and without asking the expert."""
    firsts = [*played.expert[:REPLAYED], *played.chance[:REPLAYED]]
    for first in reversed(firsts):
        (second,) = again.play({first.seed: repeat_actions(first.actions)}, advised=False)
        if first.record != second.record:
            return EnvironmentCheck("deterministic", "wrong", _describe_difference(first, second))
    count = format_count(len(firsts), "episode")
    return EnvironmentCheck("deterministic", "ok", f"{count} played again in a new process answered the same")


def _describe_difference(first: TrialEpisode, second: TrialEpisode) -> str:
    where, before, other = next(pair for pair in _compare_episodes(first, second) if pair[1] != pair[2])
    return (
        f"the {where} of the episode of seed {first.seed} was {_show(before)} and, played again, {_show(other)}; "
        "everything must follow from the seed, the split and the actions: use random.Random(seed), and keep the state "
        "in the episode"
    )


def _compare_episodes(first: TrialEpisode, second: TrialEpisode) -> Iterator[tuple[str, object, object]]:
    """Yield each part of an episode, as it was played first and again."""
    yield "prompt", first.prompt, second.prompt
    for step, (turn, other) in enumerate(zip_longest(first.turns, second.turns), 1):
        if turn is None or other is None:
            break
        for field in ("observation", "reward", "done"):
            yield f"{field} of step {step}", getattr(turn, field), getattr(other, field)
        for fact in {**turn.facts, **other.facts}:
            yield f"fact {fact} of step {step}", turn.facts.get(fact), other.facts.get(fact)
    yield "end", first.lost or len(first.turns), second.lost or len(second.turns)


def _show(answer: object) -> str:
    text = escape(str(answer))
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _check_splits(train: Trials, test: Trials, policy: Policy) -> EnvironmentCheck:
    """Compare the tasks of the splits: first their prompts, then, where these are the same, all that is answered."""
    prompts = [_read_prompts(trials) for trials in (train, test)]
    seeds = {prompt: seed for seed, prompt in prompts[0].items()}
    pairs = [(seeds[prompt], seed) for seed, prompt in prompts[1].items() if prompt in seeds]
    same = [pair for pair in pairs[:PAIRS] if _are_same(train, test, pair, policy)]
    if same:
        least = "at least " if len(pairs) > PAIRS else ""
        count = f"{least}{len(same)} of {len(prompts[1])} test tasks"
        train_seed, other = same[0]
        return EnvironmentCheck(
            "splits",
            "wrong",
            f"{count} are train tasks too (test seed {other} is train seed {train_seed}: {_show(prompts[1][other])}); "
            "choose the split by the task itself, and draw again until it is the right one",
        )
    different = len({*prompts[0].values(), *prompts[1].values()})
    summary = f"of {PROMPTS} seeds of each split no task is in both; {different} different prompts"
    return EnvironmentCheck("splits", "ok", summary)


def _read_prompts(trials: Trials) -> Mapping[int, str]:
    return {episode.seed: str(episode.prompt) for episode in trials.begin(range(PROMPTS)) if not episode.lost}


def _are_same(train: Trials, test: Trials, pair: tuple[int, int], policy: Policy) -> bool:
    """Play two tasks alike: the same task answers the same."""
    episode, other = (trials.play({seed: policy})[0] for trials, seed in zip((train, test), pair, strict=True))
    return (episode.record, episode.actions) == (other.record, other.actions)


def _check_reward(played: PlayedTrials) -> EnvironmentCheck:
    """Say whether the task can be done: by the expert, or at least by chance."""
    chance = _describe_success(played.chance)
    if not played.expert:
        reached = any(_succeeds(episode) for episode in played.chance)
        advice = "add a method `expert()` to the episode, which returns the right action, to know"
        return EnvironmentCheck(
            "reward", "ok" if reached else "note", f"no expert(); by chance {chance}{'' if reached else f'; {advice}'}"
        )
    expert = _describe_success(played.expert)
    failed = [episode for episode in played.expert if episode.solved is False]
    means = [sum(episode.reward for episode in some) / len(some) for some in (played.expert, played.chance)]
    if failed:
        verdict: Literal["note", "wrong"] = "wrong" if len(failed) == len(played.expert) else "note"
        first = f"the first that it does not solve is seed {failed[0].seed}"
        return EnvironmentCheck("reward", verdict, f"the expert {expert}; {first}; by chance {chance}")
    if means[0] <= means[1]:
        return EnvironmentCheck("reward", "wrong", f"the expert is no better than chance: {expert}; by chance {chance}")
    return EnvironmentCheck("reward", "ok", f"the expert {expert}; by chance {chance}")


def _succeeds(episode: TrialEpisode) -> bool:
    return episode.reward > 0 if episode.solved is None else episode.solved


def _describe_success(episodes: Sequence[TrialEpisode]) -> str:
    rewards = [episode.reward for episode in episodes]
    mean = f"mean reward {sum(rewards) / len(rewards):.3g} ({min(rewards):.3g} to {max(rewards):.3g})"
    if all(episode.solved is None for episode in episodes):
        return mean
    return f"solves {sum(bool(episode.solved) for episode in episodes)} of {len(episodes)}, {mean}"
