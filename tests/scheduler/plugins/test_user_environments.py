"""A name leads to an environment and to what its code is known by; whatever is no environment is refused in words."""

import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.errors import CodeUnusable
from scheduler.plugins.user_environments import load_environment, read_code_digest
from tests.wording import naming

MINE = """
from sweeps.environments import EpisodeShape, Turn

class Episode:
    prompt = "say yes"
    def step(self, action):
        return Turn(reward=float(action == "yes"), done=True)

class Mine:
    version = 1
    shape = EpisodeShape()
    stop = ("\\n",)
    def episode(self, seed, split):
        return Episode()

MADE = Mine()
def make(): return MADE
def needs(one): return MADE
def fails(): raise RuntimeError("no GPU here")
def leaves(): raise SystemExit(3)
"""
# What is wrong in the source of an environment -> the values that the error names.
FAULTS: dict[str, dict[str, tuple[str, ...]]] = {
    "version = 1": {
        "version = '1'": ("version", "'1'"),
        "version = True": ("version", "True"),
        "versoin = 1": ("Mine", "version"),
        "version = property(lambda self: 1 / 0)": ("ZeroDivisionError",),
    },
    "shape = EpisodeShape()": {
        "shape = ((1, 1), (1, 1), (1, 1))": ("shape", "((1, 1), (1, 1), (1, 1))", "sweeps.environments.EpisodeShape"),
        "shape = EpisodeShape(turns=(2, 1))": ("shape", "turns", "(2, 1)", "(least, most)"),
        "shape = EpisodeShape(turns=(0, 1))": ("turns", "(0, 1)"),
        "shape = EpisodeShape(action=(1, 1.5))": ("action", "(1, 1.5)"),
        "shape = EpisodeShape(action=8)": ("action", "8"),
        "shape = EpisodeShape(observation=(0, 10**9))": ("observation", "1000000000", "0 to 10,000,000"),
    },
    'stop = ("\\n",)': {
        'stop = "\\n"': ("stop", "'\\n'", "tuple"),
        'stop = ("",)': ("stop", "('',)"),
        "stop = (1,)": ("stop", "(1,)"),
    },
    "def episode(self, seed, split):": {
        "episode = 3\n    def other(self, seed, split):": ("episode", "3", "(seed, split)")
    },
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    (tmp_path / "mine_env.py").write_text(MINE)
    yield tmp_path
    _forget(before)


def _forget(before: set[str]) -> None:
    for name in set(sys.modules) - before:
        if name.endswith("_env"):
            del sys.modules[name]


@pytest.mark.parametrize("attribute", ["Mine", "MADE", "make"])
def test_an_environment_may_be_named_itself_or_by_what_makes_it(folder: Path, attribute: str) -> None:
    environment = load_environment(f"mine_env:{attribute}", folder)
    assert environment.episode(1, "train").step("yes") == ("", 1.0, True, {})


def test_modules_are_found_where_the_command_stands(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert load_environment("mine_env:Mine").version == 1


def test_a_module_of_ours_or_of_pythons_is_not_hidden_by_a_file_of_the_same_name(folder: Path) -> None:
    (folder / "colorsys.py").write_text("raise RuntimeError('hidden')")
    with pytest.raises(CodeUnusable, match=naming("'Mine'", "rgb_to_hsv")):
        load_environment("colorsys:Mine", folder)


def test_an_entry_point_is_named_plainly(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = importlib.metadata.EntryPoint("mine", "mine_env:Mine", "tinker_sweeps.environments")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [entry] if group == entry.group else [])
    assert load_environment("mine", folder).version == 1
    assert read_code_digest("mine", folder) == read_code_digest("mine_env:Mine", folder)
    with pytest.raises(CodeUnusable, match=naming("'yours'", "tinker_sweeps.environments", " mine")):
        load_environment("yours", folder)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("mine_env:Yours", ("'Yours'", "EpisodeShape", "Turn", "Episode", "Mine", "MADE")),
        ("mine_env:EpisodeShape", ("mine_env:EpisodeShape", "version", "shape", "stop", "episode")),
        ("mine_env:needs", ("TypeError", "missing 1")),
        ("mine_env:fails", ("RuntimeError", "no GPU here", "mine_env.py, line ")),
        ("mine_env:leaves", ("SystemExit", "3")),
        ("yours_env:Mine", ("'yours_env'", "SWEEP_ENVIRONMENTS")),
        ("wrong_env:Mine", ("wrong_env", "SyntaxError")),
        ("asking_env:Mine", ("'not_installed'",)),
        (":Mine", ("':Mine'", "offline:NAME", "package.module:attribute")),
        ("mine_env:", ("'mine_env:'",)),
        ("", ("''",)),
        ("a\nb", (r"'a\nb'",)),
        ("offline:nothing", ("offline:nothing",)),
    ],
)
def test_what_is_no_environment_is_refused_in_words(folder: Path, name: str, values: tuple[str, ...]) -> None:
    (folder / "wrong_env.py").write_text("def")
    (folder / "asking_env.py").write_text("import not_installed")
    with pytest.raises(CodeUnusable, match=naming(*values)):
        load_environment(name, folder)


def test_where_a_module_was_looked_for_is_only_said_of_the_one_that_was_named(folder: Path) -> None:
    (folder / "asking_env.py").write_text("import not_installed")
    with pytest.raises(CodeUnusable) as caught:
        load_environment("asking_env:Mine", folder)
    assert "SWEEP_ENVIRONMENTS" not in str(caught.value)


@pytest.mark.parametrize(
    ("right", "wrong", "values"),
    [(right, wrong, values) for right, faults in FAULTS.items() for wrong, values in faults.items()],
)
def test_what_is_not_as_the_protocol_says_is_named(
    folder: Path, right: str, wrong: str, values: tuple[str, ...]
) -> None:
    assert right in MINE
    (folder / "odd_env.py").write_text(MINE.replace(right, wrong))
    with pytest.raises(CodeUnusable, match=naming("odd_env:Mine", *values)):
        load_environment("odd_env:Mine", folder)


def test_the_code_is_known_by_the_source_and_the_version(folder: Path) -> None:
    def code(source: str, name: str = "mine_env:Mine") -> str:
        for path in folder.glob("*.py"):
            path.unlink()
        (folder / "mine_env.py").write_text(source)
        (folder / "again_env.py").write_text("from mine_env import Mine, MADE")
        _forget(set())
        return read_code_digest(name, folder)

    changed = MINE.replace('"yes"', '"no"')
    assert code(MINE) == code(MINE)
    assert code(MINE) != code(changed)
    assert code(MINE) != code(MINE.replace("version = 1", "version = 2"))
    for name in ("again_env:Mine", "again_env:MADE"):
        assert code(MINE, name) != code(changed, name), "the file that holds the class counts, wherever it is named"


def test_without_the_library_an_environment_of_verifiers_is_refused_with_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "verifiers", None)
    with pytest.raises(CodeUnusable, match=naming("verifiers:gsm8k", "`pip install 'verifiers<0.3'`")):
        load_environment("verifiers:gsm8k", folder)
