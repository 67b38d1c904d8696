"""The estimators: scikit-learn's own checks, containers, shapes, scores, and what bad input is told."""

from __future__ import annotations

import warnings
from typing import Any

import joblib
import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import latente as lt

NOT_PASSED = {
    "check_sample_weight_equivalence_on_dense_data": "weights count in the loss; batches and held-out rows are others"
}


@pytest.mark.slow
@pytest.mark.parametrize("estimator", [lt.VAE(), lt.Autoencoder()], ids=["VAE", "Autoencoder"])
def test_scikit_learn_checks(estimator: lt.VAE) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(estimator, on_skip=None, expected_failed_checks=NOT_PASSED)
    assert len(results) > 40
    others = [result["check_name"] for result in results if result["status"] != "passed"]
    assert all("array_api" in name or name in NOT_PASSED for name in others), others


@pytest.mark.slow
def test_works_in_scikit_learn(table: NDArray[np.float64]) -> None:
    quick = lt.VAE(max_epochs=2, hidden=(8,), random_state=0)
    codes = make_pipeline(StandardScaler(), quick).fit_transform(table)
    assert codes.shape[0] == 569
    search = GridSearchCV(quick, {"latent_dim": [1, 3]}, cv=2).fit(table)
    assert search.best_params_["latent_dim"] in (1, 3)
    copy = clone(quick).set_params(latent_dim=2)
    assert copy.get_params()["latent_dim"] == 2
    assert not hasattr(copy, "model_")
    scores = joblib.Parallel(n_jobs=2)(joblib.delayed(_score)(copy, table) for _ in range(2))
    assert scores[0] == scores[1] == _score(copy, table)


def _score(vae: lt.VAE, rows: NDArray[np.float64]) -> float:
    return float(clone(vae).fit(rows).score(rows))


def test_names_of_features_and_set_output(table: NDArray[np.float64]) -> None:
    frame = pd.DataFrame(table, columns=[f"m{c}" for c in range(30)])
    vae = lt.VAE(max_epochs=2, latent_dim=2, random_state=0).fit(frame)
    assert list(vae.get_feature_names_out()) == ["vae0", "vae1"]
    assert list(vae.feature_names_in_) == list(frame.columns)
    codes = vae.set_output(transform="pandas").transform(frame)
    assert list(codes.columns) == ["vae0", "vae1"]


@pytest.mark.parametrize("kind", ["numpy", "torch", "pandas", "polars", "pyarrow"])
def test_what_comes_in_goes_out(kind: str, table: NDArray[np.float64]) -> None:
    columns = {"size": table[:, 0], "area": table[:, 3].round().astype(np.int64), "flag": table[:, 1] > 18, "c": table[:, 2]}
    make = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "pyarrow": pa.table}
    plain = np.stack(list(columns.values()), 1).astype(np.float32)
    rows: Any = make[kind](columns) if kind in make else plain if kind == "numpy" else torch.from_numpy(plain)
    vae = lt.VAE(max_epochs=3, random_state=0).fit(rows)
    for result in (vae.reconstruct(rows), vae.denoise(rows), vae.sample(5), vae.inverse_transform(vae.transform(rows))):
        assert type(result) is type(rows)
        if kind in make:
            assert nw.from_native(result).schema == nw.from_native(rows).schema
        else:
            assert result.dtype == rows.dtype
    anomalies = nw.from_native(vae.anomalies(rows))
    assert anomalies.columns == ["score", "anomaly", "p_value", "rank", "anomalous", "fields", "expected"]
    assert type(vae.anomalies(rows)) is (type(rows) if kind in make else pa.Table)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((20, 9, 7), np.uint8), ((20, 16, 18, 3), np.uint8), ((20, 2, 17, 5), np.float64), ((20, 1, 31, 33), np.float32)],
)
def test_pictures_of_any_size(shape: tuple[int, ...], dtype: type) -> None:
    generator = np.random.default_rng(0)
    low_rank = generator.random((20, 2)) @ generator.random((2, int(np.prod(shape[1:]))))
    pictures = (low_rank.reshape(shape) / low_rank.max() * (255 if dtype == np.uint8 else 3)).astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lt.LatenteWarning)
        vae = lt.VAE(max_epochs=2, random_state=0).fit(pictures)
    again = vae.reconstruct(pictures)
    assert again.shape == shape
    assert again.dtype == dtype
    assert vae.sample(3).shape == (3, *shape[1:])
    assert vae.interpolate(pictures[0], pictures[1], 4).shape == (4, *shape[1:])
    assert vae.score_samples(pictures).shape == (20,)


