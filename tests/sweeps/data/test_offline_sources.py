"""The offline domains are real text of this installation, split by document, the same every time."""

import random
from functools import partial
from pathlib import Path

import pytest

from sweeps.data import offline_sources
from sweeps.data.domains import DOMAINS, Document
from sweeps.data.offline_sources import LENGTH, TEST, TRAIN, Corpus, build_corpus, read_domain
from sweeps.errors import DataError


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("corpora")


@pytest.mark.parametrize("name", DOMAINS)
def test_a_domain_is_clean_disjoint_and_large_enough(name: str, cache: Path) -> None:
    corpus = read_domain(name, cache)
    assert 2_048 <= len(corpus.train) <= TRAIN
    assert 256 <= len(corpus.test) <= TEST
    for part in corpus:
        assert len(set(part)) == len(part)
        assert all(len(record) == LENGTH and record.isascii() and record.isprintable() for record in part)
        assert not any("  " in record for record in part)
    assert not set(corpus.train) & set(corpus.test)


def test_a_kept_corpus_is_the_built_one_and_a_damaged_one_is_built_again(cache: Path) -> None:
    built = read_domain("reference", cache)
    (path,) = cache.glob("corpus-reference-*.gz")
    assert read_domain("reference", cache) == built
    path.write_bytes(path.read_bytes()[:1000])
    assert read_domain("reference", cache) == built == build_corpus(DOMAINS["reference"].documents())


def documents(count: int, seed: int) -> list[Document]:
    texts = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"
    made = {f"d{number}": "".join(texts.choices(letters, k=3_200)) for number in range(count)}
    return [Document(name, partial(str, text)) for name, text in made.items()]


def test_documents_are_never_split_and_their_order_does_not_matter() -> None:
    made = documents(count=40, seed=1)
    corpus = build_corpus(made)
    assert build_corpus(random.Random(2).sample(made, 40)) == corpus
    assert len(corpus.test) == 500  # five of forty documents, a hundred records each
    for document in made:
        text = document.read()
        records = {text[at : at + LENGTH] for at in range(0, len(text), LENGTH)}
        assert records <= set(corpus.train) or records <= set(corpus.test)


def test_a_copy_in_another_document_is_dropped_from_train() -> None:
    made = documents(count=40, seed=1)
    copied = build_corpus([*made, Document("copy of all", lambda: "".join(document.read() for document in made))])
    assert not set(copied.train) & set(copied.test)


def test_a_domain_is_capped_by_content(monkeypatch: pytest.MonkeyPatch) -> None:
    made = documents(count=40, seed=1)
    everything = build_corpus(made)
    monkeypatch.setattr(offline_sources, "TRAIN", 100)
    monkeypatch.setattr(offline_sources, "TEST", 10)
    assert build_corpus(made) == Corpus(everything.train[:100], everything.test[:10])


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"corpus-reference-.*cannot write"):
        read_domain("reference", tmp_path / "file")
