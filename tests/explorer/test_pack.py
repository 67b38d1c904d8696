"""Packs: what is in them, and what is not."""

from __future__ import annotations

import base64
import copy
import gzip
import itertools
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

import latente as lt
from latente.errors import DataError, StorageError
from latente.explorer.block import Block
from latente.explorer.export import PackedModel, demo_page, export, packed_model, page
from latente.explorer.pack import header_of, pack, rows_of
from latente.explorer.server import Networks
from latente.explorer.survey import Survey
from latente.model.fitted_priors import FlowPrior
from latente.model.parts import Part
from tests.explorer.models import fitted, frame, numbers, pictures


@pytest.fixture(scope="module")
def mixed() -> tuple[lt.VAE, pd.DataFrame]:
    return fitted(frame())


@pytest.fixture(scope="module")
def plain() -> tuple[lt.VAE, np.ndarray]:
    return fitted(numbers())


def arrays_of(content: bytes) -> list[np.ndarray]:
    header, start = header_of(content), 16 + int.from_bytes(content[12:16], "little")
    return [
        np.frombuffer(content, f"<{entry['type']}", int(np.prod(entry["shape"])), start + entry["at"]).reshape(entry["shape"])
        for entry in header["tensors"]
    ]


def in_page(text: str) -> bytes:
    return gzip.decompress(base64.b64decode(text.partition('<script type="application/x-latente-pack">')[2].partition("<")[0]))


# ------------------------------------------------------------------------------------------------------------- privacy


def test_no_row_is_in_a_page(mixed: tuple[lt.VAE, pd.DataFrame]) -> None:
    vae, rows = mixed
    content = in_page(page(pack("private", [packed_model(vae), packed_model(vae, data=rows)])))
    assert not any(model["points"] for model in header_of(content)["models"])
    assert "row 17" not in str(header_of(content))  # what names rows
    known = {end for column in vae.codec_.columns for end in (*column.bins[:2].flat, column.low, column.high)}
    for name in ("real", "positive", "zeros"):
        own = [value for value in rows[name] if value not in known]
        assert len(own) > 40
        for array in arrays_of(content):
            assert not np.isin(np.float32(own), np.float32(array)).any(), name


def test_no_code_is_in_a_page(plain: tuple[lt.VAE, np.ndarray]) -> None:
    vae, rows = plain
    codes = vae.transform(rows)
    for array in arrays_of(pack("private", [packed_model(vae, data=rows)])):
        assert not np.isin(codes.ravel(), np.float32(array)).any()
        assert len(array) != len(rows)


def test_rows_are_in_a_page_where_they_were_asked_for(mixed: tuple[lt.VAE, pd.DataFrame]) -> None:
    vae, rows = mixed
    content = pack("open", [packed_model(vae, data=rows, with_rows=True)])
    points = header_of(content)["models"][0]["points"]
    arrays = arrays_of(content)
    assert points["count"] == len(rows) == len(arrays[points["rows"]["values"]])
    low, high, steps = arrays[points["low"]], arrays[points["high"]], arrays[points["codes"]]
    assert np.abs(low + (high - low) * steps / 65535 - vae.transform(rows)).max() <= (high - low).max() / 65535
    assert [column["name"] for column in points["columns"]] == [field.name for field in vae.codec_.fields]


def test_few_rows_are_not_measured_for_a_page_without_rows(plain: tuple[lt.VAE, np.ndarray]) -> None:
    vae, rows = plain
    for count in (1, 19):  # the mean of one row's code is its code, and the histogram of one row is the row
        with pytest.raises(DataError, match="at least 20"):
            pack("few", [packed_model(vae, data=rows[:count])])
    assert header_of(pack("enough", [packed_model(vae, data=rows[:20])]))["models"][0]["points"] is None