def test_transform_is_no_draw_and_knows_no_neighbours(fitted_table: lt.VAE, table: NDArray[np.float64]) -> None:
    codes = fitted_table.transform(table)
    assert np.array_equal(codes, fitted_table.transform(table))
    scores = fitted_table.score_samples(table)
    order = np.random.default_rng(0).permutation(len(table))
    np.testing.assert_allclose(fitted_table.score_samples(table[order]), scores[order], rtol=1e-9)
    np.testing.assert_allclose(fitted_table.score_samples(table[5:6]), scores[5:6], rtol=1e-9)
    np.testing.assert_allclose(fitted_table.transform(table[5:6]), codes[5:6], rtol=1e-3, atol=1e-5)


def test_a_unit_of_measure_changes_scores_by_a_constant(table: NDArray[np.float64]) -> None:
    quick = lt.VAE(max_epochs=3, hidden=(16,), latent_dim=2, random_state=0)
    factors = np.array([10.0, *np.ones(29)])
    difference = clone(quick).fit(table * factors).score_samples(table * factors) - clone(quick).fit(table).score_samples(table)
    np.testing.assert_allclose(difference, -np.log(10), atol=0.05)


def test_the_higher_the_anomaly_the_stranger_the_row(fitted_table: lt.VAE, table: NDArray[np.float64]) -> None:
    rows = table[:40].copy()
    rows[:3] *= 4
    for score in ("auto", "log-prob"):
        found = fitted_table.anomalies(rows, score=score).to_pandas()
        assert set(found["anomaly"].nlargest(3).index) == {0, 1, 2} == set(found["score"].nsmallest(3).index)
        assert set(found["rank"].nsmallest(3).index) == {0, 1, 2} and found["rank"].min() == 1
        assert ((found["anomaly"] >= 0) == found["anomalous"]).all()
    np.testing.assert_allclose(found["score"], fitted_table.score_samples(rows))
    np.testing.assert_allclose(found["anomaly"], fitted_table.offset_ - found["score"])


@pytest.mark.parametrize("kind", [pd.DataFrame, pa.table, np.asarray])
def test_a_row_without_any_value_has_no_score(kind: Any, fitted_table: lt.VAE, table: NDArray[np.float64]) -> None:
    names = [f"m{column}" for column in range(30)]
    rows = table[:9].copy()
    rows[[2, 5]] = np.nan
    rows[0, 3] = np.nan
    rows = rows if kind is np.asarray else kind(pd.DataFrame(rows, columns=names).to_dict("list"))
    vae = fitted_table if kind is np.asarray else lt.VAE(max_epochs=1, random_state=0).fit(pd.DataFrame(table, columns=names))
    blank = np.isin(np.arange(9), [2, 5])
    with pytest.warns(lt.LatenteWarning, match="rows without any observed value have no score: 2, the first in row 2"):
        found = vae.anomalies(rows)
    found = found if kind is pd.DataFrame else found.to_pandas()
    for column in ("score", "anomaly", "p_value"):
        assert (found[column].isna() == blank).all()
    assert (found["fields"][blank] == "").all()
    with warnings.catch_warnings(category=lt.LatenteWarning, action="ignore"):
        assert (np.isnan(vae.score_samples(rows)) == blank).all()
        assert (vae.predict(rows)[blank] == 1).all()
        assert np.isfinite(vae.score(rows))
        parts = pd.DataFrame(nw.from_native(vae.score_parts(rows), eager_only=True).to_dict(as_series=False))
    assert (parts.isna().all(axis=1) == blank).all()


