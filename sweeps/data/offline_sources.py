"""The `offline:` sources: documents cut into short records, split by document, built once and kept.

A corpus is printable ASCII with runs of white space as one space, in records of 32 characters. A hash of its name
orders the documents; the first of them, up to an eighth of the text, are the test split, so that copies within a
document never cross. A record that stands in both parts by chance is dropped from train.
"""

import gzip
import hashlib
import json
import os
import platform
import re
import threading
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from sweeps.data.domains import DOMAINS, Document
from sweeps.data.generated import FORMATS
from sweeps.errors import DataError

OFFLINE = "offline:"
RECIPE = 1  # counts up when the text of a corpus changes by a change of ours
LENGTH = 32  # characters of a record
TRAIN, TEST = 16_384, 2_048  # records of a domain at most
TEST_SHARE = 1 / 8
ENOUGH = 4 * (TRAIN + TEST)  # records to choose from; further documents are not read


class Corpus(NamedTuple):
    train: tuple[str, ...]
    test: tuple[str, ...]


def read_domain(name: str, cache: Path) -> Corpus:
    """Read the corpus `offline:<name>`, from `cache` if it is there. Raises DataError for an unknown name."""
    if name not in DOMAINS:
        raise DataError(
            f"expected one of {', '.join(OFFLINE + known for known in (*DOMAINS, *FORMATS))}, got {OFFLINE}{name}"
        )
    path = cache / f"corpus-{name}-{_edition(name)}.gz"
    corpus = _load_kept(path)
    if corpus is None:
        corpus = build_corpus(DOMAINS[name].documents())
        if not corpus.train or not corpus.test:
            raise DataError(f"{OFFLINE}{name}: this installation has no such text; use a data file")
        try:
            _keep(corpus, path)
        except OSError as error:
            reason = f"cannot write the corpus: {error.strerror}; use a writable folder with space"
            raise DataError(f"{path}: {reason}") from None
    return corpus


def build_corpus(documents: Iterable[Document]) -> Corpus:
    """Read, cut, split and cap; the same documents give the same corpus in whatever order they come."""
    pieces: list[list[str]] = []
    count = 0
    for document in sorted(documents, key=lambda document: _rank(document.name)):
        if count >= ENOUGH:
            break
        pieces.append(_cut_text(document.read()))
        count += len(pieces[-1])
    tested = _test_documents([len(piece) for piece in pieces])
    test = {record for index in tested for record in pieces[index]}
    train = {record for index in set(range(len(pieces))) - tested for record in pieces[index]} - test
    return Corpus(_capped(train, TRAIN), _capped(test, TEST))


def _cut_text(text: str) -> list[str]:
    line = " ".join(re.sub(r"[^\x20-\x7e]+", " ", text).split())
    return [line[start : start + LENGTH] for start in range(0, len(line) - LENGTH + 1, LENGTH)]


def _test_documents(sizes: Sequence[int]) -> set[int]:
    """Choose the first documents that together make about the share; one too large for it stays in train."""
    wanted, chosen, count = TEST_SHARE * sum(sizes), set[int](), 0
    for index, size in enumerate(sizes):
        if count + size <= wanted:
            chosen.add(index)
            count += size
    return chosen


def _capped(records: set[str], most: int) -> tuple[str, ...]:
    return tuple(sorted(records, key=_rank)[:most])


def _rank(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def _edition(name: str) -> str:
    made_of = [RECIPE, name, platform.python_version(), DOMAINS[name].edition()]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:16]


def _load_kept(path: Path) -> Corpus | None:
    """Load a corpus from the cache; None if it is missing or damaged and has to be built again."""
    try:
        train, test = json.loads(gzip.decompress(path.read_bytes()))
    except (OSError, EOFError, ValueError, zlib.error):
        return None
    return Corpus(tuple(train), tuple(test))


def _keep(corpus: Corpus, path: Path) -> None:
    """Write whole or not at all, so that several processes may build at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}-{threading.get_ident()}")
    try:
        draft.write_bytes(gzip.compress(json.dumps(corpus).encode(), mtime=0))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
