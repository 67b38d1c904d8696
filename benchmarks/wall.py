"""Ready in seconds: wall seconds from call to answer, by stage, and the held-out loss that was reached.

Each set is fitted with the defaults (or ``--effort``), saved, loaded, certified, drawn at and scored. Columns are wall seconds
but for ``processor``, the processor seconds of the fit, ``loss`` and ``gain`` (held-out −ELBO and what it is below that of
independent columns, nats per row). With ``--single`` also milliseconds of one row, with ``--peers`` what other libraries take
for the same rows with their own defaults, where they are installed; with ``--beside`` what two fits take side by side.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_digits, load_wine

import latente as lt
from benchmarks import data
from benchmarks.common import Figure, options, report, show

LONGEST = 300  # seconds that a peer may take
PEERS = {  # the module, and whether it takes numbers only (otherwise mixed columns)
    "PCA": ("sklearn.decomposition", True),
    "IterativeImputer": ("sklearn.impute", True),
    "PyOD": ("pyod.models.vae", True),
    "Pythae": ("pythae.pipelines", True),
    "TVAE": ("ctgan", False),
}
STAGES = "encode", "train", "after", "certificate", "report", "save", "load", "sample 1,000", "score all"

SETS: dict[str, Callable[[], Any]] = {
    "wine": lambda: load_wine().data,
    "breast_cancer": lambda: load_breast_cancer().data,
    "heart": lambda: data.mixed("heart", 0)[0],
    "german": lambda: data.mixed("german", 0)[0],
    "digits": lambda: load_digits().data[:1200],
    "shuttle": lambda: data.table().train,
    "shuttle_frame": lambda: pd.DataFrame(data.table().train).add_prefix("x"),
    "10k_x_30": lambda: data.wide(10_000),
    "mnist_3k": lambda: data.mnist(3000).train.reshape(-1, 28, 28),
    "mnist_10k": lambda: data.mnist(10_000).train.reshape(-1, 28, 28),
    "dry_bean": lambda: data.mixed("dry_bean", 0)[0],
    "ai4i": lambda: data.mixed("ai4i", 0)[0],
    "adult": lambda: data.mixed("adult", 0)[0],
    "annthyroid": lambda: _adbench("annthyroid"),
    "mammography": lambda: _adbench("mammography"),
    "satellite": lambda: _adbench("satellite"),
    "100k_x_30": lambda: data.wide(100_000),
    "1m_x_30": lambda: data.wide(1_000_000),
}
SINGLE = {"transform": 1, "score_samples": 5, "anomalies": 8, "impute": 10, "sample": 5}  # milliseconds at most


def _adbench(name: str) -> Any:
    x = np.load(data.path(f"adbench/{name}.npz"))["X"].astype(float)
    return x[:, x.std(0) > 0][:6000]


@contextmanager
def clocked(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Adds the wall seconds of what is done inside."""
    begin = time.perf_counter()
    yield
    seconds[stage] = seconds.get(stage, 0.0) + time.perf_counter() - begin


def measured(rows: Any, seed: int, whole: bool, **how: Any) -> dict[str, Any]:
    """Seconds of each thing that is done with a set, and what came of it."""
    taken: dict[str, float] = {}
    begin, of_processor = time.perf_counter(), time.process_time()
    vae = lt.VAE(random_state=seed, **how).fit(rows)
    found: dict[str, Any] = {"fit": time.perf_counter() - begin, "processor": time.process_time() - of_processor}
    figures = vae.figures_
    by_stage = dict(figures.get("time", {}))
    taken["train"] = by_stage.get("training", figures["seconds"])
    taken["encode"] = sum(by_stage.get(name, 0.0) for name in ("reading", "preparing"))
    taken["after"] = found["fit"] - taken["train"] - taken["encode"]
    found |= {"loss": figures["loss"], "gain": figures["gain_over_independent_columns"], "row_model": figures["row_model_loss"]}
    with tempfile.TemporaryDirectory() as folder:
        if whole:
            _used(vae, rows, Path(folder), taken)
    return found | taken | {"time": by_stage, "fitted_prior": vae.fitted_prior_.in_words}


