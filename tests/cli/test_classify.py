"""``latente classify``."""

from __future__ import annotations

import numpy as np
import pandas as pd


def test_rows_of_a_file_are_classified(latente, tmp_path) -> None:
    rng = np.random.default_rng(0)
    kind = rng.integers(3, size=150)
    rows = pd.DataFrame(np.eye(3)[kind] * 4 + rng.normal(size=(150, 3)), columns=[*"abc"])
    rows["kind"] = np.where(rng.random(150) < 0.3, np.array(["ant", "bee", "cat"])[kind], None)
    data, run, out = tmp_path / "rows.csv", tmp_path / "run", tmp_path / "out.csv"
    rows.to_csv(data, index=False)
    fit = ("fit", data, "-o", run, "--recipe", "m2", "--context", "kind", "--max-epochs", "60", "--latent-dim", "2", "-q")
    assert latente(*fit).code == 0
    assert latente("classify", run, data, "-o", out).code == 0
    found = pd.read_csv(out)
    assert list(found) == ["label", "p_ant", "p_bee", "p_cat"] and len(found) == 150
    assert (found["label"] == np.array(["ant", "bee", "cat"])[kind]).mean() > 0.85
    assert latente("fit", data, "-o", tmp_path / "vae", "--max-epochs", "1", "-q", "--no-figures").code == 0
    assert "the recipe 'm2' does" in latente("classify", tmp_path / "vae", data).sentence
