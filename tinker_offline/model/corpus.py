"""Read the text of the frozen bases from the installation; no domain of the experiments uses it.

It is the docstrings of `transformers` and `huggingface_hub`, found in their source files by a
pattern, without importing them. The files are visited in an order shuffled by a hash, until there
is enough text.
"""

import hashlib
import re
from importlib.metadata import distribution, version
from pathlib import Path

PACKAGES = ("transformers", "huggingface_hub")
SHORTEST = 200  # minimal length of a docstring, in characters
RECORD = 32  # characters of a record
_DOCSTRING = re.compile(r':\n[ \t]*[rR]?"""(.*?)"""', re.DOTALL)


def text_edition() -> str:
    """Return what the text depends on: the versions of its packages."""
    return " ".join(f"{package}-{version(package)}" for package in PACKAGES)


def read_records(count: int) -> list[str]:
    """Return the first `count` records of 32 printable ASCII characters; fewer if there is less text.

    >>> read_records(2)  # doctest: +SKIP
    ['Converts a list of lists of tens', 'ors into a single tensor, padded ']
    """
    records: list[str] = []
    for path in _list_sources():
        for text in _read_docstrings(path):
            records += [text[at : at + RECORD] for at in range(0, len(text) - RECORD + 1, RECORD)]
        if len(records) >= count:
            break
    return records[:count]


def _list_sources() -> list[Path]:
    paths = [
        Path(str(file.locate()))
        for package in PACKAGES
        for file in distribution(package).files or ()
        if file.suffix == ".py" and file.parts[0] == package
    ]
    return sorted(paths, key=lambda path: hashlib.sha256("/".join(path.parts[-3:]).encode()).digest())


def _read_docstrings(path: Path) -> list[str]:
    texts = map(normalise, _DOCSTRING.findall(path.read_text(encoding="utf-8")))
    return [text for text in texts if len(text) > SHORTEST]


def normalise(text: str) -> str:
    """Keep printable ASCII only, with each run of white space as one space."""
    return " ".join(re.sub(r"[^\x20-\x7e]+", " ", text).split())
