"""List the examples of the product (`sweep examples`), and copy one to start from (`sweep new`).

Each example is a folder below `examples/community/`: `sweep.yaml`, its data, and a `README.md` that explains it.
"""

import shlex
import shutil
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import NamedTuple

import click

from scheduler.cli.console.options import OutputPath
from scheduler.cli.console.output import Output
from scheduler.errors import ExampleUnusable
from sweeps.spec.yaml import read

EXAMPLES = Path(__file__).parents[2] / "examples" / "community"
SPEC = "sweep.yaml"
LEFT_OUT = shutil.ignore_patterns("__pycache__", ".*", "*.pyc")


class ExampleFolder(NamedTuple):
    """An example that `sweep new` can copy."""

    name: str
    question: str  # one line, from its sweep file


def list_examples() -> list[ExampleFolder]:
    """List the examples by name. Raises ExampleUnusable where none are installed."""
    return [ExampleFolder(folder.name, _read_question(folder / SPEC)) for folder in _find_folders()]


def _find_folders() -> list[Path]:
    if not EXAMPLES.is_dir():
        raise ExampleUnusable(f"no examples at {EXAMPLES}: run `sweep` from a clone of the project")
    return sorted(path.parent for path in EXAMPLES.glob(f"*/{SPEC}"))


def copy_example(name: str, target: Path) -> list[Path]:
    """Copy the example `name` to the folder `target`, and return what was written, relative to it.

    A folder that exists must be empty: nothing of the user's is written over. Raises ExampleUnusable.
    """
    examples = {folder.name: folder for folder in _find_folders()}
    if name not in examples:
        near = get_close_matches(name, examples, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ExampleUnusable(f"no example is called {name!r}; {hint}the examples are {', '.join(examples)}")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ExampleUnusable(f"{target} exists and is not an empty folder; name another: sweep new {name} FOLDER")
    shutil.copytree(examples[name], target, ignore=LEFT_OUT, dirs_exist_ok=True)
    return sorted(path.relative_to(target) for path in target.rglob("*") if path.is_file())


def _read_question(spec: Path) -> str:
    values = read(spec.read_text(encoding="utf-8"), spec.name).value
    question = values.get("question") if isinstance(values, Mapping) else None
    return " ".join(str(question or "").split())


@click.command()
@click.pass_obj
def examples(output: Output) -> None:
    """List the examples that `sweep new` copies."""
    _print_examples(output)


@click.command()
@click.argument("name", required=False)
@click.argument("folder", required=False, type=OutputPath())
@click.pass_obj
def new(output: Output, *, name: str | None, folder: Path | None) -> None:
    """Copy the example NAME to FOLDER, to start from.

    FOLDER is new or empty; by default it is called NAME. Without NAME, the examples are listed.
    """
    if name is None:
        _print_examples(output)
        return
    target = Path(folder or name)
    files = copy_example(name, target)
    if output.form == "table":
        for file in files:
            output.say(f"  {target / file}")
        output.say(
            f"\nRead {target / 'README.md'}, then run:\n\n    cd {shlex.quote(str(target))}\n    sweep run {SPEC}"
        )
    else:
        output.print_rows("files", [{"file": str(target / file)} for file in files])


def _print_examples(output: Output) -> None:
    rows = [{"name": example.name, "question": example.question} for example in list_examples()]
    output.print_rows("examples", rows)
    output.say("\nTo copy one: sweep new NAME [FOLDER]")


commands = {"examples": examples, "new": new}
