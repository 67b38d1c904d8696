"""Disentanglement: MIG, SAP, DCI and InfoMEC of codes of drawn shapes, against the factors that were drawn.

All models have the same layers, steps and beta, as `latente reproduce beta-tcvae` has; several seeds.
"""

from __future__ import annotations

import math
import time

import numpy as np

import latente as lt
from benchmarks.common import Figure, options, report, show
from latente.certificate.disentanglement import MEASURES
from latente.studies.ranking import mean_and_error
from latente.studies.reproductions.frame import Scale, Setting
from latente.studies.reproductions.measures import OF_SHAPES, shapes

ARGUMENTS = {"beta-vae": "beta", "beta-tcvae": "beta"}


def main() -> None:
    """Measure, print, and write where asked."""
    asked = options(__doc__, recipes=("vae", "beta-vae", "beta-tcvae"), beta=6.0, seeds=5, rows=4000, epochs=60, test_rows=1000)
    found = {name: measured(name, asked) for name in asked.recipes}
    lines = []
    for name, (values, seconds) in found.items():
        cells = (f"{mean:.2f} ± {error:.2f}" for mean, error in (mean_and_error(row[:, None]) for row in values.T))
        lines.append((name, *cells, f"{seconds:.0f}"))
    show("Disentanglement of drawn shapes", ("recipe", *(label for label, _ in MEASURES.values()), "seconds"), lines)
    best = found.get("beta-tcvae", next(iter(found.values())))[0][:, 0]
    figures = [Figure("MIG of beta-tcvae", float(best.mean()))]
    for name, (values, _) in found.items():
        if name != "beta-tcvae":
            apart = best - values[:, 0]
            error = float(apart.std(ddof=1) / math.sqrt(len(apart))) if len(apart) > 1 else math.nan
            figures.append(Figure(f"MIG of beta-tcvae above {name}", float(apart.mean()), bar=0.0, reference=f"± {error:.3f}"))
    report("Drawn shapes", figures, asked, values={name: values.tolist() for name, (values, _) in found.items()})


def measured(name: str, asked: object) -> tuple[np.ndarray, float]:
    """All measures of each seed, [seeds, measures], and the seconds of one fit."""
    recipe = lt.recipe(name, **({ARGUMENTS[name]: asked.beta} if name in ARGUMENTS else {}))
    scale, rows, began = Scale(asked.rows, asked.epochs, asked.test_rows), [], time.perf_counter()
    for seed in range(asked.seeds):
        setting = Setting(shapes(scale, seed), scale, seed, "cpu")
        vae = setting.fit(recipe, **OF_SHAPES)
        figures = lt.disentanglement(vae, setting.data.test, dict(setting.data.factors)).figures
        rows.append([figures[key] for key in MEASURES])
        print(name, seed, {key: round(value, 3) for key, value in figures.items()}, flush=True)
    return np.array(rows), (time.perf_counter() - began) / asked.seeds


if __name__ == "__main__":
    main()
