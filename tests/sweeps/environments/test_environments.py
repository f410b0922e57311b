"""The environments that come with it: what may be relied on whatever is done in them."""

from collections.abc import Sequence
from itertools import pairwise, product
from statistics import mean, pstdev

import pytest

from sweeps.environments import Environment, Split
from sweeps.environments.builtin import BUILT_IN, load_builtin
from sweeps.environments.market import AVERSION, COST, EVENTS, SHOWN, Market, Trading, settle_trades
from sweeps.environments.tool_use import Lookup, ToolUse
from sweeps.errors import SpecError
from sweeps.rendering.tokenizer import OfflineTokenizer
from tests.sweeps.playing import PRINTABLE, at_random, expert, fingerprint, mean_reward, play, play_all, repeated

REAL = ("offline:arithmetic", "offline:tool_use", "offline:market")
TWINS = tuple(f"{name}_null" for name in REAL)
LETTERS = {
    "offline:arithmetic": "0123",
    "offline:tool_use": "scawo0123",
    "offline:market": "bsh",
}
PINNED = {
    "offline:arithmetic": (1, "ee1db5e237443733"),
    "offline:tool_use": (1, "c5e724edb6d57f8d"),
    "offline:market": (1, "2b7167b5b2e604da"),
    "offline:arithmetic_null": (1, "c70347171f07c623"),
    "offline:tool_use_null": (1, "83f516eade0b7733"),
    "offline:market_null": (1, "fd70b1d94c49aae1"),
}
SPLITS: tuple[Split, ...] = ("train", "test")
SEEDS = (0, 1, 2**31, 2**63 - 1)


def plays(name: str, key: int = 1) -> Sequence[str]:
    return [*LETTERS[name.removesuffix("_null")], *PRINTABLE[: 3 * key]]


@pytest.mark.parametrize("name", BUILT_IN)
def test_episodes_are_the_same_on_every_machine(name: str) -> None:
    environment = load_builtin(name)
    played = [play(environment, seed, split, at_random(seed, plays(name))) for seed in range(50) for split in SPLITS]
    assert (environment.version, fingerprint(played)) == PINNED[name]


@pytest.mark.parametrize("name", BUILT_IN)
def test_any_seed_and_the_same_actions_make_the_same_episode(name: str) -> None:
    for seed, split in product(SEEDS, SPLITS):
        first, again = (play(load_builtin(name), seed, split, at_random(5, plays(name))) for _ in range(2))
        assert first == again


@pytest.mark.parametrize("name", REAL)
def test_no_task_is_in_both_splits_and_there_are_thousands(name: str) -> None:
    tasks = {split: {_task(name, seed, split) for seed in range(3000)} for split in SPLITS}
    assert not tasks["train"] & tasks["test"]
    assert min(map(len, tasks.values())) > 2000


def _task(name: str, seed: int, split: Split) -> object:
    """What an episode is about, apart from anything that is done in it."""
    episode = load_builtin(name).episode(seed, split)
    return getattr(episode, "_moves", None) or episode._item  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", BUILT_IN)
def test_an_episode_keeps_to_its_shape_and_its_bounds(name: str) -> None:
    environment, tokenizer = load_builtin(name), OfflineTokenizer()
    assert isinstance(environment, Environment)
    turns, action, observation = environment.shape
    for seed in range(300):
        played = play(environment, seed, "train", expert if seed % 2 and name in REAL else at_random(seed, plays(name)))
        assert turns[0] <= len(played.turns) <= turns[1]
        assert all(action[0] <= len(tokenizer.encode(text)) <= action[1] for text in played.actions)
        for turn in played.turns[:-1]:
            assert observation[0] <= len(tokenizer.encode(str(turn.observation))) <= observation[1]
        assert played.turns[-1].observation == ""
        assert -10 <= played.reward <= (10 if "market" in name else 1)


@pytest.mark.parametrize("name", ["offline:arithmetic", "offline:tool_use"])
def test_who_knows_the_task_solves_it_and_earns_one(name: str) -> None:
    for played in play_all(load_builtin(name), expert):
        assert played.reward == pytest.approx(1)
        assert played.solved == 1


@pytest.mark.parametrize("name", ["offline:arithmetic", "offline:tool_use"])
def test_chance_earns_little_even_where_it_knows_the_letters(name: str) -> None:
    assert mean_reward(play_all(load_builtin(name), at_random(7))) < 0.05
    assert mean_reward(play_all(load_builtin(name), at_random(7, LETTERS[name]))) < 0.3


@pytest.mark.parametrize(
    ("action", "reward"), [("3\n", 1), ("3", 1), ("3 ", 1), ("31", 0), (" 3", 0), ("", 0), ("2", 0)]
)
def test_the_number_in_front_is_the_answer(action: str, reward: float) -> None:
    environment = load_builtin("offline:arithmetic")
    seed = next(seed for seed in range(100) if expert(environment.episode(seed, "train")) == "3\n")
    assert environment.episode(seed, "train").step(action) == ("", reward, True, {"solved": reward})


def test_a_tool_that_fails_wants_another_one() -> None:
    seed = next(seed for seed in range(100) if _lookup(seed)._item.error == "late")
    right = _lookup(seed)
    called = right.step(right.expert())
    assert (called.observation, called.done, dict(called.facts)) == (" late ", False, {"solved": 0, "recovered": 0})
    waited = right.step("w")
    assert str(waited.observation).startswith(" found ")
    assert dict(waited.facts) == {"solved": 0, "recovered": 1}
    answered = right.step(str(waited.observation)[7])
    assert (answered.done, dict(answered.facts)) == (True, {"solved": 1, "recovered": 1})
    assert [called.reward, waited.reward, answered.reward] == pytest.approx([0.2, 0.2, 0.6])
    stubborn = _lookup(seed)
    called = stubborn.step(stubborn.expert())
    assert stubborn.step("s") == ("", 0, True, {"solved": 0, "recovered": 0})


