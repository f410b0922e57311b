"""A group that a spec names is never on two sides of a split or of a nested size, and what cannot be is refused."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.data import Dataset
from sweeps.records import Records
from sweeps.training.data_order import count_group_rows, order_subset
from tests.sweeps.files import jsonl, load, read, refusal

ROWS = [
    {
        "question": f"signal {subject} {take}",
        "answer": "ab"[take % 2],
        "subject": f"s{subject:02}",
        "device": "xyz"[take % 3],
    }
    for subject in range(20)
    for take in range(6)
]


def groups(records: Records | None) -> set[str]:
    return {*records.groups} if records else set()


def refuse_crossing(data: Dataset) -> None:
    """No group is on two sides, and each row still has its own."""
    train, held, validation = (groups(part) for part in (data.train, data.holdout, data.validation))
    assert not train & held
    assert not train & validation
    assert not held & validation
    for part in (data.train, data.holdout, data.validation):
        for row, group in zip(part.rows, part.groups, strict=True) if part else ():
            assert str(row["question"]).split("|")[0] == group


@given(
    members=st.lists(st.integers(1, 9), min_size=4, max_size=30),
    copies=st.integers(0, 5),
    share=st.sampled_from((1, 2, 0.05, 0.2, 0.4)),
    validation=st.sampled_from((None, 1, 0.1)),
    seed=st.integers(0, 9),
)
@settings(max_examples=60, deadline=None)
def test_no_group_is_on_two_sides_of_any_split_or_nested_size(
    tmp_path_factory: pytest.TempPathFactory,
    *,
    members: list[int],
    copies: int,
    share: float,
    validation: float | None,
    seed: int,
) -> None:
    """Over random data, in which rows of several groups may ask the same and some rows repeat."""
    rows = [
        {"question": f"g{group}| asks {take % 3 if copies else take}", "answer": f"said {take}", "who": f"g{group}"}
        for group, count in enumerate(members)
        for take in range(count)
    ]
    rows += rows[:copies]
    random.Random(seed).shuffle(rows)
    data = read(tmp_path_factory.mktemp("rows"), *rows, holdout=share, validation=validation, group="who")
    refuse_crossing(data)
    order = order_subset(len(data.train), seed, data.train.groups)
    assert sorted(order) == list(range(len(data.train)))
    for size in range(1, data.train.units + 1):
        count = count_group_rows(order, data.train.groups, size)
        inside = {data.train.groups[row] for row in order[:count]}
        outside = {data.train.groups[row] for row in order[count:]}
        assert len(inside) == size
        assert not inside & outside


def test_a_holdout_counts_groups_and_the_plan_says_what_it_holds(tmp_path: Path) -> None:
    data = read(tmp_path, *ROWS, holdout=0.2, validation=3, group="subject", by="device")
    assert [len(groups(part)) for part in (data.train, data.holdout, data.validation)] == [13, 4, 3]
    assert [len(part or ()) for part in (data.train, data.holdout, data.validation)] == [78, 24, 18]
    held = next(note for note in data.notes if note.startswith("holdout:"))
    for fact in ("4 of 20 groups", "'subject'", "24 of 120 rows"):
        assert fact in held
    train = next(note for note in data.notes if note.startswith("train:"))
    assert "13 groups with 78 rows" in train
    assert {*data.holdout.strata} == {"x", "y", "z"}


def test_sizes_can_count_rows_while_groups_stay_on_one_side(tmp_path: Path) -> None:
    """Items that are measured keep their groups, by which intervals are computed; rows are learnt one by one."""
    by_groups, by_rows = (
        read(tmp_path, *ROWS, holdout=4, validation=3, group="subject", **count) for count in ({}, {"sizes_in": "rows"})
    )
    assert by_rows.train.rows == by_groups.train.rows
    assert (by_groups.train.units, by_rows.train.units) == (13, 78)
    assert (by_rows.holdout, by_rows.validation) == (by_groups.holdout, by_groups.validation)
    first = order_subset(78, 0, by_rows.train.groups)[:20]
    names = [row["question"].split()[1] for row in by_rows.train.rows]
    assert len({names[row] for row in first}) > 6, "not whole groups of six rows"


@pytest.mark.parametrize(
    ("count", "share", "held", "left"),
    [(10, 0.2, 2, 8), (20, 0.25, 5, 15), (40, 0.1, 4, 36), (15, 0.4, 6, 9), (30, 0.3, 9, 21), (8, 0.5, 4, 4)],
)
def test_a_share_is_one_of_groups_as_scikit_learn_has_it(
    tmp_path: Path, count: int, share: float, held: int, left: int
) -> None:
    """The numbers are those of GroupShuffleSplit (scikit-learn 1.9.1) with this test_size, of groups of 1 to 8 rows."""
    sizes = random.Random(count)
    rows = [
        {"question": f"g{group}| {take}", "answer": "a", "who": f"g{group}"}
        for group in range(count)
        for take in range(sizes.randint(1, 8))
    ]
    data = read(tmp_path, *rows, holdout=share, group="who")
    refuse_crossing(data)
    assert (len(groups(data.holdout)), len(groups(data.train))) == (held, left)


def test_a_name_that_is_written_in_two_ways_is_one_group(tmp_path: Path) -> None:
    """The same accent as one character and as two, with spaces around it."""
    ways = [("Jos\u00e9", " Jose\u0301 "), ("A\u030angstr\u00f6m", "\u00c5ngstro\u0308m\t")]
    names = [*ways, *((f"s{at}", f" s{at}") for at in range(8))]
    rows = [{"question": f"{name!r} asks", "answer": "a", "who": name} for pair in names for name in pair]
    for held in range(1, 9):
        data = read(tmp_path, *rows, holdout=held, group="who")
        assert not groups(data.holdout) & groups(data.train)
        assert (len(groups(data.holdout)), len(groups(data.train))) == (held, 10 - held)


def test_neither_order_nor_further_rows_move_a_group(tmp_path: Path) -> None:
    more = [{**row, "question": f"again {row['question']}"} for row in ROWS]
    first = groups(read(tmp_path, *ROWS, holdout=5, group="subject").holdout)
    for rows in (random.Random(1).sample(ROWS, len(ROWS)), ROWS + more):
        assert groups(read(tmp_path, *rows, holdout=5, group="subject").holdout) == first


def test_a_file_that_is_held_out_takes_its_groups_out_of_training(tmp_path: Path) -> None:
    (tmp_path / "test.jsonl").write_text(jsonl({**row, "question": f"new {row['question']}"} for row in ROWS[:12]))
    data = read(tmp_path, *ROWS, holdout="test.jsonl", validation=2, group="subject")
    assert groups(data.holdout) == {"s00", "s01"}
    assert len(data.train) == 120 - 12 - 12
    assert not groups(data.holdout) & (groups(data.train) | groups(data.validation))
    assert "12 are of a group that is held out" in data.account


def test_labels_are_part_of_the_content_and_survive_the_store(tmp_path: Path) -> None:
    plain, grouped = (read(tmp_path, *ROWS, holdout=4, **more).holdout for more in ({}, {"group": "subject"}))
    assert plain.to_jsonl() == Records(plain.format, plain.rows).to_jsonl()
    assert Records.from_jsonl(grouped.to_jsonl(), sha256=grouped.sha256) == grouped
    assert grouped.sha256 != Records(grouped.format, grouped.rows).sha256


@pytest.mark.parametrize(
    ("values", "expected"), [([7, 7.0, "7", " 7 "], {"7"}), ([True, "true"], {"true"}), ([0.5, "0.5"], {"0.5"})]
)
def test_a_group_is_the_same_whatever_the_file_calls_its_type(
    tmp_path: Path, values: list[Any], expected: set[str]
) -> None:
    rows = [{"question": f"q{at}", "answer": "a", "who": value} for at, value in enumerate([*values, "other", "more"])]
    data = read(tmp_path, *rows, holdout=1, group="who")
    assert groups(data.train) | groups(data.holdout) == {*expected, "other", "more"}


def test_uneven_groups_and_a_single_one_held_out_are_said(tmp_path: Path) -> None:
    rows = [{"question": f"q{at}", "answer": "a", "who": "big" if at < 50 else f"g{at % 5}"} for at in range(60)]
    (note,) = (note for note in read(tmp_path, *rows, holdout=1, group="who").notes if note.startswith("holdout:"))
    assert "'big', has 50 rows" in note
    assert "one group" in note


@pytest.mark.parametrize(
    ("spec", "facts"),
    [
        ({"group": "subjekt"}, ("group", "'subjekt'", "`subject`", "question, answer, subject, device")),
        ({"by": "devices"}, ("by", "'devices'", "`device`")),
        ({"group": "subject", "holdout": 20}, ("holdout", "20 groups", "19 of 20 groups", "'subject'")),
        ({"group": "subject", "holdout": 15, "validation": 5}, ("validation", "5 groups", "only 4 of 20 groups")),
        ({"columns": {"question": "signl"}}, ("columns.question", "'signl'", "question, answer")),
        ({"columns": {"question": "{question} {devcie}"}}, ("columns.question", "'devcie'", "`device`")),
    ],
)
def test_what_cannot_be_grouped_is_refused_with_what_there_is(
    tmp_path: Path, spec: dict[str, Any], facts: tuple[str, ...]
) -> None:
    (tmp_path / "d.jsonl").write_text(jsonl(ROWS))
    message = refusal(tmp_path, "d.jsonl", **{"holdout": 4, **spec})
    assert [fact for fact in facts if fact not in message] == []


def test_a_row_without_a_group_is_named_by_its_line(tmp_path: Path) -> None:
    rows = [{**row, "subject": None} if at in (3, 8) else row for at, row in enumerate(ROWS)]
    (tmp_path / "d.jsonl").write_text(jsonl(rows))
    message = refusal(tmp_path, "d.jsonl", holdout=4, group="subject")
    assert "d.jsonl:4: group" in message
    assert "d.jsonl:9: group" in message
    assert "2 bad lines" in message


def test_one_group_for_all_rows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text(jsonl({**row, "subject": "s"} for row in ROWS))
    message = refusal(tmp_path, "d.jsonl", holdout=4, group="subject")
    assert [fact for fact in ("at least 2 groups", "120 rows", "'s'", "'subject'") if fact not in message] == []


@pytest.mark.parametrize("key", ["group", "by", "columns"])
@pytest.mark.parametrize("source", ["offline:facts", "t.txt"])
def test_data_without_columns_is_refused(tmp_path: Path, source: str, key: str) -> None:
    (tmp_path / "t.txt").write_text("one\n\ntwo\n\nthree\n")
    wanted = {"question": "a"} if key == "columns" else "who"
    message = refusal(tmp_path, source, holdout=1, **{key: wanted})
    assert f"{key}: expected a file whose rows have columns" in message


def test_columns_of_each_kind_of_file_become_the_keys_of_a_record(tmp_path: Path) -> None:
    """A CSV whose header has no key of ours, with `;`; JSON; JSON lines; Parquet with whole numbers as labels."""
    rows = [{"signal": f"{at} up down", "label": at % 2, "subject": at // 4, "note": "n"} for at in range(24)]
    names = {"question": "signal", "answer": "label"}
    lines = [";".join(rows[0]), *(";".join(map(str, row.values())) for row in rows)]
    (tmp_path / "d.csv").write_text("\n".join(lines))
    (tmp_path / "d.json").write_text(json.dumps(rows))
    (tmp_path / "d.jsonl").write_text(jsonl(rows))
    files = ["d.csv", "d.json", "d.jsonl"]
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        pass
    else:
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "d.parquet")
        files.append("d.parquet")
    seen = [load(tmp_path, file, holdout=2, columns=names, group="subject", by="label") for file in files]
    assert len({(data.train.sha256, data.holdout.sha256) for data in seen}) == 1
    assert seen[0].train.rows[0].keys() == {"question", "answers"}
    assert {*seen[0].holdout.strata} == {"0", "1"}
    assert any("keys not used: note" in note for note in seen[0].notes)


def test_a_text_is_filled_in_from_columns_and_a_list_of_candidates_is_that_of_every_row(
    tmp_path: Path,
) -> None:
    rows = [{"signal": f"{at} up", "label": at % 2, "age": 40 + at, "subject": at // 4} for at in range(24)]
    names = {"question": "{age} years: {signal}\nclass: ", "answer": "label", "candidates": ("0", "1")}
    (tmp_path / "d.jsonl").write_text(jsonl(rows))
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    (tmp_path / "d.csv").write_text("\n".join(lines))
    seen = [load(tmp_path, file, holdout=2, columns=names, group="subject") for file in ("d.jsonl", "d.csv")]
    assert len({(data.train.sha256, data.holdout.sha256) for data in seen}) == 1
    read_all = [*seen[0].train.rows, *seen[0].holdout.rows]
    assert all(row["candidates"] == ["0", "1"] for row in seen[0].holdout.rows)
    assert {row["question"] for row in read_all} == {f"{40 + at} years: {at} up\nclass: " for at in range(24)}
    assert not any("keys not used" in note for note in seen[0].notes)


def test_a_right_answer_that_is_none_of_the_candidates_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text(
        jsonl({"question": f"q {at}", "answer": "yes" if at else "maybe"} for at in range(9))
    )
    assert "d.jsonl:1: candidates" in refusal(tmp_path, "d.jsonl", holdout=2, columns={"candidates": ("yes", "no")})


def test_a_renamed_column_replaces_one_of_that_name(tmp_path: Path) -> None:
    rows = [{"question": f"old {at}", "text2": f"new {at}", "answer": "a"} for at in range(9)]
    data = read(tmp_path, *rows, holdout=2, columns={"question": "text2"})
    assert {str(row["question"]).split()[0] for row in (*data.train.rows, *data.holdout.rows)} == {"new"}


def test_a_value_that_is_missing_is_a_stratum_of_its_own(tmp_path: Path) -> None:
    rows = [{**row, "device": None} if at % 4 == 0 else row for at, row in enumerate(ROWS)]
    data = read(tmp_path, *rows, holdout=10, by="device")
    assert {*data.train.strata} == {"x", "y", "z", "(missing)"}
