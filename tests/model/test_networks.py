"""Networks of pictures and of bins, and what joins a context to them."""

from __future__ import annotations

import pytest
import torch

import latente as lt
from latente.model.context import Context
from latente.model.networks.bins import BinsEncoder
from latente.model.networks.conv import ConvDecoder, ConvEncoder, stages
from latente.rows import Bins
from latente.seeding import seeded


@pytest.mark.parametrize("shape", [(1, 16, 16), (3, 17, 23), (1, 28, 5)])
def test_convolutions_take_pictures_of_any_size(shape: tuple[int, int, int]) -> None:
    channels, pixels = (4, 8), shape[0] * shape[1] * shape[2]
    assert stages(shape, channels)[-1] == ((shape[1] + 3) // 4, (shape[2] + 3) // 4)
    h = ConvEncoder(shape, channels, width=6)(torch.rand(2, *shape))
    assert h.shape == (2, 6)
    theta = ConvDecoder(3, pixels, shape, channels, width=6)(torch.randn(5, 2, 3))
    assert theta.shape == (5, 2, pixels)


@pytest.mark.parametrize("skip", [False, True])
def test_a_decoder_of_fewer_units_is_that_with_zeros_in_the_others(skip: bool) -> None:
    decoder = ConvDecoder(4, 64, (1, 8, 8), (4,), width=6, skip=skip)
    z = torch.randn(1, 3, 4)
    z[..., [0, 2]] = 0.0
    whole = decoder(z)
    decoder.select_units(torch.tensor([1, 3]))
    torch.testing.assert_close(decoder(z[..., [1, 3]]), whole)
    assert decoder.arguments["latent_dim"] == 2


def test_bins_tell_a_missing_value_from_any_other() -> None:
    bins = [Bins((0.0, 1.0), (0.0, 1.0), (1.0, 1.0), (5.0, 5.0))] * 2
    with seeded(0):
        encoder = BinsEncoder((2,), bins, (8,), levels=(2, 0))
    x = torch.zeros(3, 2)
    x[1, 0] = 1.0
    mask = torch.tensor([[True, True], [True, True], [False, True]])
    h = encoder(x, mask)
    assert h.shape == (3, encoder.width) == (3, 8)
    assert not any(torch.equal(h[i], h[j]) for i, j in ((0, 1), (0, 2), (1, 2)))


def test_context_stands_beside_features_and_codes() -> None:
    with seeded(0):
        context = Context(width=4, size=2, units=3)
    c = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    h = context(torch.ones(2, 4), c)
    assert h.shape == (2, context.width) == (2, 7)
    assert torch.equal(h[:, 3:], torch.ones(2, 4))
    assert not torch.equal(h[0], h[1])
    z = context.beside(torch.zeros(5, 2, 3), c)
    assert torch.equal(z[..., 3:], c.expand(5, 2, 2))
    with pytest.raises(lt.DataError, match="context"):
        context(torch.ones(2, 4), None)
    context.fixed = c[:1]
    assert torch.equal(context.beside(torch.zeros(1, 2, 3), None)[0, :, 3:], c[:1].expand(2, 2))
