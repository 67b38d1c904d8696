"""Quantised codes of pictures are maps: a symbol, or several, for each position of the encoder's last map."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

import latente as lt
from latente.blueprint import Blueprint
from latente.model.latent_model import LatentModel
from latente.model.networks.conv import ConvMapDecoder, ConvMapEncoder
from latente.rows import Field, Rows

SHAPE, CHANNELS = (1, 16, 20), (8, 16)  # a last map of 4 x 5


def pictures(n: int = 60) -> NDArray[np.float32]:
    random = np.random.default_rng(0)
    return random.random((n, 4, 5)).repeat(4, 1).repeat(4, 2).astype(np.float32)


def test_pictures_have_a_map_of_symbols(tmp_path: Path) -> None:
    data = pictures()
    data[3, :4, :4] = np.nan
    vae = lt.VAE("fsq", latent_dim=20, max_epochs=1, random_state=0).fit(data)
    assert [vae.model_.encoder.name, vae.model_.decoder.name] == ["conv-map-encoder", "conv-map-decoder"]
    assert vae.latent_dim_ == 20
    again = lt.load(vae.save(tmp_path / "m.safetensors"))
    assert (again.reconstruct(data[4:8]) == vae.reconstruct(data[4:8])).all()
    assert again.sample(3).shape == (3, 16, 20)


@pytest.mark.parametrize(
    ("recipe", "asked", "numbers"), [("fsq", 45, 40), ("fsq", 20, 20), ("vq-vae", 20, 40), ("vq-vae", 85, 80)]
)
def test_each_position_has_the_same_number_of_whole_symbols(recipe: str, asked: int, numbers: int) -> None:
    model = made(lt.recipe(recipe), asked)
    assert model.latent_dim == numbers
    again, rows = LatentModel.from_config(model.config()), Rows(torch.rand(3, *SHAPE))
    again.load_state_dict(model.state_dict())
    assert torch.equal(again.codes(rows), model.codes(rows))


def made(recipe: Any, latent_dim: int, context_size: int = 0) -> Any:
    return Blueprint(recipe, (Field("image", "image", SHAPE),), 100, latent_dim, None, False, context_size)().model


def test_a_code_with_less_than_a_number_for_each_position_or_with_a_context_is_a_vector() -> None:
    assert made(lt.recipe("fsq"), 19).encoder.name == "conv-encoder"
    assert made(lt.recipe("fsq"), 40, context_size=2).encoder.name == "conv-encoder"
    assert made(lt.recipe("vae"), 40).encoder.name == "conv-encoder"


def test_a_symbol_sees_what_is_near_its_position_and_is_seen_there() -> None:
    encoder = ConvMapEncoder(SHAPE, CHANNELS)
    decoder = ConvMapDecoder(encoder.positions * 2, 320, SHAPE, CHANNELS)
    x = torch.rand(1, *SHAPE)
    other = x.clone()
    other[..., 0, 0] += 1
    features = [encoder(each).view(encoder.positions, -1) for each in (x, other)]
    assert torch.equal(features[0][-1], features[1][-1])
    assert not torch.equal(features[0][0], features[1][0])
    z = torch.zeros(1, 2, encoder.positions * 2)
    z[0, 1, :2] = 1.0  # of the first position
    near, far = (abs(decoder(z).view(2, 16, 20).diff(dim=0)[0, row, row]) for row in (1, 15))
    assert near > 0
    assert far == 0


def test_a_model_of_maps_encodes_rows_with_missing_pixels() -> None:
    encoder = ConvMapEncoder(SHAPE, CHANNELS, masked=True)
    mask = torch.ones(2, *SHAPE, dtype=torch.bool)
    mask[1, 0, :8] = False
    rows = Rows(torch.zeros(2, *SHAPE), mask)
    features = encoder(rows.x, rows.mask)
    assert features.shape == (2, encoder.width)
    assert not torch.equal(features[0], features[1])


def test_a_map_has_whole_numbers_at_each_position() -> None:
    with pytest.raises(lt.ModelError, match="a map of 20 positions"):
        ConvMapDecoder(30, 320, SHAPE, CHANNELS)
