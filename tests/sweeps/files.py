"""Data files as people have them, written anew by each test."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sweeps.data import Dataset, load_dataset
from sweeps.errors import DataError
from sweeps.spec.sections import MeasuredFile


@dataclass(frozen=True)
class Spec:
    source: str
    holdout: int | float | str | None = None
    validation: int | float | str | None = None
    format: str | None = None
    context: str | None = None
    columns: Mapping[str, str] | None = None
    group: str | None = None
    sizes_in: str | None = None
    by: str | None = None
    tests: Mapping[str, MeasuredFile] | None = None


def jsonl(rows: Iterable[object]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def load(folder: Path, source: str, **spec: Any) -> Dataset:
    tests = {name: MeasuredFile(source=file) for name, file in spec.pop("tests", {}).items()}
    return load_dataset("mine", Spec(source, tests=tests or None, **spec), folder=folder, cache=folder / "cache")


def read(folder: Path, *rows: object, **spec: Any) -> Dataset:
    (folder / "d.jsonl").write_text(jsonl(rows))
    return load(folder, "d.jsonl", **spec)


def refusal(folder: Path, source: str, **spec: Any) -> str:
    with pytest.raises(DataError) as refused:
        load(folder, source, **spec)
    return str(refused.value)


def turn(role: str, content: Any, **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}