def test_there_is_no_negative_zero_but_where_one_was_observed() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(300, 3)).round(1)
    rows = np.where(np.abs(rows) < 0.6, 0.0, rows)
    for data in (rows, rows.astype(np.float32), pd.DataFrame(rows, columns=list("abc"))):
        vae = lt.VAE(max_epochs=2, random_state=0).fit(data)
        for found in (vae.sample(500), vae.reconstruct(data), vae.impute(data, draws=1)[0]):
            values = np.asarray(found)
            assert not np.signbit(values[values == 0]).any()
    signed = rows.copy()
    signed[0, 0] = -0.0
    assert np.signbit(vae.impute(pd.DataFrame(signed, columns=list("abc")))["a"][0])


def test_p_values_of_like_rows_are_uniform_at_most(digits: NDArray[np.uint8]) -> None:
    shuffled = np.random.default_rng(0).permutation(digits)
    learnt, fresh = shuffled[:1200], shuffled[1200:]
    vae = lt.VAE(max_epochs=8, validation_fraction=0.25, random_state=0).fit(learnt)
    p = vae.anomalies(fresh, score="log-prob")["p_value"].to_numpy()
    assert 0 < p.min() <= p.max() <= 1
    for level in (0.05, 0.2, 0.5):
        assert (p <= level).mean() < level + 0.08
    flagged = vae.predict(fresh) == -1
    assert np.array_equal(flagged, vae.decision_function(fresh) < 0)
    assert np.array_equal(flagged, p <= 0.05)


def test_strange_rows_are_found_and_their_fields_named(table: NDArray[np.float64]) -> None:
    frame = pd.DataFrame(table, columns=[f"m{c}" for c in range(30)])
    vae = lt.VAE(random_state=0).fit(frame)
    strange = frame.head(3).copy()
    strange["m7"] = frame["m7"].max() * 4
    report = vae.anomalies(strange)
    assert (report["p_value"] < 0.05).all()
    assert report["fields"].str.contains("m7").all()


def test_denoising_brings_rows_nearer_to_the_truth() -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(size=(1200, 2)) @ generator.normal(size=(2, 10))
    noisy = truth + 0.5 * generator.normal(size=truth.shape)
    error = lambda rows: float(np.square(rows - truth).mean())  # noqa: E731
    plain, denoising = (
        lt.VAE(r, latent_dim=2, max_epochs=60, effort="quick", random_state=0).fit(noisy) for r in ("vae", "denoising")
    )
    for vae, cleaned in ((plain, plain.denoise(noisy, noise=0.5)), (denoising, denoising.denoise(noisy))):
        assert error(cleaned) < 0.45 * error(noisy)
        assert error(cleaned) <= 1.05 * error(vae.reconstruct(noisy))
    cleaned, noise = plain.denoise(noisy, return_noise=True)
    assert noise == {"kind": "none"} and np.allclose(cleaned, noisy, atol=1e-4), "it is like the rows of the fit"


def test_samples_have_the_moments_of_the_data(table: NDArray[np.float64]) -> None:
    vae = lt.VAE(random_state=0).fit(table)
    drawn = vae.sample(4000, random_state=1)
    scale = table.std(0)
    assert np.abs((drawn.mean(0) - table.mean(0)) / scale).mean() < 0.15
    assert np.abs(drawn.std(0) / scale - 1).mean() < 0.3
    assert np.abs(np.corrcoef(drawn.T) - np.corrcoef(table.T)).mean() < 0.12
    assert not np.array_equal(drawn, vae.sample(4000, random_state=2))
    assert vae.sample(7, prior="prior").shape == (7, 30)


def test_interpolation_ends_at_both_rows(fitted_table: lt.VAE, table: NDArray[np.float64]) -> None:
    path = fitted_table.interpolate(table[3], table[9], 7)
    np.testing.assert_allclose(path[[0, -1]], fitted_table.reconstruct(table[[3, 9]]), rtol=1e-4)
    np.testing.assert_allclose(path[0], fitted_table.interpolate(table[3:4], table[9:10], 3)[0], rtol=1e-5)


