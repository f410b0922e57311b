"""Signs of not having learnt: each where the numbers show it, none where they do not, and none that is refuted."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sweeps.analysis.learning_evidence import weigh_signs
from sweeps.analysis.learning_signs import FEWEST, ORDER, judge_training, list_learning_signs, measure_noise
from sweeps.analysis.learning_words import WORDS, describe_running, describe_signs, list_sign_facts
from sweeps.results import RunResult
from sweeps.training.learning_facts import collect_learning_facts

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "methods.md"
SL = {"method": "sl", "data": {"size": 100_000}, "batch_size": 7}
RL = {"method": "rl", "groups": 4, "group_size": 8, "temperature": 1.0}


def lose(values: Any) -> dict[str, Any]:
    """The facts of an `sl` with these losses."""
    return collect_learning_facts([{"train_mean_nll": float(value)} for value in values], SL)


def play(rewards: Any, mixed: Any, **more: Any) -> dict[str, Any]:
    """The facts of an `rl` with these rewards, and so many groups that differ."""
    rows = [
        {"reward": float(reward), "num_learnt": 8 * int(some), "num_mixed": int(some), "num_lost": 0, **more}
        for reward, some in zip(rewards, mixed, strict=True)
    ]
    return collect_learning_facts(rows, RL)


def prefer(accuracy: float, loss: float = 0.5, kl: float = 0.1, pairs: int = 16) -> dict[str, Any]:
    """The facts of a `dpo` of 16 steps that ends like this."""
    rows = [
        {
            "dpo_loss": 0.6931 + (loss - 0.6931) * step / 15,
            "accuracy": accuracy if step else 0.5,
            "margin": 0.0,
            "kl": kl * step / 15,
            "num_sequences": 2 * pairs,
        }
        for step in range(16)
    ]
    return collect_learning_facts(rows, {**SL, "method": "dpo"})


def noisy(start: float, end: float, steps: int = 40, sd: float = 0.05, seed: int = 0) -> Any:
    return np.linspace(start, end, steps) + np.random.default_rng(seed).normal(0, sd, steps)


@pytest.mark.parametrize(
    ("facts", "codes"),
    [
        (lose(noisy(3, 2)), []),
        (lose([3, 1, 1, 1, 1, 1, 1, 1]), []),
        (lose([3.0] * 12), ["loss_flat"]),
        (lose(np.linspace(3, 2.9999, 12)), ["loss_flat"]),
        (lose(noisy(2, 3)), ["loss_rose"]),
        (lose(noisy(2, 2, sd=0.01)), ["loss_flat"]),
        (lose([3.0]), []),  # one step: its loss is that of the start
        (lose([3.0, 2.5]), []),
        (lose([3.0, 3.1]), ["loss_flat"]),
        (prefer(0.9), []),
        (prefer(0.52), ["at_chance"]),
        (prefer(0.5, 0.6931), ["at_chance"]),
        (prefer(0.3, 0.9), ["at_chance"]),
        (prefer(0.9, 0.6931), ["loss_flat"]),
        (prefer(0.9, kl=5.0), ["moved_far"]),
        (play(noisy(0, 1, 20), [3] * 20), []),
        (play([0.0] * 20, [0] * 20), ["no_group_differed"]),
        (play([0.0] * 20, [2, 2, *[0] * 18]), ["groups_alike", "reward_flat"]),
        (play([*np.linspace(0, 1, 8), *[1.0] * 12], [3] * 8 + [0] * 12), ["groups_alike"]),  # solved
        (play(noisy(0.1, 0.9, 20), [1] * 10 + [0] * 10, num_mixed=0.3), ["few_groups"]),
        (play(noisy(0.1, 0.9, 20), [3] * 20, kl_start=2.0), ["moved_far"]),
        (play([0.5, 0.5], [2, 2]), ["few_iterations"]),
        (play([0.0, 0.0], [0, 0]), ["no_group_differed", "few_iterations"]),
        (play(noisy(0.5, 0.5, 20), [2] * 20), ["reward_flat"]),
        (play(noisy(0.9, 0.1, 20), [2] * 20), ["reward_fell"]),
        (play(noisy(0.1, 0.1, 20), [2] * 20, cut_turns=0.95), ["reward_flat", "actions_cut"]),
        (play(noisy(0.1, 0.9, 20), [2] * 20, cut_turns=0.95), []),
        (play(noisy(0.1, 0.1, 20), [2] * 20, unfinished=1.0), ["reward_flat", "episodes_unfinished"]),
        (play(noisy(0.1, 0.9, 20), [2] * 20, num_lost=10), ["episodes_lost"]),
        (play(noisy(0.1, 0.9, 20), [2] * 20, kl_sample_train=0.3), ["sampler_differs"]),
        ({"method": "sl", "steps": 0}, []),
    ],
)
def test_each_sign_is_shown_by_its_numbers_alone(facts: Mapping[str, Any], codes: list[str]) -> None:
    assert judge_training(facts) == codes


def test_noise_alone_is_seldom_called_a_rise_or_a_fall() -> None:
    """Two standard errors on either side: about 1 in 20; where noise may hide a fall, the end decides what is said."""
    steady = [lose(noisy(3, 3, 24, sd=0.4, seed=seed)) for seed in range(400)]
    assert sum("loss_rose" in judge_training(facts) for facts in steady) <= 0.06 * 400
    falling = [lose(noisy(3, 2, 24, sd=0.2, seed=seed)) for seed in range(400)]
    assert not any(judge_training(facts) for facts in falling)
    rewarded = [play(noisy(0.5, 0.5, 24, sd=0.1, seed=seed), [2] * 24) for seed in range(400)]
    assert sum("reward_fell" in judge_training(facts) for facts in rewarded) <= 0.06 * 400


def test_a_training_that_runs_is_judged_from_the_tenth_step_on() -> None:
    assert judge_training(play([0.0] * (FEWEST - 1), [0] * (FEWEST - 1)), running=True) == []
    facts = play([0.0] * FEWEST, [0] * FEWEST)
    assert judge_training(facts, running=True) == ["no_group_differed"]
    assert str(FEWEST) in describe_running(facts)
    assert describe_running(lose(noisy(3, 2))) == ""


def run(cell: dict[str, Any], seed: int, stage: str | None, *before: str, **metrics: float) -> RunResult:
    return RunResult(cell, seed, "succeeded", metrics, stage=stage, before=before)


ALIKE = play([0.25] * 2 + [0.0] * 8, [1, 1, *[0] * 8])


def test_the_seeds_of_a_cell_are_told_together_with_where_what_and_what_to_try() -> None:
    rows = [run({"rank": rank}, seed, f"t{rank}{seed}") for rank in (8, 16) for seed in (1, 0, 2)]
    facts = {"t81": ALIKE, "t80": ALIKE, "t82": play(noisy(0, 1, 20), [3] * 20)}
    signs = list_learning_signs(rows, facts)
    assert [(sign.code, sign.seeds, sign.all_seeds, sign.stages) for sign in signs if sign.code == "groups_alike"] == [
        ("groups_alike", (0, 1), 3, ("t80", "t81"))
    ]
    (line,) = describe_signs(signs, [row.cell for row in rows])
    assert "rank=8" in line
    assert re.search(r"\b0, 1\b", line), "the seeds"
    assert re.search(r"\b3\b", line), "from this iteration on"
    for advice in ("group_size", "SL", "partial"):
        assert advice in line


def test_the_advice_follows_the_numbers() -> None:
    def advise(facts: Mapping[str, Any]) -> str:
        return describe_signs(list_learning_signs([run({}, 0, "t")], {"t": facts}))[0]

    assert "temperature (0.1)" in advise({**ALIKE, "temperature": 0.1})
    solved = play([*np.linspace(0, 1, 8), *[1.0] * 12], [3] * 8 + [0] * 12)
    assert "harder" in advise(solved)
    assert "group_size" not in advise(solved)
    assert "kl_penalty" in advise({**ALIKE, "first_entropy": 1.0, "entropy": 0.001})


def test_a_training_that_many_cells_need_is_told_once_and_at_its_place_in_the_chain() -> None:
    rows = [
        run({"method": "sl"}, 0, "a"),
        run({"method": "then"}, 0, "b", "a"),
        run({"method": "only"}, 0, "d", "c"),
        run({"method": "also"}, 0, "e", "c"),
    ]
    signs = list_learning_signs(rows, dict.fromkeys("abcde", lose([3.0] * 8)))
    counts = {(sign.cell["method"], sign.place, sign.chain): sign.stages for sign in signs}
    assert counts == {
        ("sl", 1, 1): ("a",),
        ("then", 2, 2): ("b",),
        ("only", 1, 2): ("c",),
        ("only", 2, 2): ("d",),
        ("also", 2, 2): ("e",),
    }


def compare(before: list[float], after: list[float], *, chain: tuple[str, ...] = ()) -> list[RunResult]:
    cells: tuple[tuple[str | None, list[float]], ...] = ((None, before), ("sl", after))
    return [
        run({"method": method}, seed, method and f"t{seed}", *(chain if method else ()), nll=value)
        for method, values in cells
        for seed, value in enumerate(values)
    ]


FLAT = {f"t{seed}": lose([3.0] * 8) for seed in range(3)}


def test_a_clear_improvement_of_the_evaluation_refutes_that_nothing_moved() -> None:
    rows = compare([3.0], [2.0, 2.1, 2.05])
    assert len(list_learning_signs(rows, FLAT)) == 1
    assert weigh_signs(list_learning_signs(rows, FLAT), rows) == ()


@pytest.mark.parametrize("after", [[3.0, 3.0, 3.0], [3.2, 3.3, 3.1], [2.0, 3.9, 2.9]])
def test_no_improvement_or_one_within_its_interval_refutes_nothing_and_is_not_named(after: list[float]) -> None:
    rows = compare([3.0], after)
    (sign,) = weigh_signs(list_learning_signs(rows, FLAT), rows)
    assert sign.improved is None


def test_an_improvement_of_one_seed_or_of_a_chain_is_named_beside_the_sign() -> None:
    for rows in (compare([3.0], [2.5]), compare([3.0], [2.5, 2.51, 2.52], chain=("first",))):
        (sign,) = weigh_signs(list_learning_signs(rows, FLAT), rows)
        assert sign.improved is not None
        (line,) = describe_signs([sign])
        assert {"nll", "3"} <= set(re.findall(r"[\w.]+", line))
        assert "2.5" in line


def test_a_metric_is_better_in_its_own_direction() -> None:
    rows = [run({"method": None}, 0, None, accuracy=0.2), run({"method": "sl"}, 0, "t0", accuracy=0.5)]
    (sign,) = weigh_signs(list_learning_signs(rows, FLAT), rows)
    assert sign.improved is not None
    rows = [run({"method": None}, 0, None, accuracy=0.5), run({"method": "sl"}, 0, "t0", accuracy=0.2)]
    (sign,) = weigh_signs(list_learning_signs(rows, FLAT), rows)
    assert sign.improved is None


def test_what_is_counted_is_not_refuted_but_the_improvement_is_named() -> None:
    rows = compare([3.0], [2.0, 2.1, 2.05])
    never = {f"t{seed}": play([0.0] * 12, [0] * 12) for seed in range(3)}
    (sign,) = weigh_signs(list_learning_signs(rows, never), rows)
    assert sign.code == "no_group_differed"
    assert sign.improved is not None
    assert sign.improved.clear


def test_of_many_conditions_the_first_are_written_out_and_the_rest_counted() -> None:
    rows = [run({"size": size}, 0, f"t{size}") for size in range(9)]
    lines = describe_signs(list_learning_signs(rows, {f"t{size}": lose([3.0] * 8) for size in range(9)}))
    assert len(lines) == 4
    assert "6" in lines[-1]


def test_every_sign_has_words_and_a_row_on_the_page() -> None:
    assert set(WORDS) == set(ORDER)
    (part,) = re.findall(r"^## Signs of not having learnt\n(.*?)^## ", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert re.findall(r"^\| `(\w+)` \*? ?\|", part, re.MULTILINE)[: len(ORDER)] == list(ORDER)


def test_the_numbers_are_given_to_programs_as_they_were_kept() -> None:
    still, worse = lose([3.0] * 12), lose([1.0] * 6 + [3.0] * 6)
    rows = [run({"a": 1}, 4, "t")]
    assert not list_learning_signs(rows, {"t": lose([3.0] * 8)}, running={"t"}), "eight steps tell nothing yet"
    assert not list_learning_signs(rows, {"t": still}, running={"t"}), "what has not moved yet may still move"
    (fact,) = list_sign_facts(list_learning_signs(rows, {"t": worse}, running={"t"}))
    assert (fact["code"], fact["cell"], fact["seeds"], fact["running"]) == ("loss_rose", {"a": 1}, [4], True)
    assert fact["facts"] == [worse]


def test_one_metric_of_many_that_is_better_by_chance_refutes_nothing() -> None:
    """Of three seeds, an improvement that is clear alone, among metrics that did not move."""
    still = dict.fromkeys(("bits_per_byte", "brier", "ece", "source.nll", "other.nll"), 1.0)
    rows = [
        run({"method": method}, seed, method and f"t{seed}", nll=value, **still)
        for method, values in ((None, [3.0]), ("sl", [2.9, 2.88, 2.86]))
        for seed, value in enumerate(values)
    ]
    (sign,) = weigh_signs(list_learning_signs(rows, FLAT), rows)
    assert sign.improved is not None
    assert (sign.improved.metric, sign.improved.clear) == ("nll", False)


def test_values_that_are_not_finite_improve_nothing() -> None:
    rows = compare([3.0], [float("nan"), 2.0, 2.0])
    (sign,) = weigh_signs(list_learning_signs(rows, FLAT), rows)
    assert sign.improved is None


def list_codes(facts: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """The signs of one cell of these trainings, and the stages that show each."""
    rows = [run({"a": 1}, seed, stage) for seed, stage in enumerate(facts)]
    return {sign.code: sign.stages for sign in list_learning_signs(rows, facts)}


def test_seeds_together_tell_a_trend_from_noise_that_one_cannot() -> None:
    falling = {f"t{seed}": lose(noisy(3, 2.9, 24, sd=0.15, seed=seed)) for seed in range(8)}
    alone = [judge_training(facts) for facts in falling.values()]
    assert [] in alone
    assert ["loss_flat"] in alone, "else there is nothing to tell"
    assert list_codes(falling) == {}
    steady = {f"t{seed}": lose(noisy(3, 3.02, 24, sd=0.15, seed=seed)) for seed in range(8)}
    assert list_codes(steady) == {"loss_flat": tuple(steady)}


def test_a_seed_that_became_far_worse_is_named_though_the_others_did_not() -> None:
    played = {f"t{seed}": play(noisy(0.1, 0.9, 24, seed=seed), [2] * 24) for seed in range(5)}
    assert list_codes({**played, "t3": play(noisy(0.9, 0.1, 24), [2] * 24)}) == {"reward_fell": ("t3",)}
    lost = {f"t{seed}": lose(noisy(3, 2, 24, seed=seed)) for seed in range(5)}
    assert list_codes({**lost, "t2": lose(noisy(2, 3, 24))}) == {"loss_rose": ("t2",)}


def test_in_many_cells_noise_is_hardly_ever_called_worse() -> None:
    cells = [
        {f"t{seed}": lose(noisy(3, 3, 24, sd=0.4, seed=9 * cell + seed)) for seed in range(3)} for cell in range(200)
    ]
    assert sum("loss_rose" in list_codes(cell) for cell in cells) <= 0.02 * len(cells)


def test_an_improvement_below_what_rounding_moves_is_none() -> None:
    rows = compare([3.0], [2.9991, 2.99912, 2.99911])
    (sign,) = weigh_signs(list_learning_signs(rows, FLAT), rows)
    assert sign.improved is None


def test_the_noise_of_what_is_compared_is_named_and_seeds_make_it_smaller() -> None:
    steady = [lose(noisy(3, 3, 32, sd=0.2, seed=seed)) for seed in range(4)]
    alone, together = measure_noise(steady[:1]), measure_noise(steady)
    assert alone == pytest.approx(2 * 0.2 * (2 / 8) ** 0.5, rel=0.5)
    assert together == pytest.approx(alone / 2, rel=0.5)
    rows = [run({}, seed, f"t{seed}") for seed in range(4)]
    (line,) = describe_signs(list_learning_signs(rows, {f"t{seed}": lose([3.0, 3.2] * 8) for seed in range(4)}))
    assert f"{measure_noise([lose([3.0, 3.2] * 8)] * 4):.2g}" in line