def _used(vae: lt.VAE, rows: Any, folder: Path, taken: dict[str, float]) -> None:
    """Everything after the fit."""
    from latente.report.report import write_report
    from latente.report.report_data import ReportData

    with clocked(taken, "certificate"):
        certificate = vae.certificate()
    with clocked(taken, "report"):
        write_report(vae, ReportData(vae, rows), folder / "report.html", run=folder, certificate=certificate, source="rows")
    with clocked(taken, "save"):
        vae.save(folder / "model.safetensors")
    with clocked(taken, "load"):
        vae = lt.load(folder / "model.safetensors")
    with clocked(taken, "sample 1,000"):
        vae.sample(1000)
    with clocked(taken, "score all"):
        vae.score_samples(rows)


def single(rows: Any, seed: int, times: int = 40) -> dict[str, float]:
    """Median milliseconds of one row, warm."""
    vae = lt.VAE(random_state=seed, max_epochs=2).fit(rows)
    holed = _holed(rows[:1])
    calls: dict[str, Callable[[], Any]] = {
        "transform": lambda: vae.transform(rows[:1]),
        "score_samples": lambda: vae.score_samples(rows[:1]),
        "anomalies": lambda: vae.anomalies(rows[:1]),
        "impute": lambda: vae.impute(holed),
        "sample": lambda: vae.sample(1),
    }
    return {name: _milliseconds(call, times) for name, call in calls.items()}


def beside(name: str, effort: str) -> tuple[float, float]:
    """Seconds that two fits take side by side, each a process of its own, and those of one alone on one thread."""
    how = repr({"max_epochs": 3, "random_state": 0} | ({"effort": effort} if effort else {}))
    code = f"import latente as lt; from benchmarks.wall import SETS; X = SETS[{name!r}](); input(); lt.VAE(**{how}).fit(X)"

    def taken(count: int, environment: dict[str, str]) -> float:
        command = [sys.executable, "-W", "ignore", "-c", code]
        several = [subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) for _ in range(count)]
        time.sleep(10)  # until all have read their rows
        begin = time.perf_counter()
        for process in several:
            assert process.stdin is not None
            process.stdin.write(b"\n")
            process.stdin.close()
        if any(process.wait() for process in several):
            raise RuntimeError(f"a fit of {name} failed")
        return time.perf_counter() - begin

    free = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    return taken(2, free), taken(1, free | {"OMP_NUM_THREADS": "1"})


def _milliseconds(call: Callable[[], Any], times: int) -> float:
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        call()
        taken.append(1000 * (time.perf_counter() - begin))
    return median(taken[3:])


def _holed(row: Any) -> Any:
    """A row whose first number is missing."""
    if not isinstance(row, pd.DataFrame):
        holed = np.array(row, dtype=float)
        holed.reshape(-1)[0] = np.nan
        return holed
    return row.assign(**{row.select_dtypes("number").columns[0]: np.nan})


def peers(name: str) -> dict[str, float]:
    """Seconds to fit with each library's own defaults, of those that are installed and take such rows; each in a process of its
    own, which is stopped after :data:`LONGEST` seconds: then it is infinite.
    """
    numbers = not isinstance(SETS[name](), pd.DataFrame)
    chosen = {
        peer: module
        for peer, (module, of_numbers) in PEERS.items()
        if of_numbers == numbers and find_spec(module.partition(".")[0])
    }
    return {peer: _seconds_of(peer, name) for peer in chosen}


def _seconds_of(peer: str, name: str) -> float:
    code = f"from benchmarks.wall import fit_peer; fit_peer({peer!r}, {name!r})"
    try:
        ended = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        return math.inf
    return float(ended.stdout.split()[-1]) if ended.returncode == 0 else math.nan


