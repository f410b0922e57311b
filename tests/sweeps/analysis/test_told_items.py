"""What few items tell: it carries its denominator on every face, wins nothing, and is compared over common items."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from sweeps import RunResult, best_cell, compare, item_key
from sweeps.analysis.change_estimate import change
from sweeps.analysis.idle_policies import list_idle
from sweeps.analysis.item_analysis import choose_items
from sweeps.analysis.told_items import Told, count_told
from sweeps.environments import list_numbers
from sweeps.environments.market import Market
from sweeps.evaluation.episode_evaluator import PlayedEpisode
from sweeps.evaluation.item_rows import ItemRow
from sweeps.evaluation.task_completion import TASK_COMPLETION
from sweeps.experiments.conclude_sweep import conclude_sweep
from sweeps.report.compose import compose, compose_answer, list_facts
from sweeps.report.inputs import Material
from sweeps.report.table_cells import TableCell
from sweeps.stage import Json
from sweeps.stats.paired_items import ItemKey, Items
from sweeps.stats.proportions import wilson_interval
from tests.sweeps.report_faces import FACES
from tests.sweeps.reports import list_tables, material

METRIC = "episode.recovered"
EPISODES = 200
TOLD: Mapping[str | None, int] = {None: 1, "sl": 120, "rl": 90}  # how many episodes had an error to recover from


def play(method: str | None, seed: int) -> list[PlayedEpisode]:
    """The first episodes tell whether they recovered: the untrained model's one did, of sl .7, of rl .5."""
    share = {None: 1.0, "sl": 0.7, "rl": 0.5}[method]
    facts = [
        {"recovered": float((task * 7 + seed) % 10 < 10 * share)} if task < TOLD[method] else {}
        for task in range(EPISODES)
    ]
    return [PlayedEpisode(task, float(task % 2), 3, numbers, "") for task, numbers in enumerate(facts)]


def evaluate(cells: Mapping[ItemKey, list[PlayedEpisode]], named: Mapping[ItemKey, Mapping[str, Json]]) -> Material:
    """A comparison, measured by the evaluator itself."""
    rows, items = list[RunResult](), dict[ItemKey, list[ItemRow]]()
    for key, episodes in cells.items():
        measured = TASK_COMPLETION.measure(episodes, {})
        rows.append(RunResult(named[key], key[1], "succeeded", measured.metrics, stage=None))
        items[key] = list(measured.rows)
    spec = {"experiment": "compare", "best": {"metric": METRIC, "mode": "max"}, "evaluate": [{"name": "nll"}]}
    return material("compare", rows, items={"task_completion": items}, spec=spec, curves=())


@pytest.fixture(scope="module")
def recovering() -> Material:
    runs = [(method, seed) for method in TOLD for seed in range(3 if method else 1)]
    keys = {item_key({"method": method}, seed): (method, seed) for method, seed in runs}
    return evaluate(
        {key: play(*run) for key, run in keys.items()}, {key: {"method": method} for key, (method, _) in keys.items()}
    )


def test_one_episode_of_two_hundred_wins_nothing(recovering: Material) -> None:
    comparison = compare(recovering.rows, metric=METRIC, items=recovering.items["task_completion"])
    assert {contestant.name: contestant.told for contestant in comparison.contestants} == {
        None: Told(1, 200), "sl": Told(360, 600), "rl": Told(270, 600),
    }  # fmt: skip
    untrained = comparison.contestants[0].estimate
    assert untrained
    assert untrained.mean == 1.0, "it is the best by its mean alone"
    first, second = compose_answer(recovering).answer[0].split(" Not ranked")
    assert first.startswith("episode.recovered: sl 0.")
    assert "360 of 600" in first
    assert "untrained 1.0000 (1 of 200)" in second


def test_differences_are_over_the_items_that_both_tell_and_few_are_not_clear(recovering: Material) -> None:
    comparison = compare(recovering.rows, metric=METRIC, items=recovering.items["task_completion"])
    pairs = {(difference.one, difference.other): difference for difference in comparison.differences}
    own = [row.values for row in recovering.items["task_completion"][item_key({"method": "sl"}, 0)]]
    few = pairs["sl", None].by_item
    assert few
    assert few.items == 1
    assert not pairs["sl", None].clear
    assert not pairs["sl", None].after_holm
    both = pairs["rl", "sl"].by_item
    assert both
    assert both.items == 90
    assert pairs["rl", "sl"].estimate.mean == pytest.approx(both.mean)
    assert sum("recovered" in values for values in own) == 120


@pytest.mark.parametrize("face", FACES)
def test_every_face_shows_the_denominator(recovering: Material, face: str) -> None:
    text = FACES[face](compose_answer(recovering))
    assert "1.0000 (1 of 200)" in text
    assert "360 of 600" in text


