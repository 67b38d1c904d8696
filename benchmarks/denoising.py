"""Noise removed, beside median filters, PCA, wavelets and non-local means; wrong values found and repaired in tables.

Pictures and windows: a model is fitted to clean rows; other rows get Gaussian noise of .1, .25 and .5 of the range, 10% and 30%
salt and pepper, or 30% of their values hidden. Latente is told nothing of the noise; all others are told its level, and get
hidden values filled with the mean of the training rows. What is printed is the peak signal-to-noise ratio, and how much clean
rows are changed. Tables: 5% of the values are replaced by those of other rows, or numbers by some 3 to 6 standard
deviations off; wrong cells are ranked (AUROC), beside an
isolation forest with its scores per column, and repaired, beside
iterative imputation, which is told which cells are wrong, and Latente's imputation if it is told so, too.

scikit-image is needed (``pip install latente[bench]``).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import median_filter
from skimage.restoration import denoise_nl_means, denoise_wavelet
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.experimental import enable_iterative_imputer  # noqa: F401  (makes the next import possible)
from sklearn.impute import IterativeImputer
from sklearn.metrics import roc_auc_score

import latente as lt
from benchmarks import data
from benchmarks.common import Figure, options, report, show
from latente.tasks import repairs

Array = NDArray[Any]
COMPONENTS = (2, 5, 10, 20, 40, 80, 160)
TABLES = ("dry_bean", "adult", "ai4i")


def _split(x: Array, rows: int, test: int) -> tuple[Array, Array]:
    x = x[np.random.default_rng(0).permutation(len(x))]
    return x[test : test + rows], x[:test]


def digits(rows: int, test: int) -> tuple[Array, Array]:
    return _split(load_digits().images.astype(np.float32) / 16, rows, test)


def mnist(rows: int, test: int) -> tuple[Array, Array]:
    with np.load(data.path("mnist.npz")) as file:
        return file["x_train"][:rows].astype(np.float32) / 255, file["x_test"][:test].astype(np.float32) / 255


def frey(rows: int, test: int) -> tuple[Array, Array]:
    with np.load(data.path("freyfaces.npz")) as file:
        return _split(file["x"].astype(np.float32) / 255, rows, test)


def ecg(rows: int, test: int) -> tuple[Array, Array]:
    with np.load(data.path("series/ecg5000.npz")) as file:
        return _split(file["normal_train"].astype(np.float32), rows, test)


SETS: dict[str, Callable[[int, int], tuple[Array, Array]]] = {
    "digits": digits,
    "MNIST": mnist,
    "Frey faces": frey,
    "ECG5000": ecg,
}


def gaussian(x: Array, sigma: float, rng: np.random.Generator) -> Array:
    noisy: Array = x + sigma * rng.normal(size=x.shape).astype(x.dtype)
    return noisy


def salt_and_pepper(x: Array, share: float, rng: np.random.Generator) -> Array:
    u = rng.random(x.shape)
    return np.where(u < share / 2, x.min(0), np.where(u > 1 - share / 2, x.max(0), x)) if x.ndim == 2 else np.where(
        u < share / 2, 0, np.where(u > 1 - share / 2, 1, x)
    ).astype(x.dtype)  # fmt: skip


def masked(x: Array, share: float, rng: np.random.Generator) -> Array:
    return np.where(rng.random(x.shape) < share, np.nan, x)


NOISES: dict[str, tuple[Callable[[Array, float, np.random.Generator], Array], float]] = {
    "gaussian .1": (gaussian, 0.1),
    "gaussian .25": (gaussian, 0.25),
    "gaussian .5": (gaussian, 0.5),
    "salt and pepper .1": (salt_and_pepper, 0.1),
    "salt and pepper .3": (salt_and_pepper, 0.3),
    "masked .3": (masked, 0.3),
}


def of_pca(train: Array, noisy: Array, corrupt: Callable[[Array], Array]) -> Array:
    """With as many components as bring training rows with the same noise nearest to themselves."""
    flat, mean = train.reshape(len(train), -1), train.reshape(len(train), -1).mean(0)
    some = flat[:300]
    hard = _filled(corrupt(train[:300]), train).reshape(len(some), -1)
    axes = PCA(min(COMPONENTS[-1], *flat.shape), random_state=0).fit(flat[300:]).components_
    errors = {k: np.square(mean + (hard - mean) @ axes[:k].T @ axes[:k] - some).mean() for k in COMPONENTS if k <= len(axes)}
    best = axes[: min(errors, key=errors.__getitem__)]
    found: Array = mean + (noisy.reshape(len(noisy), -1) - mean) @ best.T @ best
    return found.reshape(noisy.shape)


def by_rows(filter_row: Callable[[Array], Array], noisy: Array) -> Array:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return np.stack([filter_row(row) for row in noisy])


def _nl_means(row: Array, sigma: float) -> Array:
    picture = row if row.ndim == 2 else row[:, None]
    size = {"patch_size": 3, "patch_distance": 5} if min(picture.shape) < 16 else {"patch_size": 5, "patch_distance": 7}
    found: Array = denoise_nl_means(picture, h=0.8 * sigma, sigma=sigma, fast_mode=False, **size)
    return found.reshape(row.shape)


def _filled(noisy: Array, train: Array) -> Array:
    return np.where(np.isnan(noisy), train.mean(0), noisy)


def psnr(found: Array, clean: Array) -> float:
    return float(-10 * np.log10(np.square(found - clean).mean()))


def of_set(name: str, rows: int, test: int, seed: int) -> tuple[list[dict[str, float]], dict[str, float]]:
    """The figures of each noise, and what becomes of clean rows."""
    train, clean = SETS[name](rows, test)
    scale = float(train.max() - train.min())
    train, clean = (train - train.min()) / scale, (clean - train.min()) / scale
    vae = _fitted(train, seed)
    lines = []
    for corrupt, level in NOISES.values():
        rng = np.random.default_rng(seed)
        noisy = corrupt(clean, level, rng)
        whole = _filled(noisy, train)
        sigma = float(np.sqrt(np.square(whole - clean).mean()))
        found = {
            "Latente": vae.denoise(noisy),
            "noisy": whole,
            "median": by_rows(lambda row: median_filter(row, 3), whole),
            "PCA": of_pca(train, whole, lambda x, corrupt=corrupt, level=level: corrupt(x, level, np.random.default_rng(9))),  # type: ignore[misc]
            "wavelet": by_rows(lambda row, sigma=sigma: denoise_wavelet(row, sigma=sigma, rescale_sigma=False), whole),  # type: ignore[misc]
            "non-local": by_rows(lambda row, sigma=sigma: _nl_means(row, sigma), whole),  # type: ignore[misc]
        }
        lines.append({method: psnr(np.asarray(x), clean) for method, x in found.items()})
    kept, noise = vae.denoise(clean, return_noise=True)
    sigma = noise.get("sigma", 0.0)
    estimated = float(np.sqrt(np.mean(np.square(list(sigma.values()) if isinstance(sigma, dict) else sigma))))
    return lines, {"changed": float(np.sqrt(np.square(kept - clean).mean())), "estimated": estimated}


def _fitted(rows: Any, seed: int) -> lt.VAE:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lt.VAE(random_state=seed).fit(rows)


def swapped(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Each value is that of another row."""
    return pd.DataFrame({name: rng.permutation(table[name].to_numpy()) for name in table}).astype(table.dtypes)


