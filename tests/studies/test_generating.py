"""What random codes decode to: near or not, by where they are drawn."""

import numpy as np
import pytest
import torch

import latente as lt
from latente.certificate.subjects import Modelled
from latente.studies.generating import BOX, GAUSSIAN, PLACES, STANDARD, Nearness, codes_of, decoded_codes, share_of


@pytest.fixture(scope="module")
def line():
    """Rows on a line in the plane, and an autoencoder of one dimension."""
    rng = np.random.default_rng(0)
    place = rng.normal(size=(700, 1))
    rows = np.concatenate([place, 2 * place], 1) + 0.05 * rng.normal(size=(700, 2))
    return lt.Autoencoder(latent_dim=1, max_epochs=5, random_state=0).fit(rows[:500]), rows[500:]


def test_by_definition_95_percent_of_other_rows_are_near() -> None:
    rng = np.random.default_rng(0)
    train, others, more = rng.normal(size=(300, 3)), rng.normal(size=(200, 3)), rng.normal(size=(5000, 3))
    near = Nearness.of(train, others)
    assert near(others).mean() == pytest.approx(0.95, abs=0.006)
    assert near(more).mean() == pytest.approx(0.95, abs=0.03)
    assert not near(more + 9).any() and near(train).all()


def test_codes_come_from_the_three_places(line) -> None:
    model = line[0]
    at_hand = model.fitted_.at_hand
    subject = Modelled(model.model_, model.codec_.fields, at_hand.held_out)
    codes = subject.codes(at_hand.train)
    torch.manual_seed(0)
    drawn = codes_of(codes, subject, 4000)
    assert tuple(drawn) == PLACES
    assert drawn[STANDARD].std().item() == pytest.approx(1, abs=0.05)
    assert codes.min() <= drawn[BOX].min() and drawn[BOX].max() <= codes.max()
    assert drawn[GAUSSIAN].std().item() == pytest.approx(codes.std().item(), rel=0.05)
    assert drawn[GAUSSIAN].mean().item() == pytest.approx(codes.mean().item(), abs=0.1)


def test_rows_decoded_on_the_line_are_near_and_models_get_the_same_random_numbers(line) -> None:
    model, others = line
    found = decoded_codes(model, others, 300, 0)
    assert found[GAUSSIAN].near.value > 0.8 and found[GAUSSIAN].coverage.value > 0.5
    assert found[GAUSSIAN].hits.mean() == found[GAUSSIAN].near.value
    assert decoded_codes(model, others, 300, 0)[STANDARD].to_dict() == found[STANDARD].to_dict()
    assert len(found[BOX].rows["x0"]) == 300


def test_a_share_has_an_interval_that_is_not_empty() -> None:
    for share in (0.0, 0.5, 1.0):
        found = share_of(np.arange(200) < 200 * share)
        assert found.value == share and found.low <= share <= found.high and found.high - found.low > 0.01
    assert not share_of(np.zeros(0, bool)).known
