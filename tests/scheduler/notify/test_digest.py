"""A sweep in a few lines: what they say is what the store says."""

import re
from io import StringIO

import pytest
from rich.console import Console

from scheduler.cli.console.output import Output
from scheduler.cli.results import show_results
from scheduler.engine.tick import take_back
from scheduler.engine.work_left import read_progress, read_work, share_work
from scheduler.errors import UnknownSweep
from scheduler.notify.digest import FailureCause, build_digest
from scheduler.report_inputs import gather_inputs
from scheduler.settings import read_settings
from scheduler.state import keys, views
from scheduler.state.runs.incidents import Incidents
from scheduler.state.store import Meter
from sweeps.analysis.grid_cells import best_cell
from sweeps.planning.plan import Run
from sweeps.report.compose import compose
from sweeps.report.document import describe_caveats
from sweeps.report.markdown import render_markdown
from sweeps.stage import Json, Plan
from tests.scheduler.night import LEASE, STALL, Night
from tests.scheduler.plans import COST, evaluate, plan, scaling, single, train


def grid(sweep: str = "s") -> Plan:
    """Two cells on each of two data sets, measured on holdout and validation."""
    stages = [evaluate(f"{data}{rate}") for data in ("code", "prose") for rate in (1, 2)]
    runs = [
        Run({"data": stage.id[9:-1], "train.rank": int(stage.id[-1])}, 0, None, {"nll": stage.id}) for stage in stages
    ]
    return plan(sweep, stages, runs)


def test_every_stage_is_counted_once_and_where_it_is(night: Night) -> None:
    night.submit(scaling("s", [8, 16, 32], seeds=1), limit=50_000)
    night.do("evaluate-base", "s", {"nll": 3.0})
    night.fail(night.start("train-n8s0", "s"), "the loss is no number")
    night.start("train-n16s0", "s")
    night.spread()
    digest = build_digest(night.store, "s")
    assert (digest.succeeded, digest.failed, digest.skipped, digest.running, digest.not_started) == (1, 1, 1, 1, 3)
    assert digest.stages == 7
    conclusion, counts, money, *_ = digest.text.splitlines()
    assert conclusion == digest.conclusion.sentence
    assert describe_caveats(digest.conclusion) == "", "the conclusion has the reason, and it is told once"
    assert re.findall(r"\d+ \w+", counts) == ["1 of", "7 stages", "1 failed", "1 skipped", "1 running", "3 not"]
    assert re.findall(r"\$[\d.]+", money) == ["$0.0010", "$0.0500"]


def test_caveats_follow_the_conclusion_on_a_line_of_their_own(night: Night) -> None:
    night.submit(scaling("s", [8, 16], seeds=1), limit=50_000, spec={"experiment": "data_scaling"})
    night.do("evaluate-base", "s", {"nll": 3.0})
    for size, loss in ((8, 2.5), (16, 2.0)):
        night.do(f"train-n{size}s0", "s")
        night.do(f"evaluate-n{size}s0", "s", {"nll": loss})
    digest = build_digest(night.store, "s")
    caveats = describe_caveats(digest.conclusion)
    assert caveats
    assert digest.text.splitlines()[:2] == [digest.conclusion.sentence, caveats]


def test_what_could_start_and_is_kept_from_it_is_parked_and_the_gate_is_named(night: Night) -> None:
    night.submit(single("s", 3))
    lease = night.start("train-0000", "s")
    night.store.give_back(lease, (0, 0), delay=60, failure="", cost="exact", cause="402")  # type: ignore[arg-type]  # plain values do
    night.spread()
    digest = build_digest(night.store, "s")
    assert (digest.parked, digest.not_started, digest.parked_by) == (1, 2, "")
    night.store.client.hset(keys.sweep("s"), "gate", "budget")
    assert build_digest(night.store, "s").text.startswith("0 of 3 stages done, 3 held back (budget)\n")
    night.tell("pause_sweep", "s")
    assert build_digest(night.store, "s").parked_by == "paused"
    night.tell("cancel_sweep", "s")
    assert (build_digest(night.store, "s").parked, build_digest(night.store, "s").parked_by) == (0, "")


def test_the_best_cell_of_each_data_set_is_told_by_the_metric_that_the_file_names(night: Night) -> None:
    spec = {"best": {"metric": "accuracy", "mode": "max"}}
    night.submit(grid(), spec=spec)
    for stage, accuracy in {"code1": 0.5, "code2": 0.75, "prose1": 0.9}.items():
        night.do(f"evaluate-{stage}", "s", {"nll": accuracy, "accuracy": accuracy})
    code, prose = build_digest(night.store, "s").best
    assert code == "best on code: train.rank=2: accuracy 0.7500; not clearly worse: train.rank=1"
    assert prose == "best on prose: train.rank=1: accuracy 0.9000"


