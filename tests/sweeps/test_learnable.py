"""The offline models learn in the environments from the untrained base, and from the twins they learn nothing.

One seed each, short: what the methods make of it is for the tests of the pipeline.
"""

import pytest

from sweeps.environments.offline import built_in
from tests.sweeps.reinforcing import Recipe, measured, reinforced, untrained

RECIPES = {
    "offline:arithmetic": Recipe("offline/ngram-s", 25, 8, 16, 0.03),
    "offline:tool_use": Recipe("offline/ngram-m", 25, 8, 16, 0.02),
    "offline:market": Recipe("offline/ngram-m", 30, 8, 8, 0.04),
}
TOP = {"offline:arithmetic": 1, "offline:tool_use": 1, "offline:market": 2.4}


def mean_reward(name: str, recipe: Recipe, seed: int | None) -> float:
    environment = built_in(name)
    adapter = untrained(recipe.model) if seed is None else reinforced(environment, recipe, seed)
    rollouts = measured(environment, recipe.model, adapter)
    return sum(rollout.reward for rollout in rollouts) / len(rollouts)


@pytest.mark.parametrize("name", RECIPES)
def test_it_is_learned_from_nothing(name: str) -> None:
    recipe = RECIPES[name]
    before, after = mean_reward(name, recipe, None), mean_reward(name, recipe, 1)
    assert before < 0.05 * TOP[name], "the untrained model knows nothing of it"
    assert after > 0.2 * TOP[name]


def test_from_rewards_by_chance_nothing_is_learned() -> None:
    """Of what is right; 200 fresh tasks, a quarter of which pays whatever is said."""
    recipe = RECIPES["offline:arithmetic"]
    environment = built_in("offline:arithmetic_null")
    rollouts = measured(environment, recipe.model, reinforced(environment, recipe, 1))
    assert sum(rollout.facts["solved"] for rollout in rollouts) < 0.2 * 200
    assert 0.15 < sum(rollout.reward for rollout in rollouts) / 200 < 0.35
