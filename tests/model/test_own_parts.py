"""A posterior, a prior and a decoder that are written outside the library do all that those of the library do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import latente as lt
from latente.model.codes import DiagonalNormal
from latente.model.posteriors import Posterior
from latente.model.priors import Prior


class OwnPosterior(Posterior):
    name = "own-posterior"

    def __init__(self, width: int, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim, self.head = latent_dim, nn.Linear(width, 2 * latent_dim)

    def forward(self, h: Tensor) -> DiagonalNormal:
        loc, raw = self.head(h).chunk(2, -1)
        return DiagonalNormal(loc, raw.tanh())


class OwnPrior(Prior):
    name = "own-prior-of-the-test"

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.log_sigma = nn.Parameter(torch.zeros(latent_dim))

    def log_prob(self, z: Tensor) -> Tensor:
        return torch.distributions.Normal(0, self.log_sigma.exp()).log_prob(z).sum(-1)

    def sample(self, n: int) -> Tensor:
        return torch.randn(n, len(self.log_sigma)) * self.log_sigma.detach().exp()


class OwnDecoder(lt.Part):
    name = "own-decoder"

    def __init__(self, latent_dim: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(latent_dim, 32), nn.GELU(), nn.Linear(32, outputs))

    def forward(self, z: Tensor) -> Tensor:
        return self.layers(z)


@pytest.mark.filterwarnings("ignore::latente.LatenteWarning")
def test_they_train_certify_save_load_and_explore(table: NDArray[np.float64], tmp_path: Path) -> None:
    """With latent_dim="auto", too, though none of them can drop a unit."""
    own = {"posterior": OwnPosterior, "prior": OwnPrior, "decoder": OwnDecoder}
    recipe = replace(lt.recipe("vae"), **{role: lt.choose(part) for role, part in own.items()})
    rows = table[:, :8]
    vae = lt.VAE(recipe, max_epochs=20, validation_fraction=0.3, random_state=0).fit(rows)
    assert bool(vae.model_.prior.log_sigma.any()), "the prior is learned with the rest"
    certificate = vae.certificate()
    assert certificate["rate"].known and certificate["mutual_information"].known and certificate["continuity"].known
    assert vae.sample(3, prior="prior").shape == vae.interpolate(rows[0], rows[1], 3).shape == (3, 8)
    assert lt.compare_priors(vae, ["prior", "gaussian"])["prior"].density.known
    assert lt.explore(vae) is not None
    path = vae.save(tmp_path / "own.safetensors")
    again = lt.load(path, parts=own.values())
    assert np.array_equal(again.transform(rows), vae.transform(rows))
    assert np.array_equal(again.score_samples(rows), vae.score_samples(rows))
    with pytest.raises(lt.StorageError, match="no part called 'own-"):
        lt.load(path)


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"prior": "mixture"}, "fitted to codes after training"),
        ({"prior": "nearest"}, "fitted to codes after training"),
        ({"prior": None}, "prior: a recipe needs one"),
        ({"decoder": "mlp-encoder"}, "'mlp-encoder' is no decoder"),
        ({"encoder": "mlp-decoder"}, "'mlp-decoder' is no encoder"),
        ({"likelihood": 3}, "a part is a name"),
    ],
)
def test_what_can_not_be_a_part_is_refused_at_construction(parts: dict[str, object], why: str) -> None:
    with pytest.raises(lt.ModelError, match=why):
        lt.Recipe(**parts)


def test_one_penalty_needs_no_list() -> None:
    assert lt.Recipe(penalties="l1-sparsity") == lt.Recipe(penalties=["l1-sparsity"])