def test_without_a_word_in_the_file_the_lowest_loss_is_best_and_validation_decides(night: Night) -> None:
    night.submit(grid())
    for stage, (seen, held_out) in {"code1": (1.0, 2.0), "code2": (3.0, 1.0)}.items():
        night.do(f"evaluate-{stage}", "s", {"validation.nll": seen, "nll": held_out})
    assert build_digest(night.store, "s").best == (
        "best on code: train.rank=1: nll 2.0000; not clearly worse: train.rank=2",
    )


def test_of_methods_that_are_measured_on_several_data_sets_the_best_on_each_is_told(night: Night) -> None:
    runs = [
        Run({"method": name}, 0, None, {f"{on}.nll": f"evaluate-{name}{on}" for on in ("code", "law")})
        for name in ("a", "b")
    ]
    question = plan("s", [evaluate(f"{name}{on}") for name in ("a", "b") for on in ("code", "law")], runs)
    data: dict[str, Json] = {"code": {}, "law": {}}
    night.submit(question, spec={"experiment": "compare", "evaluate": [{"name": "nll"}], "data": data})
    for stage, loss in {"acode": 1.0, "bcode": 2.0, "alaw": 4.0, "blaw": 3.0}.items():
        night.do(f"evaluate-{stage}", "s", {"nll": loss})
    first, second = build_digest(night.store, "s").best
    assert first.startswith("best: method=a: code.nll 1.0000")
    assert second.startswith("best: method=b: law.nll 3.0000")


def test_the_best_is_the_one_that_the_results_name(night: Night) -> None:
    """By raw means rank 2 would win, which lacks the seed that costs all cells 1."""
    losses = {(1, 0): 1.0, (1, 1): 2.0, (2, 0): 1.1, (3, 0): 1.5, (3, 1): 2.5}
    runs = [Run({"train.rank": rank}, seed, None, {"nll": f"evaluate-{rank}{seed}"}) for rank, seed in losses]
    night.submit(plan("s", [evaluate(f"{rank}{seed}") for rank, seed in losses], runs), spec={"experiment": "grid"})
    for (rank, seed), loss in losses.items():
        night.do(f"evaluate-{rank}{seed}", "s", {"nll": loss})
    (sentence,) = build_digest(night.store, "s").best
    best = best_cell(views.read_results(night.store, "s"), metric="nll").best
    assert best is not None
    assert best.cell == {"train.rank": 1}
    assert sentence.startswith("best: train.rank=1: nll 1.5000 (sd 0.7071 over the seeds); ")


def test_the_most_frequent_causes_come_first_with_a_stage_to_look_at(night: Night) -> None:
    night.submit(single("s", 6))
    for number, cause in enumerate(["rare", "loss 1e30 at step 3", "loss nan at step 12", "x" * 500]):
        night.fail(night.start(f"train-000{number}", "s"), cause)
    night.spread()
    digest = build_digest(night.store, "s")
    assert digest.failures[:2] == (
        FailureCause("loss 1e30 at step 3", 2, "train 0001"),
        FailureCause("rare", 1, "train 0000"),
    )
    assert max(map(len, digest.text.splitlines())) < 200, "a phone is small"


def test_how_long_yet_is_reckoned_from_what_was_done_since_it_started(night: Night) -> None:
    night.submit(single("before", 2))
    for number in range(2):
        night.do(f"train-000{number}", "before")
    night.submit(single("s", 10))
    night.clock.pass_seconds(3600)
    for number in range(2, 6):
        assert build_digest(night.store, "s").seconds_left is None or number == 5
        lease = night.start(f"train-000{number}", "s")
        night.clock.pass_seconds(10)
        night.succeed(lease)
        night.spread()
    assert build_digest(night.store, "s").seconds_left == pytest.approx(4 * 10), (
        "two were known, and waiting has no pace"
    )
    assert build_digest(night.store, "s").text.splitlines()[-1].count("40 s") == 1
    night.tell("pause_sweep", "s")
    night.clock.pass_seconds(36_000)
    night.tell("resume_sweep", "s")
    assert build_digest(night.store, "s").seconds_left is None, "nor has a pause"