def test_holes_are_not_seen(table: NDArray[np.float64]) -> None:
    holes = np.where(np.random.default_rng(0).random(table.shape) < 0.3, np.nan, table)
    holes[11] = np.nan
    vae = lt.VAE(random_state=0, max_epochs=30).fit(holes)
    assert vae.model_.encoder.masked
    for result in (vae.transform(holes), vae.reconstruct(holes), vae.denoise(holes)):
        assert np.isfinite(result).all()
    with pytest.warns(lt.LatenteWarning, match="no score: 1, the first in row 11"):
        assert np.flatnonzero(np.isnan(vae.score_samples(holes))).tolist() == [11]
    filled = np.where(np.isnan(holes), vae.denoise(holes), holes)
    hole, scale = np.isnan(holes), table.std(0)
    error = np.sqrt(np.square((filled - table) / scale)[hole].mean())
    assert error < 0.75  # the columns' means are at 1


BAD_SETTINGS = [
    ({"latent_dim": 0}, "latent_dim is 0; it must be 'auto' or a whole number from 1"),
    ({"latent_dim": 31}, "latent_dim=31 is above the number of fields that vary, 30"),
    ({"max_epochs": 0}, "max_epochs is 0"),
    ({"batch_size": -1}, "batch_size is -1"),
    ({"learning_rate": 0.0}, "learning_rate is 0.0"),
    ({"time_limit": 0}, "time_limit is 0"),
    ({"validation_fraction": 1.0}, "validation_fraction is 1.0"),
    ({"hidden": (0,)}, "hidden is "),
    ({"hidden": 64}, "hidden is 64"),
    ({"precision": "float16"}, "precision is 'float16'"),
    ({"device": "gpu"}, "device is 'gpu'"),
    ({"recipe": "vqvae"}, "no recipe called 'vqvae'"),
    ({"recipe": 3}, "recipe is 3"),
    ({"likelihood": "gauss"}, "no part called 'gauss'"),
    ({"likelihood": "bernoulli"}, "'bernoulli' is a likelihood of values from 0 to 1"),
    ({"recipe": lt.recipe("beta-vae", beta="x")}, "beta of 'elbo' can't be 'x': Expected `float`, got `str`"),
    ({"likelihood": "elbo"}, "'elbo' is no likelihood"),
]


@pytest.mark.parametrize(("settings", "words"), BAD_SETTINGS, ids=lambda value: str(value)[:30])
def test_bad_settings(settings: dict[str, Any], words: str, table: NDArray[np.float64]) -> None:
    with pytest.raises(lt.ModelError, match=words.replace("(", r"\(")):
        lt.VAE(**settings).fit(table)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda t: t[:1], "n_samples=1"),
        (lambda t: np.ones((50, 4)), "no column holds two different values"),
        (lambda t: np.full((50, 4), np.nan), "no column holds two different values"),
        (lambda t: np.where(t == t[4, 2], np.inf, t), "inf.*row 4|row 4.*inf|infinite"),
        (lambda t: t.astype(str).astype(object)[:, :2] + "x", "string|text|number"),
        (lambda t: "no/such/file.csv", "no/such/file.csv"),
    ],
)
def test_bad_data(spoil: Any, words: str, table: NDArray[np.float64]) -> None:
    with pytest.raises(lt.DataError, match=words):
        lt.VAE(max_epochs=1).fit(spoil(table))


def test_odd_but_usable_data_is_used_and_noted(table: NDArray[np.float64]) -> None:
    odd = table.copy()
    odd[:, 1], odd[:, 2], odd[7] = 5.0, np.nan, np.nan
    odd[3, 0] = 1e30
    vae = lt.VAE(max_epochs=2, random_state=0).fit(odd)
    notes = " ".join(vae.notes_)
    for words in ("a single value", "without any value", "1e+30 in row 3", "1 row without any value"):
        assert words in notes
    again = vae.reconstruct(odd)
    assert (again[:, 1] == 5.0).all()
    assert np.isnan(again[:, 2]).all()
    wide = lt.VAE(max_epochs=2, random_state=0).fit(table[:12])
    assert any("fewer rows (12) than columns (30)" in note for note in wide.notes_)


