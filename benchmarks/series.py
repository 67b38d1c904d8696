"""Series: anomalies, gaps, new windows and time, beside PCA of windows, nearest patches and linear interpolation.

Anomalies: ECG5000, fitted to normal windows; NAB's three series, fitted to the part before their first event; and columns of
energy windows one after the other, with planted events. The score is VUS-PR (Paparrizos et al. 2022), the volume under
precision and recall with tolerances up to a window; nothing is adjusted to points. PCA of windows and nearest patches get the
same first part and the same windows.

Gaps: one step, runs of 10 and of 50 steps, and 10% or 50% of the points, hidden in every series; the mean absolute error beside
linear interpolation.

New windows: energy, random walks with changing volatility, sines. A recurrent classifier (GRU) is trained to tell them from
real ones; |accuracy - .5| is the discriminative score of TimeGAN.

Sequences: 5,000 entities of 5 to 20 steps and eight mixed columns with known transitions (``benchmarks/sequences.py``).
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors
from torch import nn

import latente as lt
from benchmarks import data, sequences
from benchmarks.common import Figure, options, report, show

Array = NDArray[Any]
NAB = ("ambient_temperature_system_failure", "machine_temperature_system_failure", "nyc_taxi")
PARTS = ("ecg", "events", "validity", "gaps", "windows", "sequences", "time", "recipes")
THRESHOLDS = 250
RECIPES = ("vae", "timevae", "donut", "recurrent-vae", "gp-vae", "vrnn")


# -- anomalies ----------------------------------------------------------------------------------------------------------


def vus_pr(labels: Array, score: Array, tolerance: int) -> float:
    """Volume under the range-based precision-recall curves of tolerances from 0 to ``tolerance`` steps."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], labels, [0]])))
    events = list(zip(edges[::2], edges[1::2], strict=True))
    order = np.sort(score)[::-1]
    limits = order[np.linspace(0, len(score) - 1, THRESHOLDS).astype(int)]
    return float(
        np.mean([_area(labels, score, events, limits, width) for width in range(0, tolerance + 1, max(1, tolerance // 16))])
    )


def _area(labels: Array, score: Array, events: list[tuple[int, int]], limits: Array, width: int) -> float:
    """Under one curve. An event has slopes of half the width on both sides, and each must be touched."""
    half, soft = width // 2, labels.astype(float)
    for begin, end in events:
        for away in range(1, half + 1):
            for place in (begin - away, end - 1 + away):
                if 0 <= place < len(soft):
                    soft[place] = max(soft[place], np.sqrt(1 - away / width))
    wide = [(max(0, begin - half), min(len(soft), end + half)) for begin, end in events]
    recalls, precisions = [0.0], [1.0]
    for limit in limits:
        found = score >= limit
        true = float((soft * found).sum())
        around = np.where(labels > 0, 1.0, soft * found)
        positive = (labels.sum() + around.sum()) / 2
        touched = np.mean([found[begin:end].any() for begin, end in wide])
        recalls.append(min(1.0, true / positive) * touched)
        precisions.append(true / found.sum())
    return float((np.diff(recalls) * np.array(precisions[1:])).sum())


def patches(values: Array, window: int) -> Array:
    """All windows of channels [T, C], one after the other, [T - L + 1, L C]."""
    return np.lib.stride_tricks.sliding_window_view(values, window, 0).reshape(len(values) - window + 1, -1)


def on_steps(scores: Array, window: int) -> Array:
    """Scores of windows averaged over the windows that hold a step."""
    total, count = np.zeros(len(scores) + window - 1), np.zeros(len(scores) + window - 1)
    for k in range(window):
        total[k : k + len(scores)] += scores
        count[k : k + len(scores)] += 1
    return total / count


def by_pca(train: Array, values: Array, window: int) -> Array:
    """Squared error of PCA with 90% of the variance of windows."""
    pca = PCA(0.9, svd_solver="full").fit(patches(train, window))
    rows = patches(values, window)
    return on_steps(np.square(rows - pca.inverse_transform(pca.transform(rows))).sum(1), window)


def by_neighbours(train: Array, values: Array, window: int) -> Array:
    """Distance to the nearest window of the normal part."""
    near = NearestNeighbors(n_neighbors=1).fit(patches(train, window))
    return on_steps(near.kneighbors(patches(values, window))[0][:, 0], window)


def by_latente(vae: lt.VAE, frame: pd.DataFrame) -> Array:
    return np.asarray(vae.anomalies(frame)["anomaly"])


def series_with_events(name: str) -> tuple[pd.DataFrame, Array, int]:
    """A series, its labels, and how many steps come before the first event (at most a third)."""
    if name == "energy, planted":
        return planted()
    frame = pd.read_csv(data.path(f"series/{name}.csv"), parse_dates=["timestamp"])
    labels = np.zeros(len(frame), int)
    for begin, end in json.loads(data.path("series/anomaly_windows.json").read_text())[f"{name}.csv"]:
        labels[frame["timestamp"].between(pd.Timestamp(begin), pd.Timestamp(end))] = 1
    return frame, labels, min(int(labels.argmax()), len(frame) // 3)


def planted(seed: int = 0) -> tuple[pd.DataFrame, Array, int]:
    """Three columns of energy windows as a series, with six events: levels, noise, and a stuck value."""
    rng = np.random.default_rng(seed)
    with np.load(data.path("series/energy_windows.npz")) as file:
        steps = file["data"][::24, :, [0, 2, 20]].reshape(-1, 3)[:12_000].copy()
    labels = np.zeros(len(steps), int)
    for k, begin in enumerate(rng.choice(np.arange(4500, 11_500, 500), 6, replace=False)):
        part, channel = slice(begin, begin + 60), rng.integers(3)
        spread = steps[:, channel].std()
        steps[part, channel] = (
            steps[part, channel] + 2 * spread,
            steps[part, channel] + rng.normal(0, spread, 60),
            steps[begin, channel],
        )[k % 3]
        labels[part] = 1
    times = pd.date_range("2024-01-01", periods=len(steps), freq="10min")
    return pd.DataFrame({"timestamp": times, **{f"c{k}": steps[:, k] for k in range(3)}}), labels, 4000


def events(seeds: int) -> list[Figure]:
    rows, found = [], {"Latente": [], "PCA of windows": [], "nearest patches": []}
    for name in (*NAB, "energy, planted"):
        frame, labels, normal = series_with_events(name)
        values = frame.drop(columns="timestamp").to_numpy(float)
        values = (values - values[:normal].mean(0)) / values[:normal].std(0)
        ours = []
        for seed in range(seeds):
            vae = lt.VAE(time="timestamp", random_state=seed).fit(frame[:normal])
            ours.append(vus_pr(labels, by_latente(vae, frame), vae.codec_.window))
        window = vae.codec_.window
        others = [vus_pr(labels, by(values[:normal], values, window), window) for by in (by_pca, by_neighbours)]
        for method, value in zip(found, (float(np.mean(ours)), *others), strict=True):
            found[method].append(value)
        rows.append((name, window, float(np.mean(ours)), *others))
    show("VUS-PR", ("series", "window", *found), rows)
    means = {name: float(np.mean(values)) for name, values in found.items()}
    bar = max(means["PCA of windows"], means["nearest patches"])
    return [Figure("events: mean VUS-PR", means["Latente"], "", bar, reference=f"the better of both baselines {bar:.3f}")]


def validity(seeds: int) -> list[Figure]:
    """Share of steps with a p-value of at most .05 in series that go on as before: a daily cycle with dependent noise."""
    shares = []
    for seed in range(10 * seeds):
        rng, t = np.random.default_rng(seed), np.arange(16_000)
        noise = np.zeros(len(t))
        for k, shock in enumerate(rng.normal(0, 0.3, len(t) - 1)):
            noise[k + 1] = 0.8 * noise[k] + shock
        frame = pd.DataFrame(
            {"time": pd.date_range("2024-01-01", periods=len(t), freq="h"), "x": np.sin(t * np.pi / 12) + noise}
        )
        vae = lt.VAE(time="time", random_state=seed, effort="quick", max_epochs=10).fit(frame[:8000])
        shares.append(float((np.asarray(vae.anomalies(frame[8000:])["p_value"]) <= 0.05).mean()))
    told = f"from {min(shares):.3f} to {max(shares):.3f}"
    return [Figure("usual steps with p ≤ .05, mean", float(np.mean(shares)), "", 0.06, at_most=True, reference=told)]


def ecg(seeds: int) -> list[Figure]:
    with np.load(data.path("series/ecg5000.npz")) as file:
        train, test, label = (file[name] for name in ("normal_train", "test", "test_label"))
    found, seconds = [], []
    for seed in range(seeds):
        begin = time.perf_counter()
        vae = lt.VAE(time="auto", random_state=seed).fit(train[..., None])
        score = np.asarray(vae.anomalies(test[..., None])["anomaly"]).reshape(len(test), -1)[:, 0]
        seconds.append(time.perf_counter() - begin)
        found.append(roc_auc_score(label, score))
    near = NearestNeighbors(n_neighbors=1).fit(train).kneighbors(test)[0][:, 0]
    pca = PCA(0.9, svd_solver="full").fit(train)
    error = np.square(test - pca.inverse_transform(pca.transform(test))).sum(1)
    others = f"PCA {roc_auc_score(label, error):.4f}, nearest {roc_auc_score(label, near):.4f}, {np.mean(seconds):.0f} s"
    return [Figure("ECG5000: AUROC", float(np.mean(found)), "", 0.99, reference=others)]


# -- gaps ---------------------------------------------------------------------------------------------------------------

HIDE: dict[str, Callable[[tuple[int, ...], np.random.Generator], Array]] = {
    "1 step": lambda shape, rng: _gaps(shape, 1, rng),
    "10 steps": lambda shape, rng: _gaps(shape, 10, rng),
    "50 steps": lambda shape, rng: _gaps(shape, 50, rng),
    "10% of points": lambda shape, rng: rng.random(shape) < 0.1,
    "50% of points": lambda shape, rng: rng.random(shape) < 0.5,
}


def _gaps(shape: tuple[int, ...], length: int, rng: np.random.Generator) -> Array:
    """About a tenth of the steps of each channel, in runs."""
    hidden = np.zeros(shape, bool)
    for channel in range(shape[1]):
        for begin in rng.integers(0, max(1, shape[0] - length), max(1, shape[0] // (10 * length))):
            hidden[begin : begin + length, channel] = True
    return hidden


def _series_to_fill(rows: int) -> dict[str, pd.DataFrame]:
    found = {}
    for name in NAB:
        found[name] = pd.read_csv(data.path(f"series/{name}.csv"), parse_dates=["timestamp"]).drop_duplicates("timestamp")
    with np.load(data.path("series/energy_windows.npz")) as file:
        windows = file["data"][:rows]
    n, steps, channels = windows.shape
    frame = pd.DataFrame(windows.reshape(-1, channels), columns=[f"c{k}" for k in range(channels)])
    frame.insert(0, "timestamp", np.tile(pd.date_range("2024-01-01", periods=steps, freq="10min"), n))
    frame.insert(0, "window", np.repeat(np.arange(n), steps))
    found["energy"] = frame
    with np.load(data.path("series/ecg5000.npz")) as file:
        beats = file["normal_train"][:500]
    found["ecg"] = pd.DataFrame({
        "window": np.repeat(np.arange(len(beats)), beats.shape[1]),
        "timestamp": np.tile(pd.date_range("2024-01-01", periods=beats.shape[1], freq="s"), len(beats)),
        "value": beats.ravel(),
    })  # fmt: skip
    return found


def gaps(seeds: int, rows: int = 1500) -> list[Figure]:
    table, energy, cells = [], [], []
    for name, frame in _series_to_fill(rows).items():
        entity = "window" if "window" in frame else None
        columns = [column for column in frame if column not in ("timestamp", "window")]
        truth = frame[columns].to_numpy(float)
        spread = truth.std(0)
        for kind, hide in HIDE.items():
            if kind == "50 steps" and name == "energy":
                continue
            errors = []
            for seed in range(seeds):
                hidden = hide(truth.shape, np.random.default_rng(seed))
                holed = frame.copy()
                holed[columns] = np.where(hidden, np.nan, truth)
                vae = lt.VAE(time="timestamp", entity=entity, random_state=seed, effort="quick").fit(holed)
                filled = vae.impute(holed)[columns].to_numpy(float)
                of = holed.groupby(entity)[columns] if entity else holed[columns]
                lines = (
                    of.transform(lambda part: part.interpolate(limit_direction="both"))
                    if entity
                    else of.interpolate(limit_direction="both")
                )
                lines = lines.fillna(holed[columns].mean()).to_numpy(float)
                errors.append([float((np.abs(each - truth) / spread)[hidden].mean()) for each in (filled, lines)])
            ours, linear = np.mean(errors, axis=0).tolist()
            cells.append(ours <= linear * 1.0001)
            energy += [ours / linear] * (name == "energy")
            table.append((name, kind, ours, linear, ours / linear))
    show("Gaps: mean absolute error, standard deviations", ("series", "hidden", "Latente", "linear", "ratio"), table)
    return [
        Figure("gaps: cells not above linear interpolation", float(np.mean(cells)), "", 0.9),
        Figure("gaps: energy windows, of linear interpolation", float(np.mean(energy)), "", 0.85, at_most=True),
    ]


# -- new windows --------------------------------------------------------------------------------------------------------


class _Classifier(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        width = max(4, channels // 2)
        self.recurrent, self.last = nn.GRU(channels, width, batch_first=True), nn.Linear(width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.recurrent(x)[1][-1]).squeeze(-1)


def discriminative(real: Array, new: Array, seed: int, steps: int = 2000) -> float:
    """|accuracy - .5| on held-out windows of a GRU that tells real windows from new ones."""
    torch.manual_seed(seed)
    x = torch.from_numpy(np.concatenate([real, new]).astype(np.float32))
    low, high = x.amin((0, 1)), x.amax((0, 1))
    x, y = (x - low) / (high - low).clamp_min(1e-7), torch.cat([torch.ones(len(real)), torch.zeros(len(new))])
    order = torch.randperm(len(x))
    test, train = order[: len(x) // 5], order[len(x) // 5 :]
    model = _Classifier(x.shape[2])
    optimiser = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(steps):
        some = train[torch.randint(len(train), (128,))]
        loss = nn.functional.binary_cross_entropy_with_logits(model(x[some]), y[some])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    with torch.no_grad():
        right = ((model(x[test]) > 0) == (y[test] > 0)).float().mean()
    return abs(float(right) - 0.5)


def correlational(real: Array, new: Array) -> float:
    """Mean absolute difference of the correlations of channels."""
    one, other = (np.corrcoef(x.reshape(-1, x.shape[2]).T) for x in (real, new))
    return float(np.nanmean(np.abs(one - other)))


def walks(n: int, seed: int = 0) -> Array:
    """Six channels of prices: random walks whose volatility changes, shared in part."""
    rng = np.random.default_rng(seed)
    volatility = np.exp(0.3 * rng.normal(size=(n, 24, 1)).cumsum(1) / 4 + 0.5 * rng.normal(size=(n, 1, 1)))
    steps = 0.02 * volatility * (rng.normal(size=(n, 24, 6)) + rng.normal(size=(n, 24, 1)))
    return np.exp(steps.cumsum(1) + 0.3 * rng.normal(size=(n, 1, 6)))


def sines(n: int, seed: int = 0) -> Array:
    """Five channels of sines with random frequency and phase, as in TimeGAN."""
    rng = np.random.default_rng(seed)
    return (np.sin(rng.uniform(0, 0.1, (n, 1, 5)) * np.arange(24)[:, None] + rng.uniform(0, 0.1, (n, 1, 5))) + 1) / 2


def new_windows(seeds: int, rows: int = 5000) -> list[Figure]:
    with np.load(data.path("series/energy_windows.npz")) as file:
        energy = file["data"][np.random.default_rng(0).permutation(len(file["data"]))[:rows]]
    figures = []
    for name, real, bar in (("energy", energy, 0.25), ("walks", walks(rows), 0.12), ("sines", sines(rows), 0.05)):
        scores, others, seconds = [], [], []
        for seed in range(seeds):
            begin = time.perf_counter()
            vae = lt.VAE(time="auto", random_state=seed).fit(real)
            new = np.asarray(vae.sample(len(real)))
            seconds.append(time.perf_counter() - begin)
            scores.append(discriminative(real, new, seed))
            others.append(correlational(real, new))
        told = f"correlational {np.mean(others):.3f}, {np.mean(seconds):.0f} s"
        figures.append(Figure(f"new windows: {name}", float(np.mean(scores)), "", bar, at_most=True, reference=told))
    return figures


def new_sequences(seeds: int) -> list[Figure]:
    found, took = [], []
    for seed in range(seeds):
        real = sequences.drawn(seed=seed)
        begin = time.perf_counter()
        vae = lt.VAE(time="step", entity="entity", random_state=seed).fit(real)
        new = vae.sample(real["entity"].nunique())
        took.append(time.perf_counter() - begin)
        lengths, memory = sequences.error_of_lengths(real, new), sequences.memory(new) - sequences.memory(real)
        of = (
            sequences.error_of_transitions(real, new),
            sequences.error_in_regions(new),
            sequences.error_of_correlations(real, new),
            sequences.impossible(new),
        )
        found.append((*of, lengths, abs(memory)))
    means = np.mean(found, axis=0).tolist()
    names = (
        "transition probabilities",
        "those given the region, mean",
        "static-dynamic correlations",
        "impossible steps",
        "lengths",
        "lag-1 correlation",
    )
    bars, told = (0.02, 0.02, 0.05, 0.0, 0.02, 0.05), f"largest difference; {np.mean(took):.0f} s"
    return [
        Figure(f"sequences: {name}", mean, "", bar, at_most=True, reference=told)
        for name, mean, bar in zip(names, means, bars, strict=True)
    ]


def recipes(seeds: int) -> list[Figure]:
    """What ``recipe="auto"`` is chosen by: each recipe on each series with events, for a minute each."""
    rows, better = [], []
    for name in (*NAB, "energy, planted"):
        frame, labels, normal = series_with_events(name)
        found = {}
        for recipe in RECIPES:
            each = []
            for seed in range(seeds):
                vae = lt.VAE(recipe, time="timestamp", random_state=seed, time_limit=60).fit(frame[:normal])
                size = float(np.prod(vae.codec_.shape))
                trial = {key: vae.figures_[key] / size for key in ("loss", "distortion")}
                each.append((*trial.values(), vus_pr(labels, by_latente(vae, frame), vae.codec_.window)))
            found[recipe] = np.mean(each, axis=0)
            rows.append((name, recipe, *found[recipe].tolist()))
        better.append(float(found["vae"][0] <= min(each[0] for each in found.values()) + 1e-9))
    show("Recipes: nats per value of held-out windows, VUS-PR", ("series", "recipe", "loss", "distortion", "VUS-PR"), rows)
    return [Figure("series on which auto (vae) has the lowest loss", float(np.mean(better)), "")]


def seconds() -> list[Figure]:
    """100,000 steps of eight channels."""
    rng, t = np.random.default_rng(0), np.arange(100_000)
    waves = np.sin(2 * np.pi * t[:, None] / 96 * np.arange(1, 9) + rng.uniform(0, 6, 8)) @ rng.normal(size=(8, 8))
    frame = pd.DataFrame(waves + 0.3 * rng.normal(size=waves.shape), columns=[f"c{k}" for k in range(8)])
    frame.insert(0, "time", pd.date_range("2024-01-01", periods=len(frame), freq="min"))
    begin = time.perf_counter()
    lt.VAE(time="time", random_state=0).fit(frame)
    return [Figure("100,000 steps x 8 channels: fit", time.perf_counter() - begin, "s", 60.0, at_most=True)]


def main() -> None:
    """Measure, print, and write where asked."""
    asked = options(__doc__, seeds=1, parts=PARTS)
    warnings.simplefilter("ignore")
    measured: dict[str, Callable[[], list[Figure]]] = {
        "ecg": lambda: ecg(asked.seeds),
        "events": lambda: events(asked.seeds),
        "validity": lambda: validity(asked.seeds),
        "gaps": lambda: gaps(asked.seeds),
        "windows": lambda: new_windows(asked.seeds),
        "sequences": lambda: new_sequences(asked.seeds),
        "time": seconds,
        "recipes": lambda: recipes(asked.seeds),
    }
    report("Series", [figure for part in asked.parts for figure in measured[part]()], asked)


if __name__ == "__main__":
    main()
