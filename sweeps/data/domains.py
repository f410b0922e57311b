"""Text that every installation holds: four domains, as documents with names.

    code       the source of the standard library, without comment lines
    reference  its manual, in pydoc_data
    science    the docstrings of numpy and scipy, read from their source, never imported
    legal      licence, copying and notice files of the installed distributions, paragraph by paragraph

A document is what must not be split between train and test: a file, a topic, a paragraph.
"""

import ast
import importlib.util
import re
import sysconfig
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import distributions, version
from pathlib import Path
from typing import NamedTuple

from sweeps.errors import DataError

SCIENTIFIC = ("numpy", "scipy")
SHORTEST_DOCSTRING = 200  # characters
PARAGRAPH_KEY = 100  # letters: paragraphs that begin with the same ones are one
FOREIGN = {"site-packages", "dist-packages", "test", "tests", "idle_test", "idlelib", "lib2to3", "pydoc_data"}
PROGRAMS = {".py", ".pyi", ".pyc", ".so", ".json", ".html", ".js", ".css"}
TABLES = {"encodings", "turtledemo"}  # tables of numbers, not code


class Document(NamedTuple):
    """`read` is called only when the text is wanted."""

    name: str
    read: Callable[[], str]


@dataclass(frozen=True)
class Domain:
    documents: Callable[[], Iterable[Document]]
    edition: Callable[[], str]  # beside the version of Python: what else decides the text


def _code() -> Iterator[Document]:
    library = Path(sysconfig.get_path("stdlib"))
    for path in library.rglob("*.py"):
        name = path.relative_to(library)
        if not (FOREIGN | TABLES) & set(name.parts) and not path.name.startswith("_sysconfigdata"):
            yield Document(name.as_posix(), partial(_remove_comments, path))


def _remove_comments(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


def _reference() -> Iterator[Document]:
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise DataError("offline:reference: this Python has no pydoc_data; install all of its library") from None
    for name, text in topics.items():
        yield Document(name, partial(str, text))


def _science() -> Iterator[Document]:
    for package in SCIENTIFIC:
        spec = importlib.util.find_spec(package)
        root = Path(str(spec.origin if spec else None)).parent
        for path in root.rglob("*.py"):
            name = path.relative_to(root.parent)
            if not FOREIGN & set(name.parts):
                yield Document(name.as_posix(), partial(_docstrings, path))


def _docstrings(path: Path) -> str:
    with warnings.catch_warnings(action="ignore"):  # about their source, which is not ours to mend
        tree = ast.parse(path.read_bytes())
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = (ast.get_docstring(node) or "" for node in ast.walk(tree) if isinstance(node, documented))
    return "\n".join(text for text in docstrings if len(text) > SHORTEST_DOCSTRING)


def _legal() -> Iterator[Document]:
    seen: set[str] = set()
    for text in _legal_files():
        for paragraph in re.split(r"\n\s*\n", text):
            key = re.sub(r"[^a-z]", "", paragraph.lower())[:PARAGRAPH_KEY]
            if key not in seen:
                seen.add(key)
                yield Document(key, partial(str, paragraph))


def _legal_files() -> Iterator[str]:
    named = re.compile(r"licen[cs]e|copying|notice", re.IGNORECASE)
    for distribution in sorted(distributions(), key=lambda package: package.name):
        for file in distribution.files or ():
            path = Path(str(distribution.locate_file(file)))
            if named.search(file.name) and file.suffix not in PROGRAMS and path.is_file():
                yield path.read_text(encoding="utf-8", errors="replace")


def _distributions() -> str:
    return " ".join(sorted(f"{package.name}-{package.version}" for package in distributions()))


DOMAINS: Mapping[str, Domain] = {
    "code": Domain(_code, lambda: ""),
    "reference": Domain(_reference, lambda: ""),
    "science": Domain(_science, lambda: " ".join(f"{name}-{version(name)}" for name in SCIENTIFIC)),
    "legal": Domain(_legal, _distributions),
}
