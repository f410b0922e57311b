"""Put the signs of not having learnt into words: what the numbers say, and what to try. All these words are here.

Pure functions.
"""

import statistics
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sweeps.analysis.learning_signs import Code, LearningFacts, LearningSign, had_risen, judge_training, measure_noise
from sweeps.formatting import format_cell, format_count
from sweeps.results import find_shared_keys
from sweeps.stage import Json

SHOWN = 3  # conditions in sentences, of those that show the same signs; a table has all
NAMED = 6  # seeds that are named one by one
COLD = 0.3  # a temperature at which the answers to one question are nearly always the same
STIFF = 0.05  # nats per token: of the entropy of answers that are nearly always the same
LOSSES = {"sl": "the loss on the training data", "dpo": "the DPO loss"}


def describe_signs(signs: Sequence[LearningSign], cells: Iterable[Mapping[str, Json]] = ()) -> list[str]:
    """Write a sentence for each training with signs; where many show the same ones, for the first, and a count.

    `cells` are all conditions of the sweep: what they share is not repeated.
    """
    same = find_shared_keys([*cells, *(sign.cell for sign in signs)])
    places: dict[str, list[LearningSign]] = {}
    for sign in signs:
        places.setdefault(describe_place(sign, same), []).append(sign)
    alike: dict[tuple[Code, ...], list[str]] = {}
    for group in places.values():
        alike.setdefault(tuple(sign.code for sign in group), []).append(describe_together(group, same))
    return [line for sentences in alike.values() for line in _limit(sentences)]


def _limit(sentences: Sequence[str]) -> Iterator[str]:
    yield from sentences[:SHOWN]
    if (rest := len(sentences) - SHOWN) > 0:
        yield f"The same holds for {format_count(rest, 'more condition')}; the report has a table of them."


def describe_together(group: Sequence[LearningSign], same: Collection[str] = ()) -> str:
    """Write the signs of one training as a sentence: where, what, how the evaluation went, and what to try."""
    better = _describe_improvement(group[0])
    evaluated = f" (yet {better})" if better else ""
    words = [WORDS[sign.code](sign.facts) for sign in group]
    (first, advice), *others = words
    sentences = [
        f"{describe_place(group[0], same)}: {first}{evaluated}: {advice}.",
        *(f"{what[0].upper()}{what[1:]}: {advice}." for what, advice in others),
    ]
    return " ".join(sentences)


def describe_running(facts: LearningFacts) -> str:
    """Say what the numbers of a training that still runs show so far, in a few words; or nothing."""
    codes = judge_training(facts, running=True)
    return WORDS[codes[0]]([facts])[0] if codes else ""


def describe_place(sign: LearningSign, same: Collection[str] = ()) -> str:
    """Name the condition, the training and the seeds."""
    cell = ", ".join(f"{key}={format_cell(key, value)}" for key, value in sign.cell.items() if key not in same)
    training = f"training {sign.place} of {sign.chain}" if sign.chain > 1 else ""
    still = "so far" if sign.running else ""
    return ", ".join(part for part in (cell, training, name_seeds(sign), still) if part)


def name_seeds(sign: LearningSign) -> str:
    """Name the seeds that show a sign; of many, how many."""
    if len(sign.seeds) > NAMED:
        return f"{len(sign.seeds)} of {sign.all_seeds} seeds"
    return f"seed{'s' if len(sign.seeds) > 1 else ''} {', '.join(map(str, sign.seeds))}"


Facts = Sequence[LearningFacts]
Words = tuple[str, str]  # what the numbers say, and what to try


def _show(facts: Facts, key: str, form: str = ".3g") -> str:
    """Write a number of all seeds: one value, or the least and the largest; a share with the form `%`."""
    if form == "%":
        return f"{_show([{key: 100 * fact[key]} for fact in facts if key in fact], key, '.0f')} %"
    texts = list(dict.fromkeys(format(value, form) for value in sorted(fact[key] for fact in facts if key in fact)))
    return texts[0] if len(texts) == 1 else f"{texts[0]} to {texts[-1]}" if texts else "unknown"