def test_of_a_model_of_few_rows_a_page_says_that_it_tells_them() -> None:
    few, rows = fitted(numbers()[:19])
    (note,) = header_of(pack("few", [packed_model(few), packed_model(fitted(numbers())[0])]))["notes"]
    assert note["en"] == "vae: fitted on only 19 rows, so the page reveals nearly what each of them contains"
    assert "solo 19 filas" in note["es"]
    assert header_of(pack("shown", [packed_model(few, data=rows, with_rows=True)]))["notes"] == []  # that is said of the rows
    assert header_of(pack("enough", [packed_model(fitted(numbers()[:20])[0])]))["notes"] == []


def test_one_row_can_be_shown(plain: tuple[lt.VAE, np.ndarray]) -> None:
    vae, rows = plain  # of more dimensions than a plane has
    header = header_of(pack("one", [packed_model(vae, data=rows[:1], with_rows=True)]))
    assert header["models"][0]["points"]["count"] == 1


# -------------------------------------------------------------------------------------------------------------- packing


def test_arrays_are_stored_once_and_aligned() -> None:
    block = Block()
    first, second = block.add([1.0, 2.0, 3.0]), block.add(np.arange(5), "u1")
    assert block.add(torch.tensor([1.0, 2.0, 3.0])) == first != second
    content = block.bytes({"title": "ñ"})
    assert header_of(content)["title"] == "ñ"
    assert [array.tolist() for array in arrays_of(content)] == [[1, 2, 3], [0, 1, 2, 3, 4]]


def test_the_same_model_gives_the_same_page(plain: tuple[lt.VAE, np.ndarray]) -> None:
    vae, rows = plain
    assert page(pack("same", [packed_model(vae, data=rows)])) == page(pack("same", [packed_model(vae, data=rows)]))


