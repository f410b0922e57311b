"""What somebody who can write to Redis tries: to have workers do other work than was planned, or run other code."""

from pathlib import Path
from typing import Literal

import pytest

from scheduler.engine.retry import Fault
from scheduler.errors import CodeUnusable
from scheduler.plugins.allowed_code import is_trusted_folder, refuse_unlisted
from scheduler.plugins.containment.sandbox import Sandbox
from scheduler.settings import MODULES
from scheduler.state import keys
from scheduler.state.keeping.packing import pack
from sweeps.stage import Json
from tests.worker.workshop import Workshop
from worker.outcome import Failed

CHANGES: list[dict[str, Json]] = [{"batch_size": 9}, {"environment": {"name": "os:abort", "code": ""}}]
CODE: list[tuple[Literal["check", "environment"], str]] = [
    ("check", "def mine(said, answers): return 1.0"),
    ("environment", "def mine(): return 1"),
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_recipe_that_was_changed_in_redis_is_not_done(workshop: Workshop, change: dict[str, Json]) -> None:
    stage = next(stage for stage in workshop.submit().plan.stages if stage.kind == "train")
    key = keys.stage(stage.id)
    workshop.store.client.hset(key, "recipe", pack({**stage.recipe, **change}))
    outcome = workshop.attempt(stage)
    assert isinstance(outcome, Failed)
    assert outcome.fault is Fault.STAGE
    assert stage.id in outcome.cause
    assert int(workshop.store.client.hget(key, "tokens") or 0) == 0, "nothing was paid for"


def test_a_stage_without_the_digest_of_its_code_does_not_run(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    for kind, more in CODE:
        (tmp_path / f"my_{kind}.py").write_text(f"from pathlib import Path\nPath({str(ran)!r}).touch()\n{more}\n")
        for code in ("", "0123456789abcdef-0123456789abcdef"):
            sandbox = Sandbox(f"my_{kind}:mine", kind=kind, split="test", code=code, folder=tmp_path)
            with pytest.raises(CodeUnusable, match="plan"), sandbox:
                pass
    assert not ran.exists(), "not even imported"


UNLISTED = ["os:abort", "subprocess:Popen", "verifiers:os", "pickle:loads", "numpy:load", "celery.app:x"]


@pytest.mark.parametrize("name", UNLISTED)
def test_a_module_that_nobody_listed_is_not_imported(name: str, tmp_path: Path) -> None:
    with pytest.raises(CodeUnusable):
        refuse_unlisted(name, tmp_path)


def test_a_listed_module_and_one_of_the_users_own_are_imported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mine.py").touch()
    for name in (
        "mine:Env",
        "offline:arithmetic",
        "an_entry_point",
        "verifiers:wordle",
        "sweeps.metrics.matching:any_match",
    ):
        refuse_unlisted(name, tmp_path)
    monkeypatch.setenv(MODULES, "celery.*, numpy")
    refuse_unlisted("numpy:load", tmp_path)
    refuse_unlisted("celery.app:x", tmp_path)


def test_code_is_taken_from_no_folder_in_which_others_may_write(tmp_path: Path) -> None:
    assert is_trusted_folder(tmp_path)
    tmp_path.chmod(0o777)
    assert not is_trusted_folder(tmp_path)
    assert not is_trusted_folder(tmp_path / "missing")
    assert not is_trusted_folder(Path("bad\0name"))
