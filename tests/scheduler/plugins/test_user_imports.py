"""Code of somebody's own is known by all of their files that it imports, in whatever way, and by nothing else."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scheduler.plugins.user_checks import find_check
from scheduler.plugins.user_environments import read_code_digest
from scheduler.plugins.user_imports import find_own_files

IMPORTS = [
    "from helper_words import RIGHT",
    "import helper_words",
    "import helper_words as w",
    "import os, helper_words",
    "def later():\n    import helper_words",
    "if 0:\n    from helper_words import *",
    "try:\n    import helper_words\nexcept ImportError:\n    pass",
    "class A:\n    from helper_words import RIGHT",
    "import importlib\nw = importlib.import_module('helper_words')",
    "from importlib import import_module as load\nw = load(name='helper_words')",
    "w = __import__('helper_words')",
    "lazy = lambda: __import__('helper_between')",
    "import helper_between",
    "import helper_package",
    "from helper_package import inner",
    "import helper_package.inner",
    "from helper_package.inner import WORD",
    "def later():\n    import helper_space.within.words",  # folders without __init__.py, not imported yet
    "def later():\n    from helper_space.within import words",
]
CHECK = "\n\ndef is_right(said, answers):\n    return said in answers\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    (tmp_path / "helper_words.py").write_text("RIGHT = ['yes']\n")
    (tmp_path / "helper_between.py").write_text("def far():\n    import helper_words\n    return helper_words\n")
    package = tmp_path / "helper_package"
    package.mkdir()
    (package / "__init__.py").write_text("from .inner import WORD\n")
    (package / "inner.py").write_text("from helper_words import RIGHT\nWORD = RIGHT\n")
    space = tmp_path / "helper_space/within"
    space.mkdir(parents=True)
    (space / "words.py").write_text("import helper_words\n")
    (tmp_path / "helper_stranger.py").write_text("nobody imports this\n")
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def code(folder: Path, name: str) -> str:
    for known in [name for name in sys.modules if name.startswith(("helper_", "my_"))]:
        del sys.modules[known]  # as another command finds it
    return find_check(name, folder).code


@pytest.mark.parametrize("line", IMPORTS)
def test_an_edited_helper_is_another_check(folder: Path, line: str) -> None:
    (folder / "my_check_a.py").write_text(line + CHECK)
    before = code(folder, "my_check_a:is_right")
    (folder / "helper_stranger.py").write_text("RIGHT = 5\n")
    (folder / "data.txt").write_text("RIGHT = 5\n")
    assert code(folder, "my_check_a:is_right") == before
    (folder / "helper_words.py").write_text("RIGHT = ['no!!']\n")
    after = code(folder, "my_check_a:is_right")
    assert after != before
    (folder / "helper_words.py").write_text("RIGHT = ['yes']\n")
    assert code(folder, "my_check_a:is_right") == before


def test_a_package_of_checks_is_known_by_what_stands_beside_and_above(folder: Path) -> None:
    package = folder / "my_package_b" / "checks"
    package.mkdir(parents=True)
    (folder / "my_package_b" / "__init__.py").write_text("")
    (folder / "my_package_b" / "words.py").write_text("RIGHT = 1\n")
    (package / "__init__.py").write_text("")
    (package / "beside.py").write_text("from ..words import RIGHT\nimport importlib\n")
    (package / "main.py").write_text("from . import beside\nfrom .beside import *" + CHECK)
    files = own_files_of(folder, "my_package_b.checks.main")
    assert files == {"__init__.py", "words.py", "beside.py", "main.py"}
    (folder / "my_package_b" / "words.py").write_text(
        "import importlib\nimportlib.import_module('.more', 'my_package_b')\n"
    )
    (folder / "my_package_b" / "more.py").write_text("")
    assert own_files_of(folder, "my_package_b.checks.main") == files | {"more.py"}


def own_files_of(folder: Path, module: str) -> set[str]:
    sys.path.append(str(folder))
    return {file.name for file in find_own_files({module}).values()}


def test_what_is_installed_or_ours_is_not_looked_into(folder: Path) -> None:
    (folder / "my_check_c.py").write_text("import json, numpy, pytest\nfrom sweeps.metrics import matching" + CHECK)
    assert own_files_of(folder, "my_check_c") == {"my_check_c.py"}
    installed = folder / "lib" / "site-packages" / "my_installed"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("from . import part\nimport numpy\n")
    (installed / "part.py").write_text("")
    sys.path.append(str(installed.parent))
    assert own_files_of(folder, "my_installed") == {"__init__.py", "part.py"}, (
        "but an installed check is known by all of its own"
    )
    (folder / "my_check_d.py").write_text("import my_installed" + CHECK)
    assert own_files_of(folder, "my_check_d") == {"my_check_d.py"}


def test_circles_and_what_cannot_be_read_are_no_trouble(folder: Path) -> None:
    (folder / "my_check_e.py").write_text("import my_check_f, nowhere_at_all\nfrom . import odd" + CHECK)
    (folder / "my_check_f.py").write_text("import my_check_e, helper_broken\n")
    (folder / "helper_broken.py").write_text("def (:\n")
    assert own_files_of(folder, "my_check_e") == {"my_check_e.py", "my_check_f.py", "helper_broken.py"}


def test_nothing_is_run_to_find_what_is_imported(folder: Path) -> None:
    (folder / "my_check_g.py").write_text("def lazy():\n    import helper_bomb.part" + CHECK)
    (folder / "helper_bomb").mkdir()
    (folder / "helper_bomb" / "__init__.py").write_text("raise SystemExit('run')\n")
    (folder / "helper_bomb" / "part.py").write_text("raise SystemExit('run')\n")
    assert own_files_of(folder, "my_check_g") == {"my_check_g.py", "__init__.py", "part.py"}


def test_an_environment_is_known_by_its_helpers_too(folder: Path) -> None:
    text = (
        "from sweeps.environments.arithmetic import Arithmetic\nfrom helper_words import RIGHT\n\nmine = Arithmetic()\n"
    )
    (folder / "my_environment_h.py").write_text(text)
    find = f"read_code_digest('my_environment_h:mine', Path({str(folder)!r}))"
    ask = f"from pathlib import Path; from scheduler.plugins.user_environments import read_code_digest; print({find})"
    codes = [read_code_digest("my_environment_h:mine", folder)]
    for words in ("RIGHT = ['other']\n", "RIGHT = ['yes']\n"):
        (folder / "helper_words.py").write_text(words)
        codes.append(
            subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()
        )
    assert codes[0] == codes[2] != codes[1]