def _describe_no_group_differed(facts: Facts) -> Words:
    steps, reward = _show(facts, "steps", ","), _show(facts, "reward_after")
    what = f"no group differed in reward in any of {steps} iterations, so no step was trained (mean reward {reward})"
    return what, _advise_on_groups(facts)


def _describe_groups_alike(facts: Facts) -> Words:
    early = all(fact["last_mixed_iteration"] <= fact["steps"] / 2 for fact in facts)
    if early:
        starts = _show([{"from": fact["last_mixed_iteration"] + 1} for fact in facts], "from", ",")
        rest = f"of {_show(facts, 'steps', ',')}; mean reward there {_show(facts, 'reward_after')}"
        return f"no group differed in reward from iteration {starts} on ({rest})", _advise_on_groups(facts)
    alike = _show([{"alike": fact["steps"] - fact["mixed_iterations"]} for fact in facts], "alike", ",")
    what = f"in {alike} of {_show(facts, 'steps', ',')} iterations no group differed in reward"
    return what, _advise_on_groups(facts)


def _describe_few_groups(facts: Facts) -> Words:
    what = f"only {_show([{'mixed': fact['mixed_groups']} for fact in facts], 'mixed', '%')} of the groups differed"
    return f"{what} in reward, and the others taught nothing", _advise_on_groups(facts)


def _advise_on_groups(facts: Facts) -> str:
    if all(fact["temperature"] < COLD for fact in facts):
        cold = _show(facts, "temperature")
        return f"raise the temperature ({cold}), at which the episodes of a group are nearly always the same"
    if all(map(had_risen, facts)):
        return f"the reward had risen from {_show(facts, 'first')}; only harder tasks would teach more"
    if all(fact.get("entropy", 1.0) < STIFF < fact.get("first_entropy", 0.0) for fact in facts):
        fell = f"from {_show(facts, 'first_entropy')} to {_show(facts, 'entropy')} nats per token"
        return f"the entropy fell {fell}; lower the learning rate, or set kl_penalty"
    solved = all(fact.get("reward_after", 0.0) > 0 for fact in facts)
    harder = f"; if {_show(facts, 'reward_after')} is the best reward, use harder tasks" if solved else ""
    return f"raise group_size, begin with SL, or reward partial progress{harder}"


def _describe_barely_moved(facts: Facts) -> Words:
    what = f"the learning rates of all steps add up to {_show(facts, 'travel')}, and Adam moves no weight much further"
    return what, "raise the learning rate, or train for more steps"


def _describe_few_iterations(facts: Facts) -> Words:
    what = f"{_count(facts, 'iteration')}, which is too few to tell a trend of the reward from chance"
    return what, "train for ten iterations or more"


def _count(facts: Facts, noun: str) -> str:
    steps = _show(facts, "steps", ",")
    return f"only {steps} {noun}{'' if steps == '1' else 's'}"


def _describe_reward_flat(facts: Facts) -> Words:
    what = f"the reward did not clearly rise ({_write_means(facts)})"
    return what, "use more iterations or groups, or another learning rate"


def _describe_reward_fell(facts: Facts) -> Words:
    return f"the reward fell ({_write_means(facts)})", "lower the learning rate, or set kl_penalty"


def _write_means(facts: Facts) -> str:
    """Write the means that are compared."""
    over = _show(facts, "window", ",")
    many = "the first and the last step" if over == "1" else f"means over the first and the last {over} steps"
    first, last = (statistics.fmean(fact[side] for fact in facts) for side in ("first", "last"))
    seeds = f", of {format_count(len(facts), 'seed')}" if len(facts) > 1 else ""
    noise = measure_noise(facts)
    return f"{first:.4g} → {last:.4g}{f', noise ± {noise:.2g}' if noise else ''}: {many}{seeds}"


def _describe_actions_cut(facts: Facts) -> Words:
    what = f"{_show(facts, 'cut_turns', '%')} of the actions were cut at the most tokens of the environment's shape"
    return f"{what}, and the reward did not rise", "allow longer actions, or teach the end of an action with SL first"


