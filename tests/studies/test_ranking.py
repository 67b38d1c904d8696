"""Many recipes on the same rows."""

from __future__ import annotations

import numpy as np
import pytest

import latente as lt
from latente.studies.ranking import Entry, differences, mean_and_error, rank

pytestmark = pytest.mark.filterwarnings("ignore::latente.LatenteWarning")


def of(mean: float, seeds: int = 3) -> Entry:
    noise = np.random.default_rng(int(10 * mean)).normal(size=(seeds, 40))
    return Entry(mean + noise, {}, 1.0)


def test_an_error_is_that_of_rows_or_of_seeds() -> None:
    rows = np.random.default_rng(0).normal(size=(1, 400))
    assert mean_and_error(rows)[1] == pytest.approx(1 / 20, rel=0.1)
    apart = rows + np.array([[0.0], [3.0], [6.0]])
    assert mean_and_error(apart)[1] == pytest.approx(3 / 3**0.5, rel=0.05)


def test_a_difference_is_real_if_chance_is_excluded_for_all_of_them() -> None:
    found = differences({"best": of(3.0), "alike": of(2.9), "worse": of(1.0), "none": Entry()})
    assert list(found) == ["alike", "worse"]
    assert found["worse"].real and not found["alike"].real
    assert found["worse"].value == pytest.approx(-2.0, abs=0.4)


@pytest.mark.parametrize("spread", [0.0, 0.3, 3.0])
def test_differences_by_chance_are_seldom_called_real(spread: float) -> None:
    """In 5% of cases at most, also with three seeds that differ more than rows do; a normal distribution would say 19%."""
    generator = np.random.default_rng(0)
    bounds = generator.normal(size=(2000, 3, 50)) + spread * generator.normal(size=(2000, 3, 1))
    found = [differences({"a": Entry(each), "b": Entry(0.0 * each)}) for each in bounds]
    assert np.mean([each["b"].real for each in found]) < 0.065


def test_models_of_a_context_are_ranked_by_their_bounds() -> None:
    generator = np.random.default_rng(0)
    label = np.arange(300) % 2
    rows = generator.normal(size=(300, 3)) + 8.0 * label[:, None]
    found = lt.compare(rows, ["cvae", "vae"], seeds=2, context=label, latent_dim=1, hidden=(8,), max_epochs=5, random_state=0)
    for entry in found.entries.values():
        assert entry.bounds is not None and np.isnan(entry.figures["completeness"])
        assert np.isfinite(entry.figures["active_units"])
    alone = lt.compare(rows, ["vae"], seeds=2, latent_dim=1, hidden=(8,), max_epochs=5, random_state=0)
    assert mean_and_error(found.entries["vae"].bounds)[0] > mean_and_error(alone.entries["vae"].bounds)[0]
    assert not lt.compare(rows, ["cvae"], seeds=1).entries["cvae"].figures, "it needs a context"


def test_recipes_are_ranked_and_what_can_not_be_fitted_says_why() -> None:
    rows = [{"a": float(i % 7), "b": "xyz"[i % 3]} for i in range(90)]
    import pandas as pd

    found = rank(pd.DataFrame(rows), ["vae", "sigma-vae"], seeds=2, latent_dim=1, hidden=(4,), max_epochs=1, random_state=0)
    assert list(found.entries) == ["vae", "sigma-vae"]
    assert "levels" in found.entries["sigma-vae"].reason and "levels" in str(found)
    assert found.entries["vae"].bounds.shape[0] == 2
    table = found.to_frame()
    assert list(table["recipe"]) == ["vae", "sigma-vae"] and np.isfinite(table["bound"][0])
    with pytest.raises(lt.ModelError, match="seeds must be a whole number from 1"):
        rank(np.eye(3), seeds=0)


def test_ctrl_c_ends_a_ranking_and_not_only_a_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(0).normal(size=(60, 2))
    fit = lt.VAE.fit

    def interrupted(self: lt.VAE, *given: object, **how: object) -> lt.VAE:
        fit(self, *given, **how).figures_["finished"] = "interrupted"
        return self

    monkeypatch.setattr(lt.VAE, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        rank(rows, ["vae"], seeds=2, latent_dim=1, hidden=(4,), max_epochs=1)


def test_what_no_recipe_can_take_is_an_error_at_once() -> None:
    import pandas as pd

    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 2)), columns=["a", "b"])
    with pytest.raises(lt.DataError, match="context: there is no column 'nowhere'"):
        rank(rows, ["vae"], seeds=1, context=["nowhere"])
    with pytest.raises(lt.ModelError, match="budget a positive number of seconds"):
        rank(rows, ["vae"], budget="10m")  # type: ignore[arg-type]
