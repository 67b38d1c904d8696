"""New rows and their conditions, on a model whose columns are independent normals: everything is known exactly."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

import latente as lt
from latente.blueprint import Blueprint
from latente.model.row_models import RowModel
from latente.rows import Field
from latente.tasks import generation
from latente.tasks.interpolation import interpolate
from latente.tasks.reconstruct import BATCH, decode, denoise, reconstruct
from tests.training.test_split import some_rows

INF = math.inf


def made(recipe: str = "vae", context_size: int = 0) -> Any:
    fields = tuple(Field(name) for name in "uvw")
    torch.manual_seed(0)
    return Blueprint(lt.recipe(recipe), fields, 100, 2, (8,), False, context_size)().model.eval()


@pytest.fixture
def independent() -> RowModel:
    """Columns with mean 0 and standard deviation 1, whatever the code is."""
    model = made()
    for parameter in model.decoder.parameters():
        torch.nn.init.zeros_(parameter)
    torch.nn.init.zeros_(model.likelihood.log_sigma)
    return model


def test_conditions_have_their_probability(independent: RowModel) -> None:
    assert generation.probability_of(independent, None, 0, {0: [(0.0, INF)]}) == pytest.approx(0.5, abs=0.01)
    tails = generation.probability_of(independent, None, 0, {0: [(-INF, -1.96), (1.96, INF)], 2: [(0.0, INF)]})
    assert tails == pytest.approx(0.025, abs=0.002)


def test_rows_under_conditions_are_within(independent: RowModel) -> None:
    found = generation.sample_given(independent, None, 200, 0, {1: [(1.0, 2.0)]})
    assert found.rows.shape == (200, 3)
    assert ((found.rows[:, 1] >= 1) & (found.rows[:, 1] <= 2)).all()
    assert found.effective >= 200
    assert found.probability == pytest.approx(0.1359, abs=0.01)
    nothing = generation.sample_given(independent, None, 5, 0, {1: [(50.0, 51.0)]})
    assert nothing.effective == 0 or nothing.probability < 1e-30


def test_independent_conditions_are_together_as_often_as_by_chance(independent: RowModel) -> None:
    given = {f: [(0.0, INF)] for f in range(3)}
    lift, which = generation.togetherness(independent, None, 0, given, 0.5**3)
    assert lift == pytest.approx(1.0, abs=0.02)
    assert set(which) <= {0, 1, 2}
    assert generation.togetherness(independent, None, 0, {0: [(0.0, INF)]}, 0.5)[0] == 1.0


def test_rows_without_noise_are_means(independent: RowModel) -> None:
    assert (generation.sample(independent, None, 4, 0, noise=False) == 0).all()
    assert generation.sample(independent, None, 3000, 0, noise=True).std() == pytest.approx(1.0, abs=0.05)
    values, observed = generation.sample_incomplete(independent, None, 3000, 0, torch.tensor([0.0, 0.5, 1.0]))
    assert values.shape == (3000, 3)
    assert observed.float().mean(0).tolist() == pytest.approx([1.0, 0.5, 0.0], abs=0.05)


def test_a_path_begins_and_ends_at_reconstructions() -> None:
    model, rows = made(), some_rows(2)
    path = interpolate(model, rows[:1], rows[1:], 5)
    torch.testing.assert_close(path[[0, -1]], reconstruct(model, rows))


def test_a_path_between_contexts_is_linear_in_them() -> None:
    model, rows = made(context_size=2), some_rows(2, context=True)
    path = interpolate(model, rows[:1], rows[1:], 3)
    assert rows.context is not None
    middle = decode(model, model.codes(rows).mean(0, keepdim=True), rows.context.mean(0, keepdim=True))
    torch.testing.assert_close(path[1:2], middle)


def test_decoding_in_batches_changes_nothing() -> None:
    model, z = made(), torch.randn(BATCH + 3, 2)
    torch.testing.assert_close(decode(model, z)[-3:], decode(model, z[-3:]))


def test_a_denoised_row_is_a_reconstruction_where_codes_are_points() -> None:
    model, rows = made("autoencoder"), some_rows(4)
    assert torch.equal(denoise(model, rows, 0), reconstruct(model, rows))
    vae = made()
    torch.testing.assert_close(denoise(vae, rows, 0)[2:], denoise(vae, rows[2:], 0))  # the draws of a row are its own