def _describe_episodes_unfinished(facts: Facts) -> Words:
    what = f"{_show(facts, 'unfinished', '%')} of the episodes ran out of turns"
    return f"{what}, and the reward did not rise", "allow more turns, or begin with SL"


def _describe_episodes_lost(facts: Facts) -> Words:
    return f"{_show(facts, 'lost', '%')} of the episodes were lost", "`sweep events` names the first cause"


def _describe_loss_flat(facts: Facts) -> Words:
    what = f"{LOSSES[facts[0]['method']]} did not clearly fall ({_write_means(facts)})"
    return what, "raise the learning rate, or train for more steps"


def _describe_loss_rose(facts: Facts) -> Words:
    return f"{LOSSES[facts[0]['method']]} rose ({_write_means(facts)})", "lower the learning rate"


def _describe_at_chance(facts: Facts) -> Words:
    what = f"the chosen answer was preferred in {_show(facts, 'accuracy', '%')} of the last pairs of the training"
    return f"{what}, which is not clearly more than chance", "raise the learning rate, or check the labels of the pairs"


def _describe_moved_far(facts: Facts) -> Words:
    if facts[0]["method"] == "rl":
        what = f"the model moved {_show(facts, 'kl_start')} nats per token away from where its training started"
        return what, "lower the learning rate, or raise kl_penalty"
    what = f"on its training pairs the model moved {_show(facts, 'kl')} nats per token away from its reference"
    return what, "lower the learning rate or raise beta, if it forgets other things"


def _describe_sampler_differs(facts: Facts) -> Words:
    what = f"the model that played and the model in training differed by {_show(facts, 'kl_sample_train')} nats"
    return f"{what} per token", "lower the learning rate, or use fewer substeps or no lag"


WORDS: Mapping[Code, Callable[[Facts], Words]] = {
    "no_group_differed": _describe_no_group_differed,
    "groups_alike": _describe_groups_alike,
    "few_groups": _describe_few_groups,
    "barely_moved": _describe_barely_moved,
    "few_iterations": _describe_few_iterations,
    "reward_flat": _describe_reward_flat,
    "reward_fell": _describe_reward_fell,
    "actions_cut": _describe_actions_cut,
    "episodes_unfinished": _describe_episodes_unfinished,
    "episodes_lost": _describe_episodes_lost,
    "loss_flat": _describe_loss_flat,
    "loss_rose": _describe_loss_rose,
    "at_chance": _describe_at_chance,
    "moved_far": _describe_moved_far,
    "sampler_differs": _describe_sampler_differs,
}


def list_sign_rows(signs: Iterable[LearningSign], same: Collection[str] = ()) -> list[dict[str, Any]]:
    """List the signs as rows of a table."""
    words = [(sign, *WORDS[sign.code](sign.facts)) for sign in signs]
    return [
        {
            "where": describe_place(sign, same),
            "what": what,
            "evaluation": _describe_improvement(sign) or None,
            "to try": advice,
        }
        for sign, what, advice in words
    ]


def _describe_improvement(sign: LearningSign) -> str:
    """Name the metric of the evaluation that is better all the same; "" where none is."""
    better = sign.improved
    return f"{better.metric} improved from {better.before:.4g}, untrained, to {better.after:.4g}" if better else ""


def list_sign_facts(signs: Iterable[LearningSign]) -> list[dict[str, Any]]:
    """List the signs for programs: the numbers, and the sentence."""
    return [
        {
            "code": sign.code,
            "cell": dict(sign.cell),
            "training": sign.place,
            "trainings": sign.chain,
            "running": sign.running,
            "seeds": list(sign.seeds),
            "stages": list(sign.stages),
            "facts": [dict(fact) for fact in sign.facts],
            "improved": None
            if sign.improved is None
            else {
                "metric": sign.improved.metric,
                "before": sign.improved.before,
                "after": sign.improved.after,
                "clear": sign.improved.clear,
            },
            "message": describe_together([sign]),
        }
        for sign in signs
    ]
