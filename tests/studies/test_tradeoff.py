"""The trade-off: on a linear VAE the line of probabilistic PCA; its choice; what it refuses."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import latente as lt
from latente.certificate.information import RateDistortion
from latente.report.bottleneck import rate_distortion
from latente.report.study_pages import tradeoff_page, write_tradeoff
from latente.studies.tradeoff import COLUMNS, LINEAR, Clock, Tradeoff, choose

QUICK: dict[str, Any] = {"max_epochs": 5, "random_state": 0}


@pytest.fixture(scope="module")
def rows() -> NDArray[np.float64]:
    """Three directions of variance 3.6, 2 and 1 and five of 0.28, with columns of variance 1 (see test_oracles)."""
    generator = np.random.default_rng(0)
    rotation = np.array([[(-1) ** bin(i & j).count("1") for j in range(8)] for i in range(8)]) / np.sqrt(8)
    return generator.normal(size=(2000, 8)) * np.sqrt([3.6, 2.0, 1.0, 0.28, 0.28, 0.28, 0.28, 0.28]) @ rotation.T


@pytest.fixture(scope="module")
def linear(rows: NDArray[np.float64]) -> Tradeoff:
    """Of a VAE without layers, whose encoder and decoder are linear."""
    return lt.tradeoff(
        rows, "sigma-vae", dims=[1, 3, 5], betas=[0.5, 2, 4], hidden=(), max_epochs=120, batch_size=200,
        learning_rate=0.01, random_state=0,
    )  # fmt: skip


def test_a_linear_vae_lies_on_probabilistic_pca(linear: Tradeoff) -> None:
    for own, exact in zip(linear.sizes, linear.of(LINEAR), strict=True):
        assert own.latent_dim == exact.latent_dim
        assert own.loss == pytest.approx(exact.loss, abs=0.15)  # one draw of each code, of 200 rows
        assert own.rate == pytest.approx(exact.rate, abs=0.15)
        assert own.distortion == pytest.approx(exact.distortion, abs=0.15)


def test_the_number_of_directions_is_chosen_and_said(linear: Tradeoff) -> None:
    assert linear.chosen == 3
    assert linear.reason.startswith("d = 3: the ")
    assert "The loss of probabilistic PCA with the same d is " in linear.reason


def test_a_nat_that_costs_more_is_spent_less_often(linear: Tradeoff) -> None:
    assert [point.beta for point in linear.curve] == [0.5, 1.0, 2.0, 4.0]
    for cheap, dear in pairwise(linear.curve):
        assert cheap.rate > dear.rate
        assert cheap.distortion < dear.distortion
    assert linear.curve[1].loss == min(point.loss for point in linear.curve)


def test_independent_columns_and_the_noise_floor_stand_beside_it(linear: Tradeoff) -> None:
    (alone,) = linear.of(COLUMNS)
    assert alone.rate == 0
    assert alone.loss == pytest.approx(8 * 0.5 * np.log(2 * np.pi * np.e), rel=0.03)
    assert alone.loss > max(point.loss for point in linear.sizes)
    assert 4 * np.log(2 * np.pi * np.e * 0.28) < linear.floor.value < alone.loss


def test_as_words_frames_and_plain_values(linear: Tradeoff) -> None:
    text = str(linear)
    assert text.count("← chosen") == 1
    assert linear.reason in text and "noise floor: " in text
    assert linear.to_frame().column_names == list(linear.points[0].to_dict())
    assert json.loads(json.dumps(linear.to_dict(), allow_nan=False))["chosen"] == 3
    assert linear._repr_html_().count("<tr>") == len(linear.points) + 1


def test_a_model_that_is_not_there_is_told_from_those_that_are(linear: Tradeoff) -> None:
    with pytest.raises(
        KeyError, match="no model here called 'PCA'; there are sigma-vae, probabilistic PCA, independent columns"
    ):
        linear.of("PCA")


def test_the_figure_marks_what_was_chosen(linear: Tradeoff) -> None:
    panel = rate_distortion(linear)
    labels = [text.get_text() for text in panel.get_legend().get_texts()]
    assert labels[:3] == ["probabilistic PCA, by d", "sigma-vae, by d (β = 1)", "sigma-vae, by β (d = 3)"]
    assert {"independent columns", "noise floor (at most)", "chosen"} <= set(labels)
    assert "d=3" in [text.get_text() for text in panel.texts]


def test_the_page_is_in_the_language_asked_for(linear: Tradeoff, tmp_path: Path) -> None:
    paths = write_tradeoff(linear, tmp_path / "out", "es", "<wine>")
    page = paths["page"].read_text(encoding="utf-8")
    assert "Tasa y distorsión de &lt;wine&gt;" in page
    assert "PCA probabilístico" in page and "loss of probabilistic PCA" not in page
    assert "--latent-dim 3" in tradeoff_page(linear).html()
    assert json.loads(paths["json"].read_text())["chosen"] == 3


def without_seconds(found: Tradeoff) -> list[dict[str, Any]]:
    return [{**point, "seconds": 0} for point in found.to_dict()["points"]]


def test_the_same_seed_gives_the_same_points(rows: NDArray[np.float64]) -> None:
    found = [lt.tradeoff(rows[:200], dims=[1, 2], betas=[2.0], **QUICK) for _ in range(2)]
    assert without_seconds(found[0]) == without_seconds(found[1])
    assert found[0].about["seed"] == 0


def test_rows_are_counted_as_they_are_used(rows: NDArray[np.float64], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("latente.studies.tradeoff.MAX_JUDGED", 20)
    found = lt.tradeoff(rows[:300], dims=[1], betas=[1.0], validation_fraction=0.2, **QUICK)
    counts = {name: count for name, count in found.about.items() if name.endswith("rows")}
    assert counts == {"rows": 300, "training_rows": 240, "stopping_rows": 30, "judged_rows": 20}
    assert found.title.endswith("nats per held-out row (20 of 300)")


def test_a_mixed_table_has_no_pca_in_nats_and_says_why() -> None:
    rng = np.random.default_rng(0)
    group = rng.integers(3, size=300)
    frame = pd.DataFrame({"size": group + 0.3 * rng.normal(size=300), "kind": np.array(["a", "b", "c"])[group]})
    found = lt.tradeoff(frame, dims=[1], betas=[1.0], **QUICK)
    assert not found.of(LINEAR)
    assert len(found.of(COLUMNS)) == 1
    assert not found.floor.known and "probabilities" in found.floor.reason
    assert any("can't be compared" in note for note in found.notes)
    assert isinstance(found.to_frame(), pd.DataFrame)
    assert rate_distortion(found).get_legend() is not None


def test_pictures_and_rows_with_holes(rows: NDArray[np.float64], digits: NDArray[np.uint8]) -> None:
    assert lt.tradeoff(digits[:200], dims=[2], betas=[1.0], **QUICK).of(LINEAR)
    holes = np.where(np.random.default_rng(0).random((300, 8)) < 0.1, np.nan, rows[:300])
    found = lt.tradeoff(holes, dims=[2], betas=[1.0], **QUICK)
    assert np.isfinite([point.loss for point in found.points]).all()


def test_sizes_are_chosen_from_the_data(rows: NDArray[np.float64]) -> None:
    found = lt.tradeoff(rows[:300], betas=[1.0], **QUICK)
    sizes = [point.latent_dim for point in found.sizes]
    assert sizes[0] == 1 and sizes[-1] <= 8 and 3 <= len(sizes) <= 7
    assert sizes == sorted(set(sizes))


def costs(loss: NDArray[np.float64]) -> RateDistortion:
    return RateDistortion(np.zeros_like(loss), loss)


def test_the_smallest_size_that_is_not_clearly_behind() -> None:
    noise, away = np.random.default_rng(0).normal(size=(2, 400))
    alone, far, best = np.full(400, 9.0), costs(5 + noise), costs(1 + noise)
    near = costs(1.02 + noise + away - away.mean())  # 0.02 ± 0.05 nats behind
    chosen, reasons = choose({1: far, 2: near, 4: best}, alone)
    assert chosen == 2 and "within one standard error of the best (d = 4" in reasons[0]
    chosen, reasons = choose({1: far, 4: best}, alone)
    assert chosen == 4 and "no smaller size is within one standard error" in reasons[0] and "a larger code" in reasons[1]
    assert len(choose({1: far, 4: best}, alone, most=4)[1]) == 1  # there is no wider one
    chosen, reasons = choose({1: far, 4: far}, alone - 8)
    assert chosen == 1 and "no size is better than independent columns" in reasons[0]
    assert choose({3: best}, alone) == (3, ("d = 3: the only size that was tried",))


def test_the_time_is_shared_among_the_fits(rows: NDArray[np.float64], monkeypatch: pytest.MonkeyPatch) -> None:
    share, shares = Clock.share, []
    monkeypatch.setattr(Clock, "share", lambda clock: shares.append(share(clock)) or shares[-1])
    found = lt.tradeoff(rows, dims=[2, 3], betas=[1.0, 2.0], time_limit=1.0, random_state=0)
    assert len(shares) == len(found.of("vae")) and all(0 < each < 1 for each in shares)
    monkeypatch.setattr("time.perf_counter", lambda: 4.0)
    assert Clock(10.0, 4, begin=0.0).share() == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"dims": [2, 9]}, "d = 9 was asked for; a code has from 1 to 8 dimensions"),
        ({"dims": [0]}, "d = 0 was asked for"),
        ({"dims": []}, "no size was asked for"),
        ({"dims": "some"}, "dims is 'some'"),
        ({"betas": [0.0]}, "beta = 0.0 was passed; it is the weight of the KL"),
        ({"betas": ["2"]}, "beta = '2' was passed"),
        ({"recipe": "autoencoder"}, "'autoencoder' has none: use 'vae'"),
        ({"recipe": "vea"}, "there is no recipe called 'vea'"),
        ({"time_limit": -1}, "time_limit is -1"),
        ({"max_epochs": 0}, "max_epochs is 0"),
    ],
)
def test_what_can_not_be_meant_is_refused(rows: NDArray[np.float64], arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(lt.ModelError, match=words):
        lt.tradeoff(rows[:100], **{"dims": [1], **arguments})


def test_too_few_rows_are_refused(rows: NDArray[np.float64]) -> None:
    with pytest.raises(lt.DataError, match="n_samples=1"):
        lt.tradeoff(rows[:1])
    with pytest.raises(lt.DataError, match="12 rows are too few, it takes 20"):
        lt.tradeoff(rows[:12])
