"""A code that has to keep a share of the variance."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

import latente as lt
from benchmarks.hostile import mixed
from latente.blueprint import Blueprint, decided_by
from latente.catalogue import VAE
from latente.data import fit_codec, read
from latente.model.parts import build, choose
from latente.model.penalties import KeptVariance
from latente.rows import Rows, levels_of
from latente.seeding import seeded

WAVES: NDArray[np.float64] = (
    np.random.default_rng(0).normal(size=(600, 6))
    * [3, 2, 1, 1, 1, 1]
    @ np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
)


def tolerated(rows: Rows, **arguments: object) -> float:
    constraint: KeptVariance = build(choose("kept-variance", **arguments))
    constraint.start(rows)
    return float(constraint.tolerated)


def test_what_is_tolerated_is_what_pca_leaves_or_a_share_does_not_have() -> None:
    x = torch.from_numpy(WAVES).float()
    eigenvalues = np.linalg.eigvalsh(np.cov(WAVES.T, ddof=0))
    assert tolerated(Rows(x), latent_dim=2) == pytest.approx(eigenvalues[:4].sum(), rel=1e-3)
    assert tolerated(Rows(x), latent_dim=2, share=0.9) == pytest.approx(0.1 * eigenvalues.sum(), rel=1e-3)
    seen = torch.rand(x.shape, generator=torch.Generator().manual_seed(0)) < 0.5
    assert tolerated(Rows(x * seen, seen), latent_dim=2, share=0.9) == pytest.approx(0.05 * eigenvalues.sum(), rel=0.1)


def test_the_price_rises_while_the_error_is_above_and_falls_below() -> None:
    constraint = build(choose("kept-variance", latent_dim=2, share=0.5))
    rows = Rows(torch.from_numpy(WAVES[:50]).float())
    model = Blueprint(VAE, fit_codec(read(WAVES)).fields, 600, 2, (8,), False)().model
    trace = model.trace(rows)
    for tolerance, sign in ((1e9, 1), (1e-9, -1)):
        constraint.tolerated.fill_(tolerance)
        (slope,) = torch.autograd.grad(constraint(trace).total.mean(), constraint.log_price, retain_graph=True)
        assert np.sign(float(slope)) == sign  # an optimiser goes against it
    assert constraint(trace).judged.mean() > 1e3  # nats, far outside


@pytest.mark.slow
@pytest.mark.parametrize(("keep", "least", "most"), [(0.0, 0.0, 0.8), (0.93, 0.92, 1.0)])
def test_a_code_keeps_the_share_that_is_asked_for(keep: float, least: float, most: float) -> None:
    vae = lt.VAE("beta-vae", latent_dim=5, keep=keep, random_state=0).fit(WAVES[:500])
    left, rows = vae.reconstruct(WAVES[500:]) - WAVES[500:], WAVES[500:] - WAVES[:500].mean(0)
    assert least <= 1 - np.square(left).sum() / np.square(rows).sum() <= most


def related(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    common = rng.normal(size=n)
    table = pd.DataFrame({"a": common + 0.3 * rng.normal(size=n), "b": common - 0.3 * rng.normal(size=n)})
    return table.assign(c=np.where(common + rng.normal(size=n) > 0, "x", "y"))


def test_the_code_beside_a_row_model_keeps_about_what_pca_keeps() -> None:
    few = {"latent_dim": 1, "max_epochs": 8, "random_state": 0}
    found = lt.VAE(**few).fit(related(400)).certificate().to_dict()  # type: ignore[arg-type]
    assert found["information_kept"]["value"] > found["information_kept_pca"]["value"] - 0.05


def test_means_of_columns_begin_at_the_linear_model() -> None:
    table = related(2000)
    codec = fit_codec(read(table))
    rows = codec.encode(read(table))
    with seeded(0):
        learner = Blueprint(VAE, codec.fields, 2000, 1, None, False, keep="pca")()
        learner.start(rows, torch.zeros(3))
    mean = learner.model.decode(learner.model.encode(rows).code.unsqueeze(0)).mean[0].detach()
    common = rows.x[:, :2].mean(1)
    assert float((mean[:, 0] - common).square().mean()) < 0.1
    assert float(((mean[:, 2] > 0.5) == (common < 0)).float().mean()) > 0.9


def test_squared_errors_of_bins_are_those_of_means_and_indicators() -> None:
    table = mixed()
    codec = fit_codec(read(table))
    rows = codec.encode(read(table))
    given = {name: value for name, value in decided_by(codec.fields).items() if name in ("shape", "bins", "levels", "steps")}
    likelihood = build(choose("histogram", **given))
    likelihood.start(rows, torch.ones(len(codec.fields)), torch.zeros(len(codec.fields)))
    px = likelihood(torch.randn(1, len(rows), likelihood.outputs))
    found = px.squared_error(rows.x)[0]
    for f, (levels, logits) in enumerate(zip(levels_of(codec.fields), px.logits, strict=True)):
        p = torch.softmax(logits[0], -1)
        if levels:
            wanted = (p - torch.nn.functional.one_hot(rows.x[:, f].long(), levels)).square().sum(1) / 2
        else:
            wanted = (p @ likelihood.bins.middle(f) - rows.x[:, f]).square()
        torch.testing.assert_close(found[:, f], wanted, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("keep", [1.0, -0.1, "pca", None, True])
def test_a_share_that_is_none_is_refused(keep: object) -> None:
    with pytest.raises(lt.ModelError, match="keep is .*it must be 'auto' or a share from 0 to below 1"):
        lt.VAE(keep=keep).fit(WAVES)  # type: ignore[arg-type]
