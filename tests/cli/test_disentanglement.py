"""``latente disentanglement``."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import latente as lt


@pytest.mark.filterwarnings("ignore::latente.LatenteWarning")
def test_the_command_prints_what_the_function_returns(latente, tmp_path) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(200, 2)), columns=[*"ab"]).assign(c=lambda table: table["a"] - table["b"])
    table["group"] = np.where(table["c"] > 0, "high", "low")
    vae = lt.VAE(latent_dim=2, hidden=(), max_epochs=2, random_state=0).fit(table[[*"abc"]])
    rows, model = tmp_path / "rows.csv", vae.save(tmp_path / "model.safetensors")
    table.to_csv(rows, index=False)
    said = latente("disentanglement", model, rows, "--factors", "a, group")
    assert said.code == 0 and "InfoM" in said.out and "rotated" in said.out, said.err
    found = latente("disentanglement", model, rows, "--factors", "a,group", "--json").json
    assert found["figures"] == pytest.approx(lt.disentanglement(vae, table, ["a", "group"]).figures, abs=0.02)
    table[["group"]].to_csv(tmp_path / "factors.csv", index=False)
    assert [*latente("disentanglement", model, rows, "--factors", tmp_path / "factors.csv", "--json").json["factors"]] == [
        "group"
    ]
    assert latente("disentanglement", model, rows, "--factors", ",").code == 2
    assert latente("disentanglement", model, rows, "--factors", ",".join(["group"] * 60)).code == 0, "longer than a file's name"
    assert "no column 'size'" in latente("disentanglement", model, rows, "--factors", "a,size").sentence
