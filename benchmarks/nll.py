"""Likelihood: static-binarised MNIST, 784-400-z40, a time limit in minutes, importance-weighted NLL on test rows.

The 50,000 training and 10,000 validation rows go in together, and Latente holds out a sixth of them for early stopping.
"""

from __future__ import annotations

import numpy as np

from benchmarks import data, ours
from benchmarks.common import Figure, options, report
from benchmarks.peers import Setting

REFERENCES = "784-400-z40 VAE 89.9 (Pythae's run 89.78); VampPrior(500) 85.57; 12-layer ladder 78.30 (K = 1000)"


def main() -> None:
    """Measure, print, and write where asked."""
    asked = options(__doc__, minutes=10.0, test_rows=10_000, samples=200)
    train, valid, test = data.binarised()
    setting = Setting("static MNIST", (400,), 40, 128, "bernoulli", shape=(28, 28))
    vae, whole = ours.fit(
        np.concatenate([train, valid]), setting, epochs=10_000, time_limit=60 * asked.minutes, early_stopping=True,
        validation_fraction=1 / 6, precision="auto",
    )  # fmt: skip
    test = test[: asked.test_rows]
    nll = -vae.score_samples(test.reshape(-1, *setting.shape), importance_samples=asked.samples)
    error = float(nll.std() / np.sqrt(len(nll)))
    figures = [
        Figure(
            f"NLL, K = {asked.samples}, {len(test):,} rows", float(nll.mean()), "nats", 93, at_most=True, reference=REFERENCES
        ),
        Figure("its standard error", error, "nats"),
        Figure("fit", whole / 60, "min", reference=f"{len(vae.history_)} epochs"),
    ]
    report("Static-binarised MNIST", figures, asked)


if __name__ == "__main__":
    main()