def _lookup(seed: int) -> Lookup:
    return ToolUse().episode(seed, "train")


def test_what_decides_an_action_stands_in_the_last_five_characters() -> None:
    """So that a model which sees no more can be right."""
    right: dict[tuple[str, str], set[str]] = {}
    for name, far in (("offline:arithmetic", 4), ("offline:tool_use", 5), ("offline:market", 5)):
        for seed in range(500):
            played = play(load_builtin(name), seed, "train", expert)
            read = [played.prompt, *(str(turn.observation) for turn in played.turns)]
            for text, action in zip(read, played.actions, strict=False):
                right.setdefault((name, text[-far:]), set()).add(action)
    assert {len(actions) for actions in right.values()} == {1}


def test_in_the_market_the_trend_beats_holding_which_beats_chance() -> None:
    trend = play_all(Market(), expert)
    facts = [played.turns[-1].facts for played in trend]
    held = mean(episode["hold_reward"] for episode in facts)
    chance = mean(episode["random_reward"] for episode in facts)
    assert mean_reward(trend) > 1.5
    assert chance < held < 0.25 * mean_reward(trend)
    assert mean(episode["return"] for episode in facts) > mean(episode["hold_return"] for episode in facts) > 0
    assert mean_reward(play_all(Market(), at_random(3))) < 0.1


def test_the_market_accounts_for_what_it_says() -> None:
    """Worked out again from the moves: wealth by wealth, not change by change."""
    for seed in range(100):
        episode = Market().episode(seed, "test")
        moves = episode._moves[SHOWN:]
        played = play(Market(), seed, "test", at_random(seed, "bsh "))
        positions: list[int] = []
        for action in played.actions:
            positions.append({"b": 1, "s": -1, "h": positions[-1] if positions else 0}.get(action, 0))
        facts = played.turns[-1].facts
        for prefix, taken in (("", positions), ("hold_", [1] * EVENTS), ("random_", episode._blind)):
            wealth = _wealth(moves, taken)
            drawdown = max(1 - wealth[late] / max(wealth[: late + 1]) for late in range(len(wealth)))
            changes = [after / before - 1 for before, after in pairwise(wealth)]
            assert facts[f"{prefix}return"] == pytest.approx(wealth[-1] - 1, abs=1e-12)
            assert facts[f"{prefix}drawdown"] == pytest.approx(drawdown, abs=1e-12)
            ratio = mean(changes) / pstdev(changes) if pstdev(changes) > 1e-6 else 0
            assert facts[f"{prefix}sharpe"] == pytest.approx(ratio, abs=1e-6)
            assert {**facts, "reward": played.reward}[f"{prefix}reward"] == pytest.approx(
                100 * (wealth[-1] - 1 - AVERSION * drawdown), abs=1e-9
            )


def _wealth(moves: Sequence[int], positions: Sequence[int]) -> list[float]:
    wealth, before = [1.0], 0
    for move, position in zip(moves, positions, strict=True):
        wealth.append(wealth[-1] * (1 + position * move / 10_000 - COST * abs(position - before)))
        before = position
    return wealth


def test_the_market_shows_the_last_moves_and_the_position() -> None:
    episode = Trading((90, -80, 70, -60, 50, -50, 50))
    assert episode.prompt == "Prices F+-+ "
    bought = episode.step("b")
    assert bought.observation == " L-+- "
    assert bought.facts["return"] == pytest.approx(-0.006 - COST)
    assert episode.step("h").observation == " L+-+ "
    assert episode.step("s").observation == " S-+- "
    assert episode.step("?").done
    assert settle_trades((-60,), (0,)).reward == 0


@pytest.mark.parametrize("name", REAL)
def test_the_twin_shows_the_same_and_pays_by_chance(name: str) -> None:
    real, twin = load_builtin(name), load_builtin(f"{name}_null")
    assert (twin.shape, twin.stop, twin.version) == (real.shape, real.stop, real.version)
    earned: dict[str, list[float]] = {"expert": [], "chance": []}
    for seed in range(400):
        of_real = play(real, seed, "test", expert)
        of_twin = play(twin, seed, "test", repeated(of_real))
        assert [turn._replace(reward=0) for turn in of_real.turns] == [
            turn._replace(reward=0) for turn in of_twin.turns
        ]
        assert of_real.prompt == of_twin.prompt
        assert not any(turn.reward for turn in of_twin.turns[:-1])
        earned["expert"].append(of_twin.reward)
        earned["chance"].append(play(twin, seed, "test", at_random(seed, plays(name))).reward)
    error = (sum(pstdev(rewards) ** 2 for rewards in earned.values()) / 400) ** 0.5
    assert abs(mean(earned["expert"]) - mean(earned["chance"])) < 3 * error


@pytest.mark.parametrize("name", TWINS)
def test_samples_of_one_task_differ_in_what_the_twin_pays(name: str) -> None:
    """Otherwise a method that compares them would learn nothing at all, where it should learn nonsense."""
    rewards = {play(load_builtin(name), 3, "train", at_random(key, plays(name))).reward for key in range(16)}
    assert len(rewards) > 1


def test_a_name_that_is_none_is_told_the_nearest() -> None:
    with pytest.raises(SpecError, match="'offline:tool_usage'; did you mean `offline:tool_use`"):
        load_builtin("offline:tool_usage")
    with pytest.raises(SpecError, match="offline:arithmetic, offline:tool_use, "):
        load_builtin("x")
