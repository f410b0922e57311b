"""Subsets nest, batches walk whole epochs, and the planner's count is the trainer's."""

import hashlib
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.errors import DataError
from sweeps.training.data_order import count_visits, hash_prefixes, order_subset, select_batch

DIGESTS = [hashlib.sha256(bytes([row])).digest() for row in range(100)]


def test_the_orders_are_pinned() -> None:
    """These numbers identify data: a change of them changes what every plan means."""
    assert order_subset(8, 0).tolist() == [6, 2, 0, 3, 4, 7, 5, 1]
    assert select_batch(0, size=8, batch_size=8, seed=0).tolist() == [3, 0, 6, 1, 5, 4, 7, 2]


@given(count=st.integers(1, 300), seed=st.integers(0, 2**40))
def test_a_subset_order_is_a_permutation(count: int, seed: int) -> None:
    assert sorted(order_subset(count, seed)) == list(range(count))


def test_seeds_and_purposes_give_different_orders() -> None:
    orders = [order_subset(50, seed).tolist() for seed in range(3)]
    orders += [select_batch(0, size=50, batch_size=50, seed=seed).tolist() for seed in range(3)]
    assert len(set(map(tuple, orders))) == 6


def test_prefix_hashes_prove_that_subsets_nest() -> None:
    """The hash of n is the hash of the first n, whatever other sizes are asked for."""
    order = order_subset(100, 7)
    hashes = hash_prefixes(DIGESTS, order, [32, 8, 64, 100])
    for size in (8, 32, 64, 100):
        first = b"".join(DIGESTS[row] for row in order[:size])
        assert hashes[size] == hashlib.sha256(first).hexdigest()
        assert hash_prefixes(DIGESTS, order, [size])[size] == hashes[size]
    assert all(hashes[small] != hashes[large] for small, large in pairwise(sorted(hashes)))


def test_a_size_beyond_the_rows_is_refused() -> None:
    with pytest.raises(DataError, match=r"100.*101"):
        hash_prefixes(DIGESTS, order_subset(100, 0), [101])


@given(size=st.integers(1, 40), batch_size=st.integers(1, 50), steps=st.integers(0, 30), seed=st.integers(0, 99))
def test_visits_count_the_batches(size: int, batch_size: int, steps: int, seed: int) -> None:
    """`visits` is the count of every batch, without walking them; and epochs are even."""
    counts = np.zeros(size, np.int64)
    for step in range(steps):
        rows = select_batch(step, size=size, batch_size=batch_size, seed=seed)
        assert len(rows) == min(batch_size, size)
        np.add.at(counts, rows, 1)
    np.testing.assert_array_equal(count_visits(steps, size=size, batch_size=batch_size, seed=seed), counts)
    assert counts.max() - counts.min() <= 1