def fit_peer(peer: str, name: str) -> None:
    """Fit a peer to a set, and print the seconds."""
    rows = SETS[name]()
    x = rows if isinstance(rows, pd.DataFrame) else np.asarray(rows, dtype=np.float32).reshape(len(rows), -1)
    import_module(PEERS[peer][0])  # its time is not that of a fit
    taken: dict[str, float] = {}
    with clocked(taken, peer):
        {"PCA": _pca, "IterativeImputer": _iterative, "PyOD": _pyod, "Pythae": _pythae, "TVAE": _tvae}[peer](x)
    print(taken[peer])


def _pca(x: Any) -> None:
    from sklearn.decomposition import PCA

    PCA().fit(x)


def _iterative(x: Any) -> None:
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    holed = np.where(np.random.default_rng(0).random(x.shape) < 0.1, np.nan, x)
    IterativeImputer(random_state=0).fit(holed)


def _pyod(x: Any) -> None:
    from pyod.models.vae import VAE

    VAE(verbose=0).fit(x)


def _pythae(x: Any) -> None:
    from pythae.models import VAE, VAEConfig
    from pythae.pipelines import TrainingPipeline

    low, high = x.min(0), x.max(0)
    x = (x - low) / np.where(high > low, high - low, 1)  # it expects values from 0 to 1; its loss of other rows is not finite
    model = VAE(VAEConfig(input_dim=(x.shape[1],)))
    with tempfile.TemporaryDirectory() as folder:
        pipeline = TrainingPipeline(model=model)
        pipeline.training_config.output_dir = folder
        pipeline(x)


def _tvae(frame: Any) -> None:
    from ctgan import TVAE

    levels = [*frame.columns[[not pd.api.types.is_numeric_dtype(kind) for kind in frame.dtypes]]]
    TVAE().fit(frame.dropna(), levels)


def main() -> None:
    """Measure and print."""
    small = ("wine", "breast_cancer", "heart", "german", "digits", "shuttle", "10k_x_30", "dry_bean", "ai4i")
    asked = options(__doc__, sets=small, seeds=1, effort="", epochs=0, whole=True, single=False, peers=False, beside=False)
    given = {"effort": asked.effort, "max_epochs": asked.epochs}
    how: dict[str, Any] = {name: value for name, value in given.items() if value}
    warnings.simplefilter("ignore")
    lines, figures, everything = [], [], {}
    for name in asked.sets:
        rows = SETS[name]()
        runs = [measured(rows, seed, asked.whole and seed == 0, **how) for seed in range(asked.seeds)]
        means = {
            key: fmean(run[key] for run in runs if run.get(key) is not None) for key in ("fit", "processor", "loss", "gain")
        }
        lines.append((name, *means.values(), *(runs[0].get(stage, float("nan")) for stage in STAGES)))
        figures += [Figure(f"{name}: {key}", value) for key, value in means.items()]
        other = {"peers": peers(name) if asked.peers else {}, "single": single(rows, 0) if asked.single else {}}
        everything[name] = {"runs": runs, **other}
    show("From call to answer", ("", "fit", "processor", "loss", "gain", *STAGES), lines)
    if asked.single:
        rows = [(name, *found["single"].values()) for name, found in everything.items()]
        show("One row, milliseconds", ("", *(f"{name} ≤ {limit}" for name, limit in SINGLE.items())), rows)
    if asked.beside:
        pairs = [(name, *beside(name, asked.effort)) for name in asked.sets]
        show("Two fits side by side", ("", "two", "one alone", "ratio ≤ 2.2"), [(*pair, pair[1] / pair[2]) for pair in pairs])
    if asked.peers:
        show("Others, seconds to fit", ("set", "who and how long"), [(n, str(f["peers"])) for n, f in everything.items()])
    if asked.json is not None:
        report("Wall", figures, asked, sets=everything)


if __name__ == "__main__":
    main()