def test_what_is_left_is_weighed_by_its_expected_cost(night: Night) -> None:
    """Five cheap stages end in ten seconds each; one is left that is expected to cost as much as all five."""
    cheap = [train(f"{number}", cost=COST // 5) for number in range(5)]
    night.submit(plan("s", [*cheap, train("large", cost=COST)]))
    for stage in cheap:
        lease = night.start(stage.id, "s")
        night.clock.pass_seconds(10)
        night.succeed(lease)
        night.spread()
    assert build_digest(night.store, "s").seconds_left == pytest.approx(50)
    lease = night.start("train-large", "s")
    assert night.store.report_progress(lease, Meter(1, 1), {"step": 4, "steps": 16})
    night.spread()
    work, progress = read_work(night.store, "s"), read_progress(night.store, "s")
    assert progress == {**{stage.id: 1.0 for stage in cheap}, "train-large": 0.25}
    assert share_work(work, progress, {cheap[0].id: 1.0}) == pytest.approx((0.8 * COST + COST / 4, 0.75 * COST))


def end_outage(night: Night) -> None:
    night.store.scripts.run("resume_service", "offline")
    assert night.run_lua("return move_breaker('offline', 'open', 'closed', 'a canary was healthy') and 1 or 0") == 1


def test_outages_and_lost_attempts_while_the_sweep_ran_are_counted(night: Night) -> None:
    night.store.stop_service("offline", "402")  # before it began
    end_outage(night)
    night.submit(single("s", 2))
    night.start("train-0000", "s")
    assert build_digest(night.store, "s").incidents == Incidents()
    night.clock.pass_seconds(LEASE + 1)
    take_back(night.store, stall=STALL)
    night.store.stop_service("offline", "402")
    night.clock.pass_seconds(90)
    during = build_digest(night.store, "s")
    assert during.incidents == Incidents(1, 90.0, 1)
    assert {"1 outage: 2 min in all", "1 attempt was lost with its worker"} <= {*during.text.splitlines()}
    end_outage(night)
    night.clock.pass_seconds(3600)
    assert build_digest(night.store, "s").incidents == Incidents(1, 90.0, 1)
    report = compose(gather_inputs(night.store, "s", 0))
    shown = StringIO()
    show_results(night.store, read_settings({}), "s", Output("table", Console(file=shown, width=400, markup=False)))
    for face in (render_markdown(report, None), shown.getvalue()):
        assert Incidents(1, 90.0, 1).sentence in face
    assert Incidents().sentence == ""


def test_the_untrained_model_is_no_rival_of_the_best_size(night: Night) -> None:
    losses = {(0, 0): 3.0, (8, 0): 2.0, (8, 1): 2.1, (16, 0): 1.0, (16, 1): 1.1}
    runs = [
        Run({"data": "code", "size": size}, seed, None, {"nll": f"evaluate-{size}s{seed}"}) for size, seed in losses
    ]
    night.submit(plan("s", [evaluate(f"{size}s{seed}") for size, seed in losses], runs))
    for (size, seed), loss in losses.items():
        night.do(f"evaluate-{size}s{seed}", "s", {"nll": loss})
    (best,) = build_digest(night.store, "s").best
    assert best.endswith("over the seeds)")


def test_of_sizes_none_is_called_the_best(night: Night) -> None:
    night.submit(scaling("s", [8, 16], seeds=2), spec={"experiment": "data_scaling"})
    for size, seed in ((8, 0), (8, 1), (16, 0), (16, 1)):
        night.do(f"train-n{size}s{seed}", "s")
        night.do(f"evaluate-n{size}s{seed}", "s", {"nll": 3.0 - size / 10 + seed / 10})
    digest = build_digest(night.store, "s")
    assert (digest.best, digest.conclusion.claim) == ((), "more_data_helps")


def test_a_sweep_that_nobody_submitted_has_no_digest(night: Night) -> None:
    with pytest.raises(UnknownSweep):
        build_digest(night.store, "nobody")


def test_the_best_may_be_what_was_not_trained(night: Night) -> None:
    stages = [evaluate(name) for name in ("base", "sl")]
    runs = [
        Run({"method": method}, 0, None, {"nll": stage.id}) for method, stage in zip((None, "sl"), stages, strict=True)
    ]
    night.submit(plan("s", stages, runs), spec={"experiment": "compare", "equal": {"tokens": 1}})
    for stage, loss in zip(stages, (1.0, 2.0), strict=True):
        night.do(stage.id, "s", {"nll": loss})
    assert build_digest(night.store, "s").best == ("best: method=untrained: nll 1.0000; not clearly worse: method=sl",)
