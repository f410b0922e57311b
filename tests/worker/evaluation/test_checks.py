"""A check of one's own: what it does wrong costs its verdict, is counted and shown, and ends nothing but itself."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from scheduler.errors import CodeUnusable
from scheduler.plugins.containment.sandbox import Sandbox, SandboxLimits
from scheduler.plugins.user_checks import find_check
from scheduler.prepare import plan_sweep
from scheduler.settings import read_settings
from scheduler.state import keys
from scheduler.state.keeping.packing import unpack
from scheduler.state.stage_causes import read_causes
from sweeps.environments import Turn
from sweeps.environments.trials import LostEpisode
from sweeps.evaluation.answer_evaluator import ModelAnswer
from sweeps.rendering.prompts import PromptItem
from sweeps.spec.parse import parse
from tests.support import read_log
from tests.wording import naming
from tests.worker.results import read_items, read_result
from tests.worker.specs import ANSWERS_SPEC, submit_and_train
from tests.worker.workshop import Workshop, tokens
from worker.attempt import Attempt
from worker.evaluation.checks import AnswerChecker, PromptAnswers
from worker.loss_tally import LossTally
from worker.outcome import StageError, Succeeded

ROOT = Path(__file__).parents[3]
CHECKS = "tests.worker.verdicts"
HASTY = SandboxLimits(step=1, memory=2**29)
NAMED = {
    "raise": r"raised ValueError: no such unit \(verdicts\.py, line \d+\)",
    "steer": r"raised ValueError: \[31mred é \(verdicts\.py, line \d+\)",
    "hang": r"did not answer within 1 s",
    "leave": r"ended its process with status 3 \(it last printed: .*goodbye\)",
    "exit": r"raised SystemExit \(verdicts\.py, line \d+\)",
    "die": r"was killed by SIGKILL.*",
    "starve": r"ran out of the memory that it may have \(0.5 GiB\)",
    "recurse": r"raised RecursionError: .* \(verdicts\.py, line \d+\)",
    "nan": r"returned nan; expected a number from 0 to 1, True, False or 'not applicable'",
    "over": r"returned 1\.5; expected .*",
    "under": r"returned -0\.1; expected .*",
    "text": r"returned a str; expected .*",
    "none": r"returned None; expected .*",
}


def verdicts(answers: Sequence[str], name: str = "odd", code: str | None = None) -> list[Turn | LostEpisode]:
    with Sandbox(f"{CHECKS}:{name}", kind="check", split="test", code=code, limits=HASTY, folder=ROOT) as sandbox:
        sandbox.begin(dict.fromkeys(range(len(answers)), 0))
        return list(sandbox.act({at: json.dumps([text, ["a", "b"]]) for at, text in enumerate(answers)}).values())


def test_what_goes_wrong_costs_its_verdict_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINKER_API_KEY", "s3cret")
    good = {"right": 1, "a": 1, "b": 1, "c": 0, "wrong": 0, "half": 0.5, "print": 1, "secret": 1}
    answers = [*good, *NAMED, *good]
    verdict_at = dict(enumerate(verdicts(answers)))
    for at, text in enumerate(answers):
        verdict = verdict_at[at]
        if text in NAMED:
            assert isinstance(verdict, LostEpisode)
            assert re.fullmatch(NAMED[text], verdict.what), verdict.what
        else:
            assert isinstance(verdict, Turn), verdict
            assert verdict.reward == good[text]


def test_other_code_than_was_planned_is_not_called() -> None:
    assert len(verdicts(["a"], code=find_check(f"{CHECKS}:odd", ROOT).code)) == 1
    with pytest.raises(CodeUnusable, match=f"^{CHECKS}:odd: .*expected 0123, got"):
        verdicts(["a"], code="0123")
    with pytest.raises(CodeUnusable, match="has no 'gone'"):
        verdicts(["a"], name="gone")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        (f"{CHECKS}:gone", ("'gone'", "hopeless")),
        (f"{CHECKS}:KNOWN", (f"{CHECKS}:KNOWN", "{'right': 1")),
        (f"{CHECKS}:Any", (f"{CHECKS}:Any", "typing.Any")),
        (f"{CHECKS}:later", (f"{CHECKS}:later", "coroutine")),
        (f"{CHECKS}:lonely", (f"{CHECKS}:lonely", "(answer: str) -> bool")),
        ("nowhere:check", ("'nowhere'", "SWEEP_ENVIRONMENTS")),
    ],
)
def test_what_is_no_check_is_refused_plainly(name: str, values: tuple[str, ...]) -> None:
    with pytest.raises(CodeUnusable, match=naming(*values)):
        find_check(name, ROOT)


def test_another_text_of_the_module_is_another_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = []
    for body in ("said in answers", "said not in answers"):
        (tmp_path / "mine_to_check.py").write_text(f"def is_right(said, answers):\n    return {body}\n")
        monkeypatch.delitem(__import__("sys").modules, "mine_to_check", raising=False)
        codes.append(find_check("mine_to_check:is_right", tmp_path).code)
    assert len({*codes}) == 2
    assert find_check(f"{CHECKS}:lengths", ROOT).code == find_check(f"{CHECKS}:odd", ROOT).code


def test_what_a_module_prints_when_it_is_looked_at_stands_in_nobodys_output(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "loud_to_check.py").write_text("print('here I am')\ndef is_right(said, answers):\n    return True\n")
    settings = read_settings({"SWEEP_HOME": str(tmp_path), "SWEEP_ENVIRONMENTS": str(tmp_path)})
    spec = ANSWERS_SPEC.replace("EVALUATION", "{answers: {check: 'loud_to_check:is_right'}}")
    plan_sweep(parse(spec), tmp_path, settings)
    assert capsys.readouterr() == ("", "")


def test_a_check_beside_the_sweep_file_is_the_one_that_is_planned_and_run(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for folder, verdict in ((workshop.folder, 1), (tmp_path / "elsewhere", 0)):
        folder.mkdir(exist_ok=True)
        (folder / "beside_to_check.py").write_text(f"def is_right(said, answers):\n    return {verdict}\n")
    monkeypatch.chdir(tmp_path / "elsewhere")
    stage = submit_and_train(workshop, "{answers: {most: 6, check: 'beside_to_check:is_right'}}")[1]
    metrics: Any = read_result(workshop, stage)["metrics"]
    assert metrics["accuracy"] == 1


def test_two_modules_of_one_name_are_refused_and_not_confused(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        (folder / "twin_to_check.py").write_text("def is_right(said, answers):\n    return True\n")
    find_check("twin_to_check:is_right", folders[0])
    with pytest.raises(CodeUnusable, match=naming(*(str(folder / "twin_to_check.py") for folder in folders))):
        find_check("twin_to_check:is_right", folders[1])


@pytest.mark.parametrize(
    "evaluation",
    [
        "{answers: {most: 6, check: 'tests.worker.verdicts:picky'}}",
        "{rag: {most: 6, check: 'tests.worker.verdicts:picky'}}",
    ],
)
def test_items_without_a_verdict_are_kept_counted_and_left_out_of_the_means(
    workshop: Workshop, evaluation: str
) -> None:
    stage = submit_and_train(workshop, evaluation)[1]
    metrics: Any = read_result(workshop, stage)["metrics"]
    rows = read_items(workshop, stage)
    name = parse(ANSWERS_SPEC.replace("EVALUATION", evaluation)).evaluate[0]
    failed = [row for row in rows if "failed" in row]
    assert 0 < len(failed) < len(rows) == 12
    assert metrics[f"unchecked_{name.name}"] == len(failed) / 12
    assert {*metrics} <= {*name.metrics}
    for row in failed:
        assert row["said"], "what was said is kept"
        assert row["failed"].startswith("raised LookupError: no such word as ")
    metric = "accuracy" if name.name == "answers" else "open_book"
    assert metrics[metric] == pytest.approx(np.mean([row[metric] for row in rows if metric in row]))
    assert 0 < metrics[metric] < 1, "a check may give a part of the whole"
    events = [row["detail"] for row in read_log(workshop.store.client)]
    assert any("verdicts:picky failed on" in text for text in events)
    (cause,) = [cause for cause in read_causes(workshop.store, "one") if cause.kind == "check"]
    assert cause.name == "tests.worker.verdicts:picky"
    assert re.search(r"raised LookupError: no such word as .* \(verdicts\.py, line \d+\)", cause.cause)
    assert len(failed) <= (cause.lost or 0) <= (cause.among or 0)


@pytest.mark.parametrize("samples", [1, 3])
def test_an_answer_that_a_check_is_not_about_is_in_no_mean_and_no_failure(workshop: Workshop, samples: int) -> None:
    check = f"{{answers: {{most: 6, samples: {samples}, check: '{CHECKS}:early'}}}}"
    stage = submit_and_train(workshop, check)[1]
    metrics: Any = read_result(workshop, stage)["metrics"]
    rows = read_items(workshop, stage)
    skipped = [row for row in rows if row.get("verdict") == "not applicable"]
    assert 0 < len(skipped) < len(rows) == 12
    assert [row for row in skipped if row.keys() & {"accuracy", "confidence", "right", "brier"}] == []
    assert {len(row["said"]) for row in skipped} == {samples}, "what was said is kept"
    assert metrics["accuracy"] == pytest.approx(np.mean([row["accuracy"] for row in rows if "accuracy" in row]))
    assert metrics["unchecked_answers"] == 0
    assert metrics["cut_answers"] == pytest.approx(np.mean([row["cut_answers"] for row in rows]))


def test_a_sample_that_a_check_is_not_about_is_left_out_and_no_other() -> None:
    texts = ["unknown", "7", "unknown", "8"]
    asked = PromptAnswers(PromptItem(0, "", "", ("7",)), [ModelAnswer(text, 0.5) for text in texts])
    check = {"check": "sweeps.metrics.abstention:accuracy"}
    with AnswerChecker(attempt_with(SandboxLimits()), check, may_skip=True) as checker:
        (scored,) = checker.score([asked])
    assert ([*scored.texts], [*scored.scores], len(scored.skipped)) == (["7", "8"], [1.0, 0.0], 2)


def test_a_check_reads_the_passages_of_its_prompt_if_it_asks_for_them() -> None:
    texts = ["Bern", "Oslo"]
    asked = PromptAnswers(
        PromptItem(0, "", "", ("Oslo",), passages=("It is Bern.", "A hut.")), [ModelAnswer(text, 0.5) for text in texts]
    )
    for check, scores in (("cites", [1.0, 0.0]), ("lengths", None)):
        name = f"{CHECKS}:{check}"
        options = {"check": name, "code": find_check(name, ROOT).code}
        with AnswerChecker(attempt_with(SandboxLimits()), options) as checker:
            (scored,) = checker.score([asked])
        assert scored.failed == ""
        assert scores is None or [*scored.scores] == scores


def test_an_evaluation_of_several_prompts_cannot_leave_one_of_them_out(workshop: Workshop) -> None:
    stages = submit_and_train(workshop, f"{{rag: {{most: 6, check: '{CHECKS}:never'}}}}")
    assert workshop.state(stages[1]) == "failed"
    cause = workshop.store.client.hget(keys.stage(stages[1].id), "cause") or ""
    assert "returned 'not applicable', which only `answers` takes" in cause


def test_a_check_that_fails_on_everything_fails_its_stage_with_the_cause(workshop: Workshop) -> None:
    stages = submit_and_train(workshop, "{answers: {most: 6, check: 'tests.worker.verdicts:hopeless'}}")
    assert workshop.state(stages[1]) == "failed"
    cause = workshop.store.client.hget(keys.stage(stages[1].id), "cause") or ""
    assert re.search(r"hopeless failed on 12 of 12 answers; the first time it raised KeyError: .*verdicts\.py", cause)


def attempt_with(limits: SandboxLimits) -> Attempt:
    context = SimpleNamespace(sandbox=limits)
    return cast(
        Attempt, SimpleNamespace(context=context, code_folder=ROOT, check_own_wait=lambda: None, losses=LossTally())
    )


def test_a_broken_check_is_found_before_all_answers_are_paid_for() -> None:
    name = f"{CHECKS}:hopeless"
    spoken = [PromptAnswers(PromptItem(item, "", "", ("a",)), [ModelAnswer("b", 0.5)]) for item in range(16)]
    with AnswerChecker(attempt_with(SandboxLimits()), {"check": name, "code": find_check(name, ROOT).code}) as checker:
        assert [scored.failed for scored in checker.score(spoken[:15])] != [""] * 15
        with pytest.raises(StageError, match="failed on 16 of 16 answers; the first time it raised KeyError: 'b'"):
            checker.score(spoken[15:])


def test_a_pattern_that_never_ends_costs_its_verdict_and_holds_no_worker_up() -> None:
    spoken = [
        PromptAnswers(PromptItem(at, "", "", (pattern,)), [ModelAnswer("a" * 40, 0.5)])
        for at, pattern in enumerate(["(a+)+b", "a+"])
    ]
    with AnswerChecker(attempt_with(HASTY), {"check": "regex"}) as checker:
        endless, good = checker.score(spoken)
    assert endless.failed == "did not answer within 1 s"
    assert (good.scores, good.failed) == ([1.0], "")


def test_one_that_is_another_than_was_planned_costs_nothing(workshop: Workshop) -> None:
    spec = ANSWERS_SPEC.replace("EVALUATION", f"{{answers: {{check: '{CHECKS}:lengths'}}}}")
    train, evaluate = workshop.submit(spec).plan.stages
    recipe = unpack(workshop.store.client.hget(keys.stage(evaluate.id), "recipe"))
    assert recipe["evaluator"]["code"] == find_check(f"{CHECKS}:lengths", ROOT).code
    recipe["evaluator"]["code"] = "0123"
    workshop.store.client.hset(keys.stage(evaluate.id), "recipe", json.dumps(recipe))
    assert isinstance(workshop.attempt(train), Succeeded)
    assert workshop.state(evaluate) == "failed"
    assert tokens(workshop, evaluate) == 0
