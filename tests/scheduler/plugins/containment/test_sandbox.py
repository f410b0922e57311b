"""What an environment does wrong costs the episode in which it did: it is named, and the others go on as ever."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from scheduler.errors import CodeUnusable
from scheduler.plugins.containment.sandbox import Sandbox, SandboxLimits
from scheduler.plugins.containment.validate_returns import InvalidReturn, read_facts
from scheduler.settings import Isolation
from sweeps.environments import Text, Turn
from sweeps.environments.trials import LostEpisode
from tests.support import wait_until
from tests.worker import trials
from worker.held_lease import LeaseLost

ROOT = Path(__file__).parents[4]
TRIALS = "tests.worker.trials"
PATIENT = SandboxLimits(step=60, memory=2**29)
HASTY = SandboxLimits(step=2, memory=2**29)
INNOCENT = dict(enumerate((1, 2, 3, 201, 202, 203)))

Record = list[Text | Turn | LostEpisode]

NAMED = {
    101: r"raised ValueError: no such move \(trials\.py, line \d+\), in step 2 of the episode of seed 101",
    102: r"did not answer within 2 s, in step 2 of the episode of seed 102",
    103: r"ended its process with status 3, in step 2 of the episode of seed 103",
    104: r"was killed by SIGKILL, in step 2 of the episode of seed 104",
    105: r"returned nan as its reward, in step 2 of the episode of seed 105",
    106: r"returned inf as its fact 'solved', in step 2 of the episode of seed 106",
    107: r"returned more than 1,000,000 bytes .* as its observation, in step 2 of the episode of seed 107",
    108: r"ran out of the memory that it may have \(0.5 GiB\), in step 2 of the episode of seed 108",
    109: r"returned a tuple; expected a Turn, in step 2 of the episode of seed 109",
    110: r"returned a bytes as its observation; expected text or messages, in step 2 of .* 110",
    111: r"returned a str as its reward; expected a number, in step 2 of the episode of seed 111",
    112: r"raised SystemExit: enough \(trials\.py, line \d+\), in step 2 of the episode of seed 112",
    113: r"returned more than .* 100,000 parts as its observation, in step 2 of the episode of seed 113",
}
DEADLY = {102, 103, 104, 108}


def sandbox(
    name: str, *, limits: SandboxLimits = PATIENT, code: str | None = None, check: Callable[[], None] = lambda: None
) -> Sandbox:
    return Sandbox(f"{TRIALS}:{name}", split="train", code=code, limits=limits, folder=ROOT, check=check)


def played(stage: Sandbox, tasks: Mapping[int, int]) -> dict[int, Record]:
    """Three steps of all of them at once; what each saw."""
    record: dict[int, Record] = {number: [prompt] for number, prompt in stage.begin(tasks).items()}
    for step in range(3):
        for number, turn in stage.act({number: f"{number}-{step}" for number in tasks}).items():
            record[number].append(turn)
    return record


@pytest.fixture(scope="module")
def undisturbed() -> dict[int, Record]:
    with sandbox("Mixed") as stage:
        record = played(stage, INNOCENT)
    assert stage.starts == 1
    return record


def test_every_way_to_go_wrong_has_its_test() -> None:
    assert {seed for seed in trials.WAYS if seed < 200} == NAMED.keys()
    assert {seed for seed in trials.WAYS if seed > 200} < set(INNOCENT.values())


@pytest.mark.parametrize("seed", NAMED, ids=lambda seed: trials.WAYS[seed].__name__)
def test_what_goes_wrong_costs_its_episode_and_no_other(seed: int, undisturbed: dict[int, Record]) -> None:
    with sandbox("Mixed", limits=HASTY if seed == 102 else PATIENT) as stage:
        record = played(stage, {2: INNOCENT[2], 99: seed, **INNOCENT})
    prompt, first, second, third = record.pop(99)
    assert isinstance(prompt, str)
    assert isinstance(first, Turn)
    assert isinstance(second, LostEpisode)
    assert second == third, "what is broken stays so"
    assert re.fullmatch(NAMED[seed], second.cause), second.cause
    assert record == undisturbed
    assert stage.starts == (2 if seed in DEADLY else 1)


def test_what_prints_forks_or_starts_programs_is_not_wrong(undisturbed: dict[int, Record]) -> None:
    turns = [turn for record in undisturbed.values() for turn in record[1:]]
    assert [turn for turn in turns if not isinstance(turn, Turn)] == []
    assert all(isinstance(record[-1], Turn) and record[-1].done for record in undisturbed.values())


def test_all_at_once_is_like_one_after_the_other(undisturbed: dict[int, Record]) -> None:
    with sandbox("Mixed", limits=HASTY) as stage:
        record = played(stage, {**INNOCENT, **{seed: seed for seed in NAMED if seed not in (107, 108)}})
        assert stage.starts == 4
    assert {number: record[number] for number in INNOCENT} == undisturbed


def test_an_episode_that_plays_otherwise_the_second_time_is_not_deterministic() -> None:
    with sandbox("Forgetful") as stage:
        record = played(stage, {1: 7, 2: 103, 3: 3})
    alone, culprit, innocent = record.values()
    assert alone[2] == LostEpisode(
        "is not deterministic: played again, it answered otherwise, in step 1 of the episode of seed 7"
    )
    assert "status 3" in str(culprit[2])
    assert isinstance(innocent[3], Turn)


def test_a_prompt_can_go_wrong_as_well() -> None:
    with sandbox("Starving") as stage:
        prompts = stage.begin({seed: seed for seed in range(1, 6)})
        turn = stage.act({5: "a"})[5]
    causes = [prompt.cause for prompt in prompts.values() if isinstance(prompt, LostEpisode)]
    assert [cause.partition(",")[0].partition(" (")[0] for cause in causes] == [
        "raised LookupError: no task of that seed",
        "ended its process with status 4",
        "returned an empty prompt",
        "returned a message in its prompt whose content is None",
    ]
    assert all(cause.endswith(f"in the prompt of the episode of seed {seed}") for seed, cause in enumerate(causes, 1))
    assert isinstance(turn, Turn)


def test_a_process_that_dies_between_two_steps_is_nobodys_fault(undisturbed: dict[int, Record]) -> None:
    with sandbox("Mixed") as stage:
        record: dict[int, Record] = {number: [prompt] for number, prompt in stage.begin(INNOCENT).items()}
        for step in range(3):
            house = stage._house
            assert house is not None
            os.kill(house.pid, signal.SIGKILL)
            wait_until(lambda house=house: not house.lives, "the process to die")  # type: ignore[misc]
            for number, turn in stage.act({number: f"{number}-{step}" for number in INNOCENT}).items():
                record[number].append(turn)
    assert record == undisturbed


def test_what_is_forgotten_is_not_played_again() -> None:
    with sandbox("Mixed") as stage:
        stage.begin({1: 103, 2: 102, 3: 3})
        stage.act({1: "a", 2: "a", 3: "a"})
        stage.forget([2, 2, 77])
        assert isinstance(stage.act({1: "b", 3: "b"})[1], LostEpisode)
        assert isinstance(stage.act({3: "c"})[3], Turn)
        assert stage.starts == 2


def test_the_process_knows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TINKER_API_KEY", "REDIS_URL", "SLACK_WEBHOOK", "SWEEP_WEBHOOK_SECRET", "HF_TOKEN", "https_proxy"):
        monkeypatch.setenv(name, "s3cret")
    with sandbox("Telling") as stage:
        prompt = stage.begin({1: 1})[1]
    assert isinstance(prompt, list)
    texts = [message["content"] for message in prompt]
    assert "split=train" in texts
    assert not [text for text in texts if "s3cret" in text]


def test_what_is_known_of_the_environment_is_told_by_the_process() -> None:
    with sandbox("A_COUNTING") as stage:
        assert (stage.version, stage.shape, stage.stop) == (1, trials.Counting.shape, trials.Counting.stop)


def test_other_code_than_was_planned_is_not_played() -> None:
    with (
        pytest.raises(CodeUnusable, match=r"Mixed: .*expected 0123, got"),
        sandbox("Mixed", code="0123"),
    ):
        pytest.fail("it was played")


def test_what_cannot_be_loaded_ends_the_attempt_with_the_cause(tmp_path: Path) -> None:
    (tmp_path / "leaving.py").write_text("import os, sys\nprint('no licence', flush=True)\nos._exit(5)\n")
    for name, cause in (
        ("tests.worker.trials:Missing", "has no 'Missing'"),
        ("nowhere:Environment", "no module 'nowhere'"),
        ("leaving:Environment", r"could not be loaded: it ended its process with status 5 \(.*no licence\)"),
    ):
        with pytest.raises(CodeUnusable, match=cause), Sandbox(name, split="test", folder=tmp_path):
            pytest.fail("it was loaded")


def _list_processes(folder: Path) -> list[int]:
    """List the processes that stand in a folder: what `Leaving` is played by, and what it started."""
    listed = []
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            if process.name.isdigit() and process.joinpath("cwd").readlink() == folder:
                listed.append(int(process.name))
    return listed


def _hangs(folder: Path) -> bool:
    return (folder / "hangs").exists()


@pytest.mark.parametrize("isolation", ["auto", "off"])
def test_a_lease_that_is_lost_while_we_wait_ends_everything(tmp_path: Path, isolation: Isolation) -> None:
    seen: list[int] = []

    def check() -> None:
        if _hangs(tmp_path):
            seen.extend(_list_processes(tmp_path))
            raise LeaseLost("train-1")

    limits, began = SandboxLimits(isolation=isolation), time.monotonic()
    with (
        pytest.raises(LeaseLost),
        Sandbox(f"{TRIALS}:Leaving", split="train", limits=limits, folder=tmp_path, check=check) as stage,
    ):
        stage.begin({1: 1})
    assert time.monotonic() - began < 20, "it did not wait for the step's own time to run out"
    assert len(seen) >= 3, "the leader, the player and what it started"
    wait_until(lambda: not _list_processes(tmp_path), "all to be gone")


def test_a_parent_that_is_killed_leaves_no_child_and_no_folder(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from scheduler.plugins.containment.sandbox import Sandbox\n"
        f"with Sandbox('{TRIALS}:Leaving', split='train', folder=Path(sys.argv[1])) as stage: stage.begin({{1: 1}})"
    )
    (temporary := tmp_path / "temporary").mkdir()
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
    )
    wait_until(lambda: _hangs(tmp_path), "the episode to hang")
    assert len(list(temporary.iterdir())) == 1
    parent.kill()
    parent.wait()
    wait_until(lambda: not _list_processes(tmp_path), "all to be gone")
    wait_until(lambda: not list(temporary.iterdir()), "its folder to be gone")


def test_the_process_starts_with_little() -> None:
    program = "import sys, scheduler.plugins.containment.sandbox_main; print(*sys.modules)"
    ended = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True
    )
    heavy = {"redis", "celery", "tinker", "numpy", "scipy", "pydantic", "httpx", "asyncio", "verifiers"}
    assert heavy & {module.partition(".")[0] for module in ended.stdout.split()} == set()


def test_actions_and_answers_larger_than_a_pipe_do_not_block_each_other() -> None:
    text = "é\n" * 60_000
    with sandbox("A_COUNTING") as stage:
        stage.begin({number: number for number in range(20)})
        turns = stage.act(dict.fromkeys(range(20), text))
    assert all(isinstance(turn, Turn) and str(turn.observation).startswith(text) for turn in turns.values())


def test_many_arenas_at_once_each_have_their_own(undisturbed: dict[int, Record]) -> None:
    records: list[dict[int, Record]] = []

    def play() -> None:
        with sandbox("Mixed") as stage:
            records.append(played(stage, INNOCENT))

    threads = [threading.Thread(target=play) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert records == [undisturbed] * 4


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"pnl": 1.0, "regime": "bull"}, {"pnl": 1.0, "regime": "bull"}),
        ({"pnl": True, "regime": ""}, {"pnl": 1.0, "regime": ""}),
        ({"pnl": "high"}, "'pnl'"),
        ({"role": "buyer", "reward_buyer": 1}, {"role": "buyer", "reward_buyer": 1.0}),
        ({"regime": 3}, {"regime": 3.0}),
        ({"regime": "x" * 101}, "'regime'"),
    ],
)
def test_only_the_regime_and_the_role_are_texts(facts: dict[str, object], expected: dict[str, object] | str) -> None:
    if isinstance(expected, str):
        with pytest.raises(InvalidReturn, match=expected):
            read_facts(facts)
    else:
        assert read_facts(facts) == expected