def gross(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Numbers are 3 to 6 standard deviations off, in the type of their column; levels are those of other rows."""
    found = swapped(table, rng)
    for name in table.select_dtypes("number"):
        off = rng.uniform(3, 6, len(table)) * rng.choice([-1, 1], len(table)) * table[name].std()
        found[name] = (
            (table[name] + off).round(0 if pd.api.types.is_integer_dtype(table[name]) else 6).astype(table[name].dtype)
        )
    return found


ERRORS = {"swapped": swapped, "gross": gross}


def of_table(name: str, kind: str, rows: int, seed: int) -> dict[str, float]:
    """Cells found and repaired."""
    what = data.MIXED[name]
    table = data.mixed(name, seed)[0].drop(columns=list(what.identifiers))
    table = table.assign(**{code: table[code].map(str, na_action="ignore") for code in what.codes}).dropna()
    table = table.sample(min(2 * rows, len(table)), random_state=seed).reset_index(drop=True)
    train, clean = table.iloc[rows:].reset_index(drop=True), table.iloc[:rows].reset_index(drop=True)
    rng = np.random.default_rng(seed)
    dirty = clean.mask(rng.random(clean.shape) < 0.05, ERRORS[kind](table, rng).iloc[: len(clean)].reset_index(drop=True))
    wrong = (dirty != clean).to_numpy()
    vae = _fitted(train, seed)
    encoded = vae.fitted_.rows(dirty, "missing")
    odds = repairs.find(vae.row_model_, encoded, vae.codec_.fields, 0).odds.numpy()
    places = [list(table.columns).index(field.name) for field in vae.codec_.fields]
    numbers = [k for k, place in enumerate(places) if pd.api.types.is_numeric_dtype(table.dtypes.iloc[place])]
    repaired, changed = vae.repair(dirty)
    cells = wrong[:, places]
    forest = _by_forest(encoded.x.numpy(), vae)
    figures = {
        "AUROC of numbers": float(roc_auc_score(cells[:, numbers].ravel(), odds[:, numbers].ravel())),
        "of all": float(roc_auc_score(cells.ravel(), odds.ravel())),
        "forest's of numbers": float(roc_auc_score(cells[:, numbers].ravel(), forest[:, numbers].ravel())),
        "precision": float(wrong[changed].mean()) if changed.any() else float("nan"),
        "recall": float(changed[wrong].mean()),
    }
    names = [table.columns[places[k]] for k in numbers]
    scale = train[names].std()
    mask = wrong[:, [list(table.columns).index(each) for each in names]]
    imputed = IterativeImputer(max_iter=5, random_state=seed).fit(train[names]).transform(dirty[names].mask(mask).astype(float))
    truth, whole = clean[names].to_numpy(float), repaired[names].to_numpy(float)

    filled = vae.impute(dirty.mask(wrong))[names].to_numpy(float)

    def error(found: Array) -> float:
        return float(np.sqrt((np.square((found - truth) / scale.to_numpy())[mask]).mean()))

    errors = {"as it came": dirty[names].to_numpy(float), "repaired": whole, "told which": filled, "iterative, told": imputed}
    return figures | {f"error {method}": error(found) for method, found in errors.items()}


def _by_forest(x: Array, vae: lt.VAE) -> Array:
    """How much less unusual an isolation forest finds a row with a column at its median, [N, F]."""
    train = vae.fitted_.at_hand.train.x.numpy()  # type: ignore[union-attr]
    forest = IsolationForest(random_state=0).fit(train)
    usual, medians = forest.score_samples(x), np.median(train, 0)
    columns = []
    for f in range(x.shape[1]):
        changed = x.copy()
        changed[:, f] = medians[f]
        columns.append(forest.score_samples(changed) - usual)
    return np.stack(columns, 1)


def main() -> None:
    """Measure, print, and write where asked."""
    asked = options(__doc__, seeds=1, sets=tuple(SETS), tables=TABLES, rows=1500, test=200)
    lines, best, unchanged = [], [], []
    for name in asked.sets:
        for seed in range(asked.seeds):
            found, clean = of_set(name, asked.rows, asked.test, seed)
            unchanged.append(clean["changed"] <= clean["estimated"])
            print(name, clean, flush=True)
            for noise, line in zip(NOISES, found, strict=True):
                print(name, noise, {method: round(value, 2) for method, value in line.items()}, flush=True)
                best += [line["Latente"] >= value for method, value in line.items() if method != "Latente"]
                lines.append((f"{name}, {noise}", *line.values()))
    if lines:
        show("Peak signal-to-noise ratio, dB", ("", *found[0]), lines)
    tables = {f"{name}, {kind}": of_table(name, kind, asked.rows, 0) for name in asked.tables for kind in ERRORS}
    for name, line in tables.items():
        print(name, {what: round(value, 3) for what, value in line.items()}, flush=True)
    figures = [Figure("share of comparisons at or above the other", float(np.mean(best)), "", 0.8)] if best else []
    figures += [Figure("clean rows changed by less than their noise", float(np.mean(unchanged)), "", 1.0)] if best else []
    for name, line in tables.items():
        figures += [
            Figure(f"{name}: cell AUROC of numbers", line["AUROC of numbers"], "", 0.9),
            Figure(f"{name}: above an isolation forest by", line["AUROC of numbers"] - line["forest's of numbers"], "", 0.0),
            Figure(f"{name}: error of repairs", line["error repaired"], "sd", line["error iterative, told"], at_most=True),
            Figure(f"{name}: error told which", line["error told which"], "sd", line["error iterative, told"], at_most=True),
        ]
    report("Denoising", figures, asked)


if __name__ == "__main__":
    main()
