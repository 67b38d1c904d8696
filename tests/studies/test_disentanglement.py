"""Disentanglement of trained models, against columns of a table and against drawn factors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import latente as lt
from latente.data.shapes import drawn_shapes

pytestmark = pytest.mark.filterwarnings("ignore::latente.LatenteWarning")


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    size, age = rng.normal(size=(2, 400))
    noise = 0.05 * rng.normal(size=(400, 4))
    columns = np.stack([size, 2 * size, age, -age], 1) + noise
    return pd.DataFrame(columns, columns=[*"abcd"]).assign(size=size, group=np.where(age > 0, "old", "young"))


@pytest.fixture(scope="module")
def vae(table: pd.DataFrame) -> lt.VAE:
    return lt.VAE(latent_dim=2, max_epochs=10, random_state=0).fit(table[[*"abcd"]])


def test_columns_are_factors_whether_the_model_has_them_or_not(vae: lt.VAE, table: pd.DataFrame) -> None:
    found = lt.disentanglement(vae, table, factors=["size", "group", "a"])
    assert list(found.factors) == ["size", "group", "a"]
    apart = lt.disentanglement(vae, table[[*"abcd"]], factors=table[["size", "group", "a"]])
    assert apart.to_dict() == found.to_dict(), "a table with the same columns says the same"
    assert found.figures["explicitness"] > 0.7 and found.figures["informativeness"] > 0.7
    place = found.factors["size"][0]
    assert ("size", f"z{place + 1}") in [line[:2] for line in found.lines_of_factors()], "as figures count dimensions"
    assert "DCI D" in str(found) and "<table>" in found._repr_html_()


def test_rows_without_a_factor_are_left_out(vae: lt.VAE, table: pd.DataFrame) -> None:
    holes = table.assign(size=table["size"].where(table.index % 4 > 0))
    assert lt.disentanglement(vae, holes, factors="size").about["rows"] == 300
    labels = table["group"].to_numpy()
    assert list(lt.disentanglement(vae, table, factors=labels).factors) == ["context"]


@pytest.mark.parametrize(
    ("factors", "words"),
    [
        (["nowhere"], "columns that are needed|no column 'nowhere'"),
        (["size", "nowhere"], "no column 'nowhere'; there are 'a', 'b', 'c', 'd', 'size', 'group'"),
        ({"size": [1.0, 2.0]}, "factors have 2 rows, but there are 400"),
        ({"size": [1.0] * 400}, "'size' has a single value"),
        ({"size": [1.0, 2.0] + [float("nan")] * 398}, "at least 50 rows"),
        ({"name": [f"n{row}" for row in range(400)]}, "'name' has another level in each row"),
        ({"size": [1.0] * 10, "age": [1.0] * 400}, "differ in their number of values: 'size' has 10, 'age' has 400"),
        ("x" * 300, "columns that are needed"),
    ],
)
def test_impossible_factors_are_refused(vae: lt.VAE, table: pd.DataFrame, factors: object, words: str) -> None:
    with pytest.raises(lt.DataError, match=words):
        lt.disentanglement(vae, table, factors)


def test_drawn_factors_of_pictures() -> None:
    pictures, factors = drawn_shapes(200, seed=0, vary=("x", "colour"))
    vae = lt.VAE(latent_dim=2, hidden=(16,), max_epochs=2, random_state=0).fit(pictures)
    found = lt.disentanglement(vae, pictures, {name: factors[name] for name in ("x", "colour")})
    assert found.information.shape == (2, vae.latent_dim_) and 0 <= found.figures["mig"] <= 1
    with pytest.raises(lt.DataError, match="a row for each picture"):
        lt.disentanglement(vae, pictures, ["x"])


def test_factors_of_series_are_of_windows() -> None:
    rows = pd.DataFrame({"x": np.sin(np.arange(300) / 3), "y": np.cos(np.arange(300) / 3)})
    vae = lt.VAE(time="auto", window=10, stride=2, latent_dim=2, hidden=(8,), max_epochs=1, random_state=0).fit(rows)
    with pytest.raises(lt.DataError, match="a value for each window"):
        lt.disentanglement(vae, rows, ["x"])
    first = vae.windows(rows)["first"].to_numpy() % 20
    assert lt.disentanglement(vae, rows, {"phase": first}).about["rows"] == len(first)
