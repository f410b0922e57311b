"""The own data and the sweep file of the tutorial, as the page shows them: made and planned."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from scheduler.prepare import prepare
from scheduler.settings import read_settings

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial" / "first-sweep.md").read_text()
PART = PAGE.partition("## 6. Use your own data\n")[2].partition("\n## ")[0]
ROWS, LARGEST, SEEDS = 900, 512, 3


def test_the_pages_own_data_fits_its_sweep_and_the_model_can_learn_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page says how many rows the sizes need; no note says that the model sees too little."""
    (script,) = re.findall(r"```python\n(.*?)```", PART, re.DOTALL)
    (sweep,) = re.findall(r"```yaml\n(.*?)```", PART, re.DOTALL)
    rows = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    (tmp_path / "my.jsonl").write_text(rows)
    (tmp_path / "my.yaml").write_text(sweep)
    monkeypatch.chdir(tmp_path)
    prepared = prepare(tmp_path / "my.yaml", (), read_settings({"SWEEP_HOME": str(tmp_path)}))
    parts = sorted(len(part) for part in prepared.records.values() if part.origins)
    assert parts[-1] == ROWS - ROWS // 10 >= LARGEST
    assert prepared.plan.totals.train == SEEDS * 5
    assert not [note for note in prepared.plan.notes if "decide" in note or "not enough" in note]
