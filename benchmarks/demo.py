"""The demo over seeds: what random codes of an autoencoder and of a VAE decode to, on digits drawn from fonts.

For each distribution of codes: the share that is as near to a training digit as 95% of other digits are, density, coverage; C.
"""

from __future__ import annotations

import json
import time
import warnings
from pathlib import Path

import numpy as np

import latente as lt
from benchmarks.common import Figure, options, report, show
from benchmarks.data import ROOT
from latente.cli.console import Console
from latente.cli.demo import fitted
from latente.report.demonstration import FORMS, NAMES, Compared, Digits, conclusion, difference, draw, written_out
from latente.report.figures import save
from latente.words import texts


def models(seed: int) -> dict[str, Compared]:
    """The two models of `latente demo --seed`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lt.LatenteWarning)
        return fitted(Digits.draw(seed), seed, Console(json=False, quiet=True))


def for_readme(folder: Path) -> None:
    """The picture of the README, and its figures, which tests compare with the sentences of the README."""
    digits, pair, say = Digits.draw(0), models(0), texts("en")
    save(draw(pair, digits, say), folder / "demo.png")
    figures = {key: {name: written_out(key, pair[name].figure(key)) for name in NAMES} for key in FORMS}
    (folder / "demo.json").write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def main() -> None:
    """Measure, print, and write where asked."""
    asked = options(__doc__, seeds=5, readme=False)
    if asked.readme:
        for_readme(ROOT / "docs")
        return
    begin = time.perf_counter()
    found = [models(seed) for seed in range(asked.seeds)]
    values = {name: {key: np.array([each[name].figure(key).value for each in found]) for key in FORMS} for name in NAMES}
    rows = [
        (key, *(text for name in NAMES for text in (float(values[name][key].mean()), _range(values[name][key]))))
        for key in FORMS
    ]
    show(f"Means over {asked.seeds} seeds", ("", "autoencoder", "least to most", "VAE", "least to most"), rows)
    told = [tuple(", ".join(each[name].verdicts) or "none" for name in NAMES) for each in found]
    show("Problems found", ("seed", *NAMES), [(str(seed), *line) for seed, line in enumerate(told)])
    pairs = [tuple(each[name].figure("completeness_standard") for name in NAMES) for each in found]
    apart = sum(difference(*pair) == "above" for pair in pairs)
    lesson = texts("en")("demo.conclusion")
    shown = sum(conclusion(each, texts("en")) == lesson for each in found)
    figures = [
        Figure("from N(0, I), near: VAE, least", float(values["vae"]["near_standard"].min()), "", 0.9),
        Figure(
            "from N(0, I), near: autoencoder, most", float(values["autoencoder"]["near_standard"].max()), "", 0.5, at_most=True
        ),
        Figure("C from N(0, I): seeds where the VAE is above, with intervals apart", apart, "", asked.seeds),
        Figure("seeds where the figures show the lesson", shown, "", asked.seeds),
        Figure("seconds of a comparison", (time.perf_counter() - begin) / asked.seeds, "s"),
    ]
    report("Demo", figures, asked)


def _range(values: np.ndarray) -> str:
    return f"{values.min():.2f} to {values.max():.2f}"


if __name__ == "__main__":
    main()
