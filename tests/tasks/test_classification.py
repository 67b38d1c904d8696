"""Rows that are partly labelled: M2 learns from both and labels the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

import latente as lt
from latente.model.latent_model import LatentModel, compose
from latente.model.objectives import FULL
from latente.model.parts import build, choose
from latente.rows import Rows
from latente.seeding import seeded

pytestmark = pytest.mark.filterwarnings("ignore::latente.LatenteWarning")
LABELS = np.array(["ant", "bee", "cat"])


def insects(n: int = 300, known: float = 0.1) -> tuple[pd.DataFrame, np.ndarray]:
    """Three groups, with the label of a few rows."""
    rng = np.random.default_rng(0)
    kind = rng.integers(3, size=n)
    rows = pd.DataFrame(np.eye(3)[kind] * 3 + rng.normal(size=(n, 3)), columns=[*"abc"])
    return rows.assign(kind=np.where(rng.random(n) < known, LABELS[kind], None)), LABELS[kind]


@pytest.fixture(scope="module")
def vae() -> lt.VAE:
    return lt.VAE("m2", latent_dim=2, hidden=(16,), max_epochs=60, random_state=0).fit(insects()[0], context=["kind"])


def test_rows_without_label_are_classified(vae: lt.VAE) -> None:
    rows, truth = insects()
    hidden = rows["kind"].isna().to_numpy()
    found = vae.classify(rows[[*"abc"]])
    assert (found == truth)[hidden].mean() > 0.85
    shares = vae.classify(rows, probabilities=True)
    assert list(shares.columns) == [*LABELS] and np.allclose(shares.sum(axis=1), 1)
    assert (LABELS[shares.to_numpy().argmax(1)] == found).all()


def test_a_label_is_a_context_as_of_other_models(vae: lt.VAE, tmp_path) -> None:
    assert vae.sample(200, context={"kind": "bee"}).mean().idxmax() == "b"
    rows = insects()[0].head(40)
    assert np.isfinite(vae.score_samples(rows)).all(), "with labels and without"
    again = lt.load(vae.save(tmp_path / "m2.safetensors"))
    assert (again.classify(rows) == vae.classify(rows)).all()


def test_two_labels_and_numbers_as_labels() -> None:
    rows, truth = insects(120)
    labels = np.where(np.arange(120) % 3 == 0, (truth == "ant").astype(float), np.nan)
    vae = lt.VAE("m2", latent_dim=1, hidden=(8,), max_epochs=2, random_state=0).fit(rows[[*"abc"]], context={"y": labels})
    assert set(np.unique(vae.classify(rows[[*"abc"]]))) <= {0.0, 1.0}


def test_what_has_no_labels_says_so() -> None:
    rows = insects(60)[0]
    with pytest.raises(lt.ModelError, match="'vae' does not classify rows; the recipe 'm2' does"):
        lt.VAE("vae", latent_dim=1, hidden=(4,), max_epochs=1).fit(rows[[*"abc"]]).classify(rows)
    for context in (["a"], ["a", "kind"]):
        with pytest.raises(lt.ModelError, match="labels are one column of levels.*--kinds COLUMN=categorical"):
            lt.VAE("m2", latent_dim=1, max_epochs=1).fit(rows, context=context)
    with pytest.raises(lt.ModelError, match="labels are one column of levels"):
        lt.VAE("m2", latent_dim=1, max_epochs=1).fit(rows[[*"abc"]])
    private = replace(lt.recipe("m2"), privacy=lt.recipe("dp-vae").privacy)
    with pytest.raises(lt.ModelError, match="private"):
        lt.VAE(private, latent_dim=1, max_epochs=1).fit(rows, context="kind")
    for parts in ({"objective": "semi-supervised"}, {"posterior": "labelled-normal"}):
        with pytest.raises(lt.ModelError, match="don't go together"):
            lt.Recipe(**parts)


def test_too_many_labels_are_refused() -> None:
    rows = pd.DataFrame({"a": np.arange(303.0), "b": np.arange(303.0) % 7, "site": [f"s{k % 101}" for k in range(303)]})
    with pytest.raises(lt.DataError, match="'site' has 101 labels"):
        lt.VAE("m2", latent_dim=1, max_epochs=1).fit(rows, context="site")


def model() -> LatentModel:
    parts = {"encoder": "mlp-encoder", "posterior": "labelled-normal", "prior": "standard-normal", "decoder": "mlp-decoder"}
    sizes = {"shape": (3,), "hidden": (4,), "latent_dim": 2, "masked": False, "context_size": 3}
    labels = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
    with seeded(0):
        made = compose(
            {role: choose(part) for role, part in (parts | {"likelihood": "normal"}).items()}, **sizes, labels=labels
        )
        torch.nn.init.normal_(made.posterior.label_head[-1].weight)
    return made


def test_the_objective_is_that_of_the_paper() -> None:
    """With codes that do not vary, each term can be computed label by label."""
    made, objective, elbo = model(), build(choose("semi-supervised", weight=0.5)), build(choose("elbo"))
    made.posterior.head.bias.data[2:] = -5.0  # hardly any noise of the code
    contexts = made.posterior.contexts
    rows = Rows(torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), context=contexts[[0, 1, 2, 2]])
    total = objective(made.trace(rows), FULL).total
    plain = elbo(made.trace(rows), FULL).total
    h = made.features(rows.x, None, contexts[2:])
    log_q = made.posterior.log_labels(h)
    each = torch.stack([elbo(made.trace(Rows(rows.x, context=c.expand(4, -1))), FULL).total for c in contexts[:2]], 1)
    labelled = plain[:2] - 0.5 * 4 / 2 * log_q[:2].gather(1, torch.tensor([[0], [1]]))[:, 0]
    others = 0.1 * plain[2:] + (log_q.exp() * (each + log_q)).sum(1)[2:] + np.log(2)
    torch.testing.assert_close(total, torch.cat([labelled, others]), rtol=0.02, atol=0.02)