def test_columns_are_matched_by_name(table: NDArray[np.float64]) -> None:
    frame = pd.DataFrame(table[:, :4], columns=list("abcd"))
    vae = lt.VAE(max_epochs=2, random_state=0).fit(frame)
    codes = vae.transform(frame)
    assert np.array_equal(vae.transform(frame[["d", "b", "a", "c"]]), codes)
    assert np.array_equal(vae.transform(frame.assign(label="text")), codes)
    with pytest.raises(lt.DataError, match=r"missing: 'b'"):
        vae.transform(frame[["a", "c", "d"]])
    with pytest.raises(lt.DataError, match="X has 3 features, but VAE is expecting 4 features"):
        vae.transform(table[:, :3])
    with pytest.raises(lt.DataError, match="pictures"):
        vae.transform(np.zeros((3, 8, 8)))
    with pytest.raises(lt.DataError, match="one row to another; it was given 2"):
        vae.interpolate(frame.head(2), frame.head(1))
    with pytest.raises(lt.DataError, match="codes have shape"):
        vae.inverse_transform(np.zeros((3, 99)))


def test_pictures_of_another_size_are_refused(fitted_digits: lt.VAE) -> None:
    with pytest.raises(lt.DataError, match="9"):
        fitted_digits.transform(np.zeros((3, 9, 8), np.uint8))


def test_a_recipe_of_ones_own_part(table: NDArray[np.float64], tmp_path: Any) -> None:
    class Doubler(lt.Part):
        """An encoder in ten lines: each row twice."""

        name = "doubler"

        def __init__(self, shape: tuple[int, ...]) -> None:
            super().__init__()
            self.width = 2 * int(np.prod(shape))

        def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
            return torch.cat([x.flatten(1), x.flatten(1).square().clamp(max=9)], 1)

    recipe = lt.Recipe("mine", encoder=lt.choose("doubler"))
    with pytest.raises(lt.ModelError, match="no part called 'doubler'"):
        lt.VAE(recipe).fit(table)
    recipe = lt.Recipe("mine", encoder=lt.choose(Doubler))
    vae = lt.VAE(recipe, max_epochs=2, random_state=0).fit(table)
    path = vae.save(tmp_path / "mine.safetensors")
    with pytest.raises(lt.StorageError, match="no part called 'doubler'"):
        lt.load(path)
    assert np.array_equal(lt.load(path, parts=[Doubler]).transform(table), vae.transform(table))


# -- what a row is told does not depend on where it stands ------------------------------------------------------------


@pytest.mark.slow
def test_sorted_rows_are_learnt_as_well_as_shuffled_ones() -> None:
    """Files are often sorted; what is measured on some rows must not be measured on the first ones."""
    generator = np.random.default_rng(0)
    idle = 0.05 * generator.normal(size=(11_500, 8))
    active = generator.normal(size=(2500, 3)) @ generator.normal(size=(3, 8)) + 0.1 * generator.normal(size=(2500, 8))
    rows = np.concatenate([idle, active])
    order = generator.permutation(len(rows))
    quick = lt.VAE(max_epochs=6, random_state=0)
    ordered, shuffled = clone(quick).fit(rows), clone(quick).fit(rows[order])
    assert ordered.figures_["loss"] == pytest.approx(shuffled.figures_["loss"], abs=3)
    assert ordered.score_samples(active).mean() == pytest.approx(shuffled.score_samples(active).mean(), abs=8)


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_holes_raise_no_false_alarm(share: float) -> None:
    """Half-seen rows of the same law, after training with holes or without: scores near the exact marginal, few alarms."""
    generator = np.random.default_rng(0)
    weights = generator.normal(size=(2, 6))
    covariance = weights.T @ weights + 0.09 * np.eye(6)
    rows = generator.multivariate_normal(np.zeros(6), covariance, 3000)
    test = generator.multivariate_normal(np.zeros(6), covariance, 300)
    hole = generator.random(test.shape) < 0.5
    hole[hole.all(1), 0] = False
    exact = [multivariate_normal(cov=covariance[np.ix_(~h, ~h)]).logpdf(x[~h]) for x, h in zip(test, hole, strict=True)]
    vae = lt.VAE(latent_dim=2, random_state=0).fit(np.where(generator.random(rows.shape) < share, np.nan, rows))
    scores = vae.score_samples(np.where(hole, np.nan, test), importance_samples=500)
    assert scores.mean() == pytest.approx(np.mean(exact), abs=1.0)
    assert (vae.predict(np.where(hole, np.nan, test)) == -1).mean() < 0.2


