"""Judge a rewritten line: does its function compile, does it behave as the old one did, is its style new?

`answers` are the new line and a case, as make_data.py writes them. The worker runs these checks in a process of
their own, with a limit of time and memory.
"""

import ast
import contextlib
import io
import json
from typing import Any


def build(answer: str, answers: list[str]) -> str:
    """Put the line into its function."""
    return str(json.loads(answers[1])["frame"]).replace("@", answer.strip())


def compiles(answer: str, answers: list[str]) -> bool:
    """Say whether Python 3 compiles the function."""
    try:
        compile(build(answer, answers), "new", "exec")
    except (SyntaxError, ValueError):
        return False
    return True


def behaves(answer: str, answers: list[str]) -> bool:
    """Say whether the function returns and prints what the old program did, for every input."""
    case = json.loads(answers[1])
    return compiles(answer, answers) and run_case(build(answer, answers), case["inputs"]) == case["saw"]


def run_case(code: str, inputs: list[list[object]]) -> list[list[object]]:
    """Return what the function returns and prints for each input; an error is a result too."""
    saw: list[list[object]] = []
    for values in inputs:
        space: dict[str, Any] = {}
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            try:
                exec(code, space)
                returned = space["run"](*values)
            except Exception as error:
                returned = type(error).__name__
        kept = returned if isinstance(returned, str | int | float | None) else repr(returned)
        saw.append([kept, printed.getvalue()])
    return saw


def is_new(answer: str, answers: list[str]) -> bool:
    """Say whether the function is Python 3 without `has_key` and without `%` formats."""
    if not compiles(answer, answers):
        return False
    return not any(
        (isinstance(node, ast.Attribute) and node.attr == "has_key")
        or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) and isinstance(node.left, ast.Constant))
        for node in ast.walk(ast.parse(build(answer, answers)))
    )