def test_a_page_allows_no_request_and_no_other_script(plain: tuple[lt.VAE, np.ndarray]) -> None:
    text = page(pack("alone", [packed_model(plain[0])]))
    policy = re.search('Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None and "default-src 'none'" in policy[1] and "connect-src 'none'" in policy[1]
    assert "unsafe" not in policy[1]
    assert not re.search(r'(src|href)="(?!data:|#)', text.partition("<script")[0])


def test_models_of_other_columns_do_not_stand_beside_each_other(plain: tuple[lt.VAE, np.ndarray]) -> None:
    other, _ = fitted(numbers()[:, :4])
    with pytest.raises(DataError, match="not of the same columns"):
        pack("two", [packed_model(plain[0]), packed_model(other)])
    grey, _ = fitted(pictures(8, 8))
    with pytest.raises(DataError, match="not of the same columns"):
        pack("two", [packed_model(plain[0]), packed_model(grey)])


class Doubling(Part):
    """A part of somebody's own."""

    name = "doubling-decoder"

    def __init__(self, latent_dim: int, outputs: int) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(latent_dim, outputs)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return 2 * self.layer(z)

    def keep(self, units: torch.Tensor) -> None:
        raise NotImplementedError


class Sorting(Doubling):
    """Another, by an operation that the page does not have."""

    name = "sorting-decoder"

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        return self.layer(z).sort().values


def test_a_part_of_ones_own_is_in_the_page() -> None:
    vae, _ = fitted(numbers(), lt.Recipe("own", decoder=lt.choose(Doubling)))
    header = header_of(pack("own", [packed_model(vae)]))
    assert header["models"][0]["computed"]["decoder"] is not None and not header["notes"]


def test_what_is_no_graph_is_left_to_the_server_and_the_page_says_so() -> None:
    vae, _ = fitted(numbers(), lt.Recipe("own", decoder=lt.choose(Sorting)))
    header = header_of(pack("own", [packed_model(vae)], served=True))
    assert header["models"][0]["computed"] == {"decoder": None, "encoder": None}
    assert header["notes"][0]["en"] == "own: the page can't compute the operation 'sort'; the server computes it"
    assert header["notes"][0]["es"] == "own: la página no puede calcular la operación 'sort'; lo calcula el servidor"
    codes = torch.randn(1, vae.latent_dim_)
    answer = Networks([vae]).computed({"id": 3, "model": 0, "network": "decoder", "x": codes.flatten().tolist()})
    assert answer[0] == 3 and np.allclose(answer[1:7], vae.model_.decode(codes.unsqueeze(0)).mean.detach().flatten())
    assert np.allclose(answer[7:].reshape(6, -1).sum(1), 1)


def test_what_is_too_large_for_a_page_is_left_to_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    vae, _ = fitted(pictures(16, 16))
    monkeypatch.setattr("latente.explorer.pack.TOO_LARGE", 1000)
    header = header_of(pack("large", [packed_model(vae)], served=True))
    computed = header["models"][0]["computed"]
    assert computed["decoder"] is None
    assert "too large" in header["notes"][0]["en"] and header["models"][0]["multiply_adds"] > 1000


def test_a_flow_is_drawn_from_and_its_density_is_said_to_be_approximate(plain: tuple[lt.VAE, np.ndarray]) -> None:
    vae, _ = fitted(numbers())
    vae.fitted_prior_ = FlowPrior(3)
    header = header_of(pack("flow", [packed_model(vae)]))
    law = header["models"][0]["fitted"]
    assert law["draws"]["type"] == "graph" and law["density"]["type"] == "mixture"
    assert [step["op"] for step in law["draws"]["steps"]].count("randn") == 1
    assert any("flow" in note["en"] and "mezcla" in note["es"] for note in header["notes"])


# --------------------------------------------------------------------------------------------------------------- survey


def test_densities_are_densities(plain: tuple[lt.VAE, np.ndarray]) -> None:
    vae, rows = plain
    survey = Survey.of(vae)
    assert survey.measured and len(survey.planes) == 1 + 1 + 2  # three pairs, and the principal plane
    for plane in survey.planes:
        left, right, bottom, top = plane.range
        assert plane.posterior is not None
        area = (right - left) * (top - bottom) / plane.posterior.size
        assert 0.97 < plane.posterior.sum() * area < 1.01
    codes = vae.transform(rows)
    assert np.allclose(survey.spread, codes[: len(codes)].std(0), rtol=0.2)


def test_the_density_is_highest_where_codes_are() -> None:
    random = np.random.default_rng(0)
    rows = np.concatenate([random.normal(-5, 1, (300, 4)), random.normal(5, 1, (300, 4))])
    vae = lt.VAE(latent_dim=2, max_epochs=30, random_state=0).fit(rows)
    plane, codes = Survey.of(vae).planes[0], vae.transform(rows)
    assert plane.posterior is not None
    left, right, bottom, top = plane.range
    side = len(plane.posterior)
    kernel = stats.gaussian_kde(codes.T)
    u, v = (low + (high - low) * (np.arange(side) + 0.5) / side for low, high in ((left, right), (bottom, top)))
    expected = kernel(np.stack([grid.ravel() for grid in np.meshgrid(u, v)])).reshape(side, side)
    assert np.corrcoef(plane.posterior.ravel(), expected.ravel())[0, 1] > 0.9


def test_a_survey_comes_back_from_its_folder(mixed: tuple[lt.VAE, pd.DataFrame], tmp_path: Path) -> None:
    vae, _ = mixed
    survey = Survey.of(vae)
    survey.save(tmp_path)
    found = Survey.load(tmp_path, vae)
    assert found is not None and found.active == survey.active and found.kept == survey.kept
    for a, b in zip(found.planes, survey.planes, strict=True):
        assert (a.kind, a.dimensions, a.range) == (b.kind, b.dimensions, b.range)
        assert a.posterior is not None and b.posterior is not None and np.allclose(a.posterior, b.posterior, atol=1e-6)
    for shares, others in zip(found.population, survey.population, strict=True):
        assert np.allclose(shares, others) and shares.sum() == pytest.approx(1)
    assert pack("same", [PackedModel(vae, found)]) is not None


def test_rows_with_categories_that_are_unknown_are_read_as_the_model_reads_them(mixed: tuple[lt.VAE, pd.DataFrame]) -> None:
    vae, rows = mixed
    levels = next(field.name for field in vae.codec_.fields if field.levels)
    odd = rows.assign(**{levels: "of no row"})
    with pytest.raises(DataError):
        rows_of(vae, odd)
    with pytest.warns(lt.LatenteWarning, match="of no row"):
        encoded = rows_of(copy.copy(vae).set_params(unknown="missing"), odd)
    assert encoded.mask is not None and not encoded.mask.all()


def test_the_survey_of_another_model_is_not_taken(mixed: tuple[lt.VAE, pd.DataFrame], tmp_path: Path) -> None:
    other, _ = fitted(frame(), random_state=1)
    Survey.of(other).save(tmp_path)
    assert Survey.load(tmp_path, mixed[0]) is None
    assert Survey.load(tmp_path / "nowhere", mixed[0]) is None


def test_a_damaged_survey_is_refused(plain: tuple[lt.VAE, np.ndarray], tmp_path: Path) -> None:
    path = Survey.of(plain[0]).save(tmp_path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(StorageError):
        Survey.load(tmp_path, plain[0])


def test_without_rows_it_is_said_that_nothing_was_measured(plain: tuple[lt.VAE, np.ndarray], tmp_path: Path) -> None:
    loaded = lt.load(plain[0].save(tmp_path / "model.safetensors"))
    header = header_of(pack("loaded", [packed_model(loaded)]))
    assert "not measured" in header["notes"][0]["en"]
    assert all(plane["posterior"] is None for plane in header["models"][0]["planes"])


def test_a_mixed_table_knows_its_population_without_rows(mixed: tuple[lt.VAE, pd.DataFrame], tmp_path: Path) -> None:
    vae, rows = mixed
    kept = Survey.of(lt.load(vae.save(tmp_path / "model.safetensors"))).population
    counted = Survey.of(vae, vae.codec_.encode(vae.fitted_.read(rows))).population
    for shares, others in zip(kept, counted, strict=True):
        assert shares.sum() == pytest.approx(1) and np.abs(shares - others).max() < 0.2


# ------------------------------------------------------------------------------------------------------ pages of its own


def test_lt_explore_shows_a_frame_that_touches_nothing(plain: tuple[lt.VAE, np.ndarray], tmp_path: Path) -> None:
    shown = lt.explore(plain[0])
    frame_html = shown._repr_html_()
    assert frame_html.startswith('<iframe sandbox="allow-scripts"') and "allow-same-origin" not in frame_html
    assert shown.save(tmp_path / "page.html").read_text(encoding="utf-8") == shown.text
    assert "save(path)" in repr(shown)


def test_a_page_is_written_whole_or_not_at_all(plain: tuple[lt.VAE, np.ndarray], tmp_path: Path) -> None:
    (tmp_path / "page.html").mkdir()
    with pytest.raises(StorageError):
        export(tmp_path / "page.html", pack("no", [packed_model(plain[0])]))
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.slow
def test_the_demo_page_is_small_and_its_lesson_goes_from_autoencoder_to_collapse(tmp_path: Path) -> None:
    from sklearn.datasets import load_digits

    data = load_digits()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pair = [kind(latent_dim=2, max_epochs=2, random_state=0).fit(data.images) for kind in (lt.VAE, lt.Autoencoder)]
        path = demo_page(tmp_path / "explorer.html", *pair, data.images, data.target)
    assert path.stat().st_size < 1_500_000
    lesson = header_of(in_page(path.read_text(encoding="utf-8")))["lesson"]
    kept = [model["figures"]["variance_kept"] for model in lesson["squeeze"]]
    assert [model["d"] for model in lesson["squeeze"]] == [1, 2, 4, 8]
    assert all(a < b for a, b in itertools.pairwise(kept))
    rates = [model["figures"]["rate"] for model in lesson["regularisation"]]
    assert rates[0] == 0 and all(a > b for a, b in itertools.pairwise(rates[1:])) and rates[-1] < 0.5