KINDS: Mapping[str, tuple[Mapping[str, Json], Sequence[Mapping[str, Json]]]] = {
    "one cell": ({"experiment": "grid", "best": {"metric": METRIC, "mode": "max"}}, [{"rank": 4}]),
    "grid": ({"experiment": "grid", "best": {"metric": METRIC, "mode": "max"}}, [{"rank": 4}, {"rank": 8}]),
    "no direction": ({"experiment": "grid", "metrics": [{"metric": METRIC}]}, [{"rank": 4}, {"rank": 8}]),
    "compare": ({"experiment": "compare", "best": {"metric": METRIC, "mode": "max"}}, [{"method": "a"}]),
    "data_scaling": (
        {"experiment": "data_scaling", "metrics": [{"metric": METRIC, "mode": "max"}]},
        [{"data": "d", "size": 16}, {"data": "d", "size": 32}],
    ),
    "transfer": (
        {"experiment": "transfer", "metrics": [{"metric": METRIC, "mode": "max"}]},
        [{"source": source, "target": "t", "size": 16} for source in (None, "s")],
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_shows_behind_its_means_how_many_items_tell_them(kind: str) -> None:
    """Of three seeds: 30 of 100 items tell it in each."""
    spec, cells = KINDS[kind]
    rows = [RunResult(cell, seed, "succeeded", {METRIC: 0.5 + seed / 100}) for cell in cells for seed in range(3)]
    played = [ItemRow(task, {"recovered": float(task % 2)} if task < 30 else {"reward": 1.0}) for task in range(100)]
    kept = {item_key(row.cell, row.seed): played for row in rows}
    report = compose_answer(Material("night", "finished", spec, rows, items={"task_completion": kept}))
    for face, show in FACES.items():
        assert "90 of 300" in show(report), face


def test_every_run_has_its_own_and_programs_are_told_too(recovering: Material) -> None:
    cells = [cell for table in list_tables(compose(recovering).evidence) for row in table.rows for cell in row]
    assert TableCell("1.0000 (1 of 200)", 1.0) in cells
    assert sum("(120 of 200)" in cell.text for cell in cells) == 6, "the fact of three seeds, and the rate by it"
    (untrained,) = (
        difference
        for difference in list_facts(recovering)["differences"]
        if (difference["one"], difference["other"]) == ("sl", None)
    )
    assert untrained["by_item"]["items"] == 1
    assert untrained["told"] == {"one": {"items": 360, "of": 600}, "other": {"items": 1, "of": 200}}
    assert untrained["clear"] is False


def test_a_change_is_over_common_items_before_and_after_too(recovering: Material) -> None:
    kept = recovering.items["task_completion"]
    before, after = ({seed: kept[item_key({"method": name}, seed)] for seed in range(3)} for name in ("sl", "rl"))
    difference = change(before, after, metric=METRIC)
    assert difference
    assert (difference.items, difference.left_out) == (90, 30)
    assert difference.after - difference.before == pytest.approx(difference.mean)
    few = change({0: kept[item_key({"method": None}, 0)]}, after, metric=METRIC)
    assert few
    assert (few.items, few.clear) == (1, False)
    shown = {(row["metric"], row["items"], row["left_out"]) for row in list_facts(recovering)["changes"]}
    assert (METRIC, 1, 119) in shown


def test_a_few_common_items_that_all_change_are_not_clear() -> None:
    """Ten of ten that both tell went from 0 to 1: by p alone, 2·2^-10, that would be clear."""
    rows = {
        side: [ItemRow(at, {"f": side} if at < 10 or at % 2 == side else {}) for at in range(40)] for side in (0, 1)
    }
    difference = change({0: rows[0]}, {0: rows[1]}, metric="episode.f")
    assert difference
    assert (difference.items, difference.mean) == (10, 1.0)
    assert difference.p < 0.05
    assert not difference.clear


def test_a_grid_has_no_winner_by_few_items() -> None:
    items_with_fact = {1: 200, 2: 150, 3: 2}
    runs = [
        RunResult({"rank": rank}, 0, "succeeded", {METRIC: 1.0 if rank == 3 else rank / 4}) for rank in items_with_fact
    ]
    items: Items = {
        item_key(run.cell, 0): [
            ItemRow(at, {"recovered": run.metrics[METRIC]} if at < items_with_fact[int(str(run.cell["rank"]))] else {})
            for at in range(200)
        ]
        for run in runs
    }
    chosen = best_cell(runs, metric=METRIC, mode="max", items=items)
    assert chosen.best
    assert chosen.best.cell == {"rank": 2}
    assert [cell.cell["rank"] for cell in chosen.cells] == [2, 1, 3]
    spec: dict[str, Json] = {"experiment": "grid", "best": {"metric": METRIC, "mode": "max"}}
    assert choose_items(spec, runs)["task_completion"].runs is None, "all are read: how many tell it decides"
    told_by = material("grid", runs, items={"task_completion": items}, spec=spec, curves=())
    for face in FACES.values():
        assert "2 of 200" in face(compose_answer(told_by))
    few = best_cell(runs[2:], metric=METRIC, mode="max", items=items)
    assert few.best is None


def test_a_fact_of_right_and_wrong_is_a_share_as_far_as_intervals_go(recovering: Material) -> None:
    """Its evaluator does not know that it is one; its episodes do."""
    comparison = compare(recovering.rows, metric=METRIC, items=recovering.items["task_completion"])
    levels = [contestant.estimate for contestant in comparison.contestants if contestant.name]
    assert [level.interval for level in levels if level] == [
        pytest.approx(wilson_interval(0.7 * 120, 120), abs=1e-9),
        pytest.approx(wilson_interval(0.5 * 90, 90), abs=1e-9),
    ]
    assert {difference.estimate.span for difference in comparison.differences} == {(-1.0, 1.0)}


def test_without_items_the_answer_says_that_it_is_not_known_how_many_tell(recovering: Material) -> None:
    unread = replace(recovering, items={})
    assert "not known" in compose_answer(unread).answer[0]
    assert "not known" not in compose_answer(recovering).answer[0]


def test_what_few_items_tell_has_no_law() -> None:
    rows = [
        RunResult({"data": "d", "size": size}, 0, "succeeded", {"faithfulness": 1 - size**-0.5})
        for size in (16, 32, 64, 128, 256, 512)
    ]
    items = {
        item_key(row.cell, 0): [ItemRow(at, {"faithfulness": 1.0} if at < 5 else {}) for at in range(80)]
        for row in rows
    }
    spec: dict[str, Json] = {"experiment": "data_scaling", "target": {"metric": "faithfulness", "above": 0.9}}
    (fit,) = list_facts(material("data_scaling", rows, spec=spec, items={"rag": items}, curves=()))["fits"]
    assert fit["law"] is None
    assert "5 of 80" in fit["refused"]


def test_what_every_item_tells_has_no_denominator() -> None:
    runs = [RunResult({"method": None}, 0, "succeeded", {"accuracy": 0.5})]
    items = {item_key({"method": None}, 0): [ItemRow(at, {"accuracy": at % 2}) for at in range(6)]}
    counts = count_told(runs, "accuracy", items)
    assert counts == Told(6, 6)
    assert not counts.is_too_few, "a small holdout is all there is; its intervals say so"
    assert count_told(runs, "accuracy", None) is None


def test_a_drawdown_of_zero_without_a_trade_is_said_to_be_that() -> None:
    """Played in the market itself: who always stays as it is, flat, and who goes with the trend."""
    market, named, played = Market(), dict[ItemKey, Mapping[str, Json]](), dict[ItemKey, list[PlayedEpisode]]()
    for method in (None, "rl"):
        episodes = []
        for task in range(30):
            episode, done, reward = market.episode(task, "test"), False, 0.0
            facts: dict[str, float] = {}
            while not done:
                turn = episode.step("h" if method is None else episode.expert())
                done, facts, reward = turn.done, list_numbers(turn.facts), reward + turn.reward
            episodes.append(PlayedEpisode(task, reward, 4, facts, ""))
        cell: dict[str, Json] = {"method": method}
        named[item_key(cell, 0)], played[item_key(cell, 0)] = cell, episodes
    material = evaluate(played, named)
    ((cell_of_it, zero, count),) = list_idle(material.rows, material.items)
    assert (cell_of_it, count) == ({"method": None}, 30)
    assert {"episode.drawdown", "episode.return", "episode.sharpe"} <= {*zero}
    assert not any(name.startswith(("episode.hold_", "episode.random_")) for name in zero)
    assert list_facts(material)["idle"] == [{"cell": {"method": None}, "facts": zero, "episodes": 30}]
    for face in FACES.values():
        assert "0 in all 30 episodes" in face(compose_answer(material))


def test_a_policy_that_pays_for_orders_that_are_not_understood_never_acts_either() -> None:
    """Its reward is below 0; one that loses by trading acts, and so does one that only calls a tool."""
    policies: dict[str, tuple[float, dict[str, float]]] = {
        "mumbles": (-0.3, {"turnover": 0.0, "pnl": 0.0, "drawdown": 0.0, "refused": 3.0}),
        "loses": (-0.3, {"turnover": 2.0, "pnl": -0.3, "drawdown": 0.3, "refused": 0.0}),
        "calls": (-0.1, {"calls": 1.0, "drawdown": 0.0}),
        "answers": (0.5, {"calls": 0.0, "drawdown": 0.0}),
        "silent": (0.0, {"drawdown": 0.0}),
    }
    cells: dict[str, dict[str, Json]] = {name: {"method": name} for name in policies}
    played = {
        item_key(cells[name], 0): [PlayedEpisode(task, reward, 1, facts, "") for task in range(3)]
        for name, (reward, facts) in policies.items()
    }
    material = evaluate(played, {item_key(cell, 0): cell for cell in cells.values()})
    idle = {str(cell["method"]): zero for cell, zero, _ in list_idle(material.rows, material.items)}
    assert idle == {
        "mumbles": ["episode.drawdown", "episode.pnl", "episode.turnover"],
        "silent": ["episode.drawdown"],
    }
    assert "idle_policy" in conclude_sweep(material).caveats
