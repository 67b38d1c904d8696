"""The results of a report in words: the sentences on top, and the alternative texts of its figures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from latente.certificate import Certificate
from latente.report.drawing import tables
from latente.report.quantities import Rebuilt, Strange
from latente.report.report_data import Array, ReportData
from latente.words import Texts


def sentences(shown: ReportData, certificate: Certificate | None, say: Texts) -> Iterator[str]:
    """What the code is, what it keeps, and what random codes decode to."""
    f, recipe = shown.vae.figures_, shown.vae.recipe_.name
    yield say("summary.code", recipe=recipe, rows=f["rows"], d=f["latent_dim"], active=f["active_units"])
    if certificate is None:
        return
    kept, pca = (certificate.figures.get(f"information_kept{name}") for name in ("", "_pca"))
    if kept and pca and kept.known and pca.known:
        yield say("summary.kept", kept=max(0.0, kept.value), pca=max(0.0, pca.value))
    reached, share = (certificate.figures.get(f"completeness{name}") for name in ("", "_share"))
    if reached and not reached.known:
        yield say("summary.unknown", reason=say.said(reached.reason))
    elif reached and share and share.known:
        yield say("summary.share", c=reached.value, share=share.value)
    elif reached:
        yield say("summary.reached", c=reached.value)


def of_training(shown: ReportData, say: Texts) -> str:
    """When the validation loss was lowest."""
    f = shown.vae.figures_
    if not f["best_epoch"] or not f["held_out_rows"]:
        return say("training.alt_plain")
    return say("training.alt", best=f["best_epoch"], epochs=f["epochs"], loss=f["loss"])


def of_errors(shown: ReportData, found: Rebuilt, say: Texts) -> str:
    """How large the errors of reconstructions are."""
    return say("rebuilt.alt_errors", worst=float(found.of_rows.max()), median=float(np.median(found.of_rows)))


def of_columns(shown: ReportData, errors: Array, say: Texts) -> str:
    """Which column is reconstructed worst."""
    known = np.isfinite(errors).any(0)
    of_columns = np.full(errors.shape[1], -math.inf)
    of_columns[known] = np.sqrt(np.nanmean(np.square(errors[:, known]), axis=0))
    worst = int(of_columns.argmax())
    return say("rebuilt.alt_table", name=shown.names[worst], error=float(of_columns[worst]))


def of_map(shown: ReportData, say: Texts) -> str:
    """Which value the position on the map explains best."""
    name, share = next(iter(shown.explained.items()))
    return say("map.alt", name=name, share=share) if math.isfinite(share) else say("map.alt_plain")


def of_density(certificate: Certificate | None, say: Texts) -> str:
    """How many samples of the prior are in holes."""
    found = certificate and certificate.figures.get("prior_holes")
    return say("density.alt", share=found.value) if found and found.known else say("density.alt_plain")


def of_samples(shown: ReportData, say: Texts) -> str:
    """Which generated column is farthest from the data."""
    real: Any = shown.rows
    generated: Any = shown.generated
    gaps = {name: tables.gap(column, generated[name]) for name, column in real.items()}
    known = {name: gap for name, gap in gaps.items() if math.isfinite(gap)}
    if not known:
        return say("samples.alt_plain")
    worst = max(known, key=lambda name: known[name])
    return say("samples.alt_table", name=worst, gap=known[worst], median=float(np.median([*known.values()])))


def of_correlations(names: list[str], difference: Array, say: Texts) -> str:
    """Which pair of columns differs most."""
    if len(names) < 2:
        return say("samples.alt_plain")
    i, j = np.unravel_index(int(np.abs(difference).argmax()), difference.shape)
    return say("samples.alt_correlations", first=names[i], second=names[j], gap=float(difference[i, j]))


def of_anomalies(found: Strange, say: Texts) -> str:
    """How many rows are above the threshold."""
    return say("anomalies.alt", n=int((found.scores >= 0).sum()), rows=len(found.scores))
