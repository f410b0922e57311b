"""Data sets, from a file, a URL or this installation: the only part of `sweeps` that reads or writes anything."""

from sweeps.data.dataset import DataSource, load_dataset
from sweeps.records import Dataset, Records

__all__ = ["DataSource", "Dataset", "Records", "load_dataset"]
