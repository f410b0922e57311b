"""The fields of hashes: what is cleared is a field that somebody sets, and what is set is read by somebody."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import scheduler
import worker

FOLDERS = [Path(package.__file__).parent for package in (scheduler, worker) if package.__file__]
LUA = "\n".join(re.sub(r"--.*", "", path.read_text()) for path in sorted((FOLDERS[0] / "state/lua").glob("*.lua")))
SUBMISSION = FOLDERS[0] / "state/submission.py"
LITERAL = re.compile(r"'([a-z]\w*(?::\w+)?)'")


@cache
def parse_all() -> dict[Path, ast.Module]:
    return {path: ast.parse(path.read_text()) for folder in FOLDERS for path in folder.rglob("*.py")}


def calls(*commands: str) -> Iterator[list[str]]:
    """What the verbs hand to these commands behind the key, argument by argument; ADD is the prelude's own."""
    named = rf"(?:read|write)\('(?:{'|'.join(commands)})'," + (r"|\badd\(" if "ADD" in commands else "")
    for match in re.finditer(named, LUA):
        depth, start, arguments = 0, match.end(), []
        for place in range(match.end(), len(LUA)):
            letter = LUA[place]
            if depth == 0 and letter in ",)":
                arguments.append(LUA[start:place].strip())
                start = place + 1
                if letter == ")":
                    break
            depth += (letter in "({") - (letter in ")}")
        yield arguments[1:]


def literals(arguments: list[str]) -> set[str]:
    return {literal[1] for argument in arguments if (literal := LITERAL.fullmatch(argument))}


def cleared() -> set[str]:
    return {name for arguments in calls("HDEL") for name in literals(arguments)}


def written_by_lua() -> set[str]:
    pairs = (arguments[::2] for arguments in calls("HSET"))
    ones = (arguments[:1] for arguments in calls("HSETNX"))
    sums = (arguments[::2] for arguments in calls("ADD"))
    return {name for arguments in (*pairs, *ones, *sums) for name in literals(arguments)}


def written_with_a_sweep() -> set[str]:
    """The keys of the mappings that scheduler/state/submission.py makes of a sweep and of a stage."""
    makers = [node for node in ast.walk(parse_all()[SUBMISSION]) if isinstance(node, ast.FunctionDef)]
    mappings = [
        node
        for maker in makers
        if maker.name in ("_open", "_make_stage_fields")
        for node in ast.walk(maker)
        if isinstance(node, ast.Dict)
    ]
    return {str(ast.literal_eval(key)) for node in mappings for key in node.keys if isinstance(key, ast.Constant)}


def written_with_a_result() -> set[str]:
    """The fields that a worker names as it settles a stage."""
    nodes = (node for tree in parse_all().values() for node in ast.walk(tree) if isinstance(node, ast.Call))
    settled = (node for node in nodes if isinstance(node.func, ast.Attribute) and node.func.attr == "settle")
    return {keyword.arg for node in settled for keyword in node.keywords if keyword.arg} - {"cost"}


def read() -> set[str]:
    """By a verb, or under a name that Python knows: spelled out, or as a field of its own."""
    by_lua = {name for arguments in calls("HGET", "HMGET") for name in literals(arguments)}
    by_lua |= {name for arguments in calls("ADD") for name in literals(arguments[:1])}  # it answers what it made
    by_lua |= set(re.findall(r"\bread_stage\([^()]+, '(\w+)'\)", LUA))
    nodes = [node for path, tree in parse_all().items() if path != SUBMISSION for node in ast.walk(tree)]
    spelled = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    fields = {node.target.id for node in nodes if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)}
    return by_lua | spelled | fields


def written_by_python() -> set[str]:
    """The keys of the mappings that our Python passes to HSET."""
    nodes = (node for tree in parse_all().values() for node in ast.walk(tree) if isinstance(node, ast.Call))
    sets = (node for node in nodes if isinstance(node.func, ast.Attribute) and node.func.attr == "hset")
    mappings = (keyword.value for node in sets for keyword in node.keywords if keyword.arg == "mapping")
    names = (key for mapping in mappings if isinstance(mapping, ast.Dict) for key in mapping.keys)
    return {str(key.value) for key in names if isinstance(key, ast.Constant)}


def test_what_is_cleared_is_a_field_that_somebody_sets() -> None:
    kinds = {f"notified:{kind}" for kind in re.findall(r"notify\(\w+, '(\w+)'", LUA)}
    once = set(re.findall(r"once\('([\w:]+)'", LUA))
    assert len(cleared()) > 10, "the calls are found"
    written = written_by_lua() | written_with_a_sweep() | written_with_a_result() | written_by_python()
    assert cleared() - written - kinds - once == set()


def test_what_is_set_is_read_by_somebody() -> None:
    assert len(written_by_lua()) > 30, "the calls are found"
    assert (written_by_lua() | written_with_a_sweep()) - read() == set()
