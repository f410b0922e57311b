"""A name leads to an environment and to what its code is known by; whatever is no environment is refused in words."""

import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.errors import CodeUnusable
from scheduler.plugins.user_environments import code_of, load

MINE = """
from sweeps.environments import Shape, Turn

class Episode:
    prompt = "say yes"
    def step(self, action):
        return Turn(reward=float(action == "yes"), done=True)

class Mine:
    version = 1
    shape = Shape()
    stop = ("\\n",)
    def episode(self, seed, split):
        return Episode()

MADE = Mine()
def make(): return MADE
def needs(one): return MADE
def fails(): raise RuntimeError("no GPU here")
def leaves(): raise SystemExit(3)
"""
FAULTS = {
    "version = 1": {
        "version = '1'": "its version is '1'; a whole number is right",
        "version = True": "its version is True",
        "versoin = 1": "a Mine was found, without version",
        "version = property(lambda self: 1 / 0)": r"to look at it raised ZeroDivisionError",
    },
    "shape = Shape()": {
        "shape = ((1, 1), (1, 1), (1, 1))": "its shape is .*; sweeps.environments.Shape.* is right",
        "shape = Shape(turns=(2, 1))": r"its shape says turns=\(2, 1\); \(least, most\) is right",
        "shape = Shape(turns=(0, 1))": r"its shape says turns=\(0, 1\)",
        "shape = Shape(action=(1, 1.5))": r"its shape says action=\(1, 1.5\)",
        "shape = Shape(action=8)": "its shape says action=8",
        "shape = Shape(observation=(0, 10**9))": "its shape says observation=.* from 0 to 10,000,000",
    },
    'stop = ("\\n",)': {
        'stop = "\\n"': "its stop is .*; a tuple of texts is right, none of them empty",
        'stop = ("",)': "its stop is",
        "stop = (1,)": "its stop is",
    },
    "def episode(self, seed, split):": {"episode = 3\n    def other(self, seed, split):": "its episode is 3; a method"},
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
    environment = load(f"mine_env:{attribute}", folder)
    assert environment.episode(1, "train").step("yes") == ("", 1.0, True, {})


def test_modules_are_found_where_the_command_stands(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert load("mine_env:Mine").version == 1


def test_a_module_of_ours_or_of_pythons_is_not_hidden_by_a_file_of_the_same_name(folder: Path) -> None:
    (folder / "colorsys.py").write_text("raise RuntimeError('hidden')")
    with pytest.raises(CodeUnusable, match=r"has no 'Mine'; it has .*rgb_to_hsv"):
        load("colorsys:Mine", folder)


def test_an_entry_point_is_named_plainly(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = importlib.metadata.EntryPoint("mine", "mine_env:Mine", "tinker_sweeps.environments")
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: [entry] if group == entry.group else [])
    assert load("mine", folder).version == 1
    assert code_of("mine", folder) == code_of("mine_env:Mine", folder)
    with pytest.raises(CodeUnusable, match=r"no environment 'yours': the entry points of .* are mine;"):
        load("yours", folder)


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("mine_env:Yours", r"has no 'Yours'; it has Shape, Turn, Episode, Mine, MADE"),
        (
            "mine_env:Shape",
            "mine_env:Shape is no environment: a Shape was found, without version, shape, stop, episode",
        ),
        ("mine_env:needs", "called without arguments, raised TypeError: .*missing 1"),
        ("mine_env:fails", r"raised RuntimeError: no GPU here \(mine_env.py, line \d+\)"),
        ("mine_env:leaves", "raised SystemExit: 3"),
        ("yours_env:Mine", "there is no module 'yours_env'; it was looked for .* where the command stands"),
        ("wrong_env:Mine", r"to import wrong_env raised SyntaxError"),
        ("asking_env:Mine", r"there is no module 'not_installed'$"),
        (":Mine", "is no name of an environment; offline:NAME, package.module:attribute"),
        ("mine_env:", "is no name of an environment"),
        ("", "is no name of an environment"),
        ("a\nb", "is no name of an environment"),
        ("offline:nothing", "offline:nothing"),
    ],
)
def test_what_is_no_environment_is_refused_in_words(folder: Path, name: str, cause: str) -> None:
    (folder / "wrong_env.py").write_text("def")
    (folder / "asking_env.py").write_text("import not_installed")
    with pytest.raises(CodeUnusable, match=cause):
        load(name, folder)


@pytest.mark.parametrize(
    ("right", "wrong", "cause"),
    [(right, wrong, cause) for right, faults in FAULTS.items() for wrong, cause in faults.items()],
)
def test_what_is_not_as_the_protocol_says_is_named(folder: Path, right: str, wrong: str, cause: str) -> None:
    assert right in MINE
    (folder / "odd_env.py").write_text(MINE.replace(right, wrong))
    with pytest.raises(CodeUnusable, match=cause):
        load("odd_env:Mine", folder)


def test_the_code_is_known_by_the_source_and_the_version(folder: Path) -> None:
    def code(source: str, name: str = "mine_env:Mine") -> str:
        for path in folder.glob("*.py"):
            path.unlink()
        (folder / "mine_env.py").write_text(source)
        (folder / "again_env.py").write_text("from mine_env import Mine, MADE")
        _forget(set())
        return code_of(name, folder)

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
    with pytest.raises(CodeUnusable, match=r"verifiers cannot be imported .* `pip install 'verifiers<0.3'`"):
        load("verifiers:gsm8k", folder)