def test_denoising_knows_no_neighbours(fitted_table: lt.VAE, table: NDArray[np.float64]) -> None:
    one, all_rows = (fitted_table.denoise(rows, noise=0.5) for rows in (table[5:6], table))
    np.testing.assert_allclose(one, all_rows[5:6], rtol=1e-3)


def test_the_index_of_a_pandas_frame_comes_back(table: NDArray[np.float64]) -> None:
    frame = pd.DataFrame(table[:100, :5], columns=list("abcde")).sample(frac=1.0, random_state=0)
    vae = lt.VAE(max_epochs=2, random_state=0).fit(frame)
    for result in (vae.reconstruct(frame), vae.denoise(frame), vae.anomalies(frame)):
        assert (result.index == frame.index).all()
    assert vae.interpolate(frame.iloc[0], frame.iloc[1], 3).shape == (3, 5)


def test_values_that_a_likelihood_does_not_describe_are_refused(digits: NDArray[np.uint8]) -> None:
    pictures = digits.astype(np.float32) / 255
    vae = lt.VAE(likelihood="continuous-bernoulli", max_epochs=2, random_state=0).fit(pictures)
    with pytest.raises(lt.DataError, match="values from 0 to 1; the encoded values go from"):
        vae.score_samples(pictures * 255)


def test_units_count_where_the_likelihood_is_a_density() -> None:
    bits = (np.random.default_rng(0).random((60, 6, 6)) < 0.5).astype(np.uint8)
    quick = lt.VAE(likelihood="normal", max_epochs=2, latent_dim=2, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lt.LatenteWarning)
        plain, large = clone(quick).fit(bits).score(bits), clone(quick).fit(bits * 255).score(bits * 255)
        assert plain - large == pytest.approx(36 * np.log(255), abs=0.5)
        coins = clone(quick).set_params(likelihood="bernoulli")
        assert clone(coins).fit(bits).score(bits) == pytest.approx(clone(coins).fit(bits * 255).score(bits * 255), abs=0.5)


def test_far_values_do_not_overflow(fitted_table: lt.VAE, table: NDArray[np.float64]) -> None:
    far = table[:2].copy()
    far[0, 3] = 1e300
    assert np.isfinite(fitted_table.transform(far)).all()
    assert fitted_table.predict(far)[0] == -1


@pytest.mark.parametrize(("call", "error"), [
    (lambda v, t: v.score_samples(t, importance_samples=0), lt.ModelError),
    (lambda v, t: lt.VAE(random_state=-1).fit(t), lt.ModelError),
    (lambda v, t: lt.VAE(validation_fraction="a").fit(t), lt.ModelError),
    (lambda v, t: lt.VAE(likelihood=5).fit(t), lt.ModelError),
    (lambda v, t: lt.VAE().interpolate(t[:1], t[1:2]), NotFittedError),
])  # fmt: skip
def test_errors_are_for_people(call: Any, error: type[Exception], fitted_table: lt.VAE, table: NDArray[np.float64]) -> None:
    with pytest.raises(error):
        call(fitted_table, table)


def test_few_rows_and_a_large_share_held_out(table: NDArray[np.float64]) -> None:
    vae = lt.VAE(validation_fraction=0.95, max_epochs=2, random_state=np.random.default_rng(0)).fit(table[:10])
    assert vae.figures_["rows"] == 2
    none = lt.VAE(validation_fraction=0.0, max_epochs=2, random_state=0).fit(table)
    assert any("no rows were held out" in note for note in none.notes_)
