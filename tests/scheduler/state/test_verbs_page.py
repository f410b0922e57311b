"""The page in front of the verbs names each verb, prelude and key, in the words of the scripts and of keys.py."""

import ast
import inspect
import itertools
import re
from pathlib import Path

from scheduler.state import keys
from scheduler.state.scripts import PRELUDES, load_verbs

LUA = Path(keys.__file__).parent / "lua"
ROW = re.compile(r"^\| `([^`]+)` \| (.*) \|$", re.MULTILINE)
PAGE = (LUA / "README.md").read_text()
ROWS = {name.replace("\\|", "|"): text.replace("\\|", "|") for name, text in ROW.findall(PAGE)}


def read_guarantee(verb: str) -> str:
    """The header of a verb up to its arguments."""
    lines = (LUA / f"{verb}.lua").read_text().splitlines()
    header = lines[: next(number for number, line in enumerate(lines) if not line.startswith("--"))]
    return " ".join(line.removeprefix("--").strip() for line in header).partition(" Arguments:")[0]


def read_keys() -> dict[str, str]:
    """Each key without the prefix, `<…>` for what varies -> its docstring."""
    tree = ast.parse(inspect.getsource(keys)).body
    pages = {
        str(getattr(keys, ast.unparse(name.targets[0]))): ast.literal_eval(text.value)
        for name, text in itertools.pairwise(tree)
        if isinstance(name, ast.Assign) and isinstance(text, ast.Expr)
    }
    for _, function in inspect.getmembers(keys, inspect.isfunction):
        places = [f"<{name.removesuffix('_id')}>" for name in inspect.signature(function).parameters]
        pages[function(*places)] = inspect.getdoc(function)
    return {name.removeprefix(keys.PREFIX): text for name, text in pages.items()}


def test_the_page_names_every_file_and_every_key_and_nothing_else() -> None:
    assert sorted(ROWS) == sorted([*load_verbs(), *PRELUDES, *read_keys()])


def test_the_page_says_of_each_verb_what_its_header_says() -> None:
    assert {verb: ROWS[verb] for verb in load_verbs()} == {verb: read_guarantee(verb) for verb in load_verbs()}


def test_the_page_says_of_each_key_what_its_docstring_says() -> None:
    assert {name: ROWS[name] for name in read_keys()} == read_keys()


def test_each_header_names_arguments_and_answer() -> None:
    for verb in load_verbs():
        text = (LUA / f"{verb}.lua").read_text()
        assert "\n-- Arguments: " in text, verb
        assert "\n-- Answers " in text, verb
