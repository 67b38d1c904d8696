"""Models of the same rows side by side: what "the same place" means, and what is shown of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray

import latente as lt
from latente.report import side_by_side
from latente.report.study_pages import claim_study, comparison_page, folder_name, write_comparison
from latente.seeding import seeded
from latente.studies.comparison import Comparison, judged, named
from latente.studies.places import aligned, emptiness

QUICK: dict[str, Any] = {"max_epochs": 3, "latent_dim": 2, "random_state": 0}


def mixed_frame(n: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    group = rng.integers(3, size=n)
    frame = pd.DataFrame({
        "size": group + 0.3 * rng.normal(size=n), "kind": np.array(["small", "<b>mid", "large"])[group],
        "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(30 * group + rng.integers(9, size=n), unit="D"),
        "old": group > 0, "weight": 2 * group + rng.normal(size=n),
    })  # fmt: skip
    frame.loc[rng.random(n) < 0.2, "size"] = np.nan
    frame.loc[rng.random(n) < 0.2, "kind"] = None
    return frame


@pytest.fixture(scope="module")
def of_numbers(table: NDArray[np.float64]) -> Comparison:
    return lt.compare(table[:, :8], max_epochs=20, latent_dim=3, random_state=0)


@pytest.fixture(scope="module")
def of_mixed() -> Comparison:
    return lt.compare(mixed_frame(), **QUICK)


@pytest.fixture(scope="module")
def of_pictures(digits: NDArray[np.uint8]) -> Comparison:
    return lt.compare(digits[:150], ["vae", "vae", "beta-vae"], **QUICK)


def test_the_same_place_is_the_same_whatever_the_scale_and_direction_of_a_code() -> None:
    """A code, and the same one turned, stretched and moved: whatever is at a place in one is there in the other."""
    with seeded(0):
        z = (
            torch.randn(3000, 3, dtype=torch.float64)
            @ torch.tensor([[2.0, 0.3, 0.0], [0.0, 0.5, 0.1], [0.0, 0.0, 1.0]]).double()
        )
        turn = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64))[0] * torch.tensor([1.0, 5.0, 0.1])
        places = torch.randn(50, 3, dtype=torch.float64)
    other = z @ turn + 7
    first, second = aligned([z, other], [z, other], z.float())
    torch.testing.assert_close(second.codes(places).double(), first.codes(places).double() @ turn + 7, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(first.of(first.codes(places)), places, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(torch.cov(first.of(z).T), torch.eye(3, dtype=torch.float64), atol=1e-6, rtol=0)


def test_the_first_direction_says_most_of_a_row() -> None:
    with seeded(0):
        z = torch.randn(2000, 3)
        rows = torch.stack([z[:, 1] * 5, z[:, 1] * 4 + z[:, 2], z[:, 0] * 0.1], 1)
    (places,) = aligned([z], [z], rows)
    first = places.of(z)[:, 0]
    assert abs(float(torch.corrcoef(torch.stack([first, z[:, 1].double()]))[0, 1])) > 0.98


def test_holes_are_where_no_codes_are() -> None:
    with seeded(0):
        normal, angle = torch.randn(6000, 2, dtype=torch.float64), 6.2832 * torch.rand(4000, dtype=torch.float64)
    empty, share = emptiness(normal[:2000], normal[2000:4000], normal[4000:])
    assert share.value == pytest.approx(0.01, abs=0.012)
    ring = torch.stack([angle.cos(), angle.sin()], 1) * 2**0.5
    empty, share = emptiness(normal[:2000], ring[:2000], ring[2000:])
    assert share.value > 0.9
    assert bool(empty[normal[:2000].norm(dim=1) < 0.3].all())
    assert share.low > 0.8
    share = emptiness(normal[:2000], normal[2000:4000], normal[4000:4120])[1]
    assert share.low < 0.01 < share.high and share.high - share.low > 0.02, "120 rows hardly tell where one in a hundred lies"
    few = emptiness(normal[:10], ring[:2000], ring[2000:2005])[1]
    assert not few.known and "too few" in few.reason


def test_all_models_have_the_same_rows_and_size(of_numbers: Comparison) -> None:
    assert list(of_numbers.models) == ["autoencoder", "vae"]
    assert {model.latent_dim_ for model in of_numbers.models.values()} == {3}
    about = [certificate.about for certificate in of_numbers.certificates.values()]
    assert about[0]["held_out_rows"] == about[1]["held_out_rows"] == of_numbers.about["held_out_rows"] == 190
    real = [certificate["affinity_real"].value for certificate in of_numbers.certificates.values()]
    assert real[0] == pytest.approx(real[1], abs=0.1), "the same features"
    assert of_numbers["vae"].recipe_.name == "vae"


def test_verdicts_go_by_what_the_table_shows(of_numbers: Comparison) -> None:
    for name, certificate in of_numbers.certificates.items():
        figures, model = of_numbers.figures(name), of_numbers.models[name]
        shown = {"prior_holes", "completeness", "completeness_ceiling", "holes"}
        assert shown <= figures.keys()
        emptied = replace(figures["holes"], value=0.5, low=0.4, high=0.6)
        (verdict,) = [v for v in judged(certificate, emptied, model).verdicts if v.name == "holes"]
        assert "50% of random codes" in verdict.evidence
        told = " ".join(v.evidence for v in certificate.verdicts if v.name == "holes")
        assert ("of random codes" in told) == (figures["holes"].low > 0.1)
        assert ("of the prior's draws" in told) == (figures["prior_holes"].low > 0.1)
    assert "holes at random codes" in str(of_numbers) and "prior holes" in str(of_numbers)


def test_in_words_and_as_plain_values(of_numbers: Comparison) -> None:
    text = str(of_numbers)
    assert text.splitlines()[2].split() == ["autoencoder", "vae", "PCA"]
    assert "completeness C" in text and "verdicts" in text and "holes" in text
    assert any(sentence.startswith("completeness C: ") for sentence in of_numbers.reading())
    values = json.loads(json.dumps(of_numbers.to_dict(), allow_nan=False))
    assert values["models"]["vae"]["figures"]["rate"]["value"] > 0
    assert values["models"]["autoencoder"]["figures"]["rate"]["value"] is None
    assert of_numbers.to_frame().column_names[:2] == ["model", "completeness"]
    assert of_numbers._repr_html_().count("<tr>") == len(of_numbers.lines()) + 1


def test_a_model_that_is_not_there_is_told_from_those_that_are(of_numbers: Comparison) -> None:
    with pytest.raises(KeyError, match=f"no model here called 'vea'; there are {', '.join(of_numbers.models)}"):
        of_numbers["vea"]


def test_every_model_decodes_the_same_places(of_numbers: Comparison) -> None:
    scene = of_numbers.scene
    assert scene.places.shape == (2000, 3)
    for view in scene.views.values():
        assert view.places.shape == (379, 3)
        assert list(view.decoded) == list(scene.rows)
        assert len(view.decoded["x0"]) == 40 and len(view.emitted["x0"]) == 2000
        assert len(view.walks) == len(scene.ends) == 3
    for name, view in scene.views.items():
        start = of_numbers[name].codec_
        assert len(view.walks[0]["x0"]) == 9 and start is not None
    decoded = [np.asarray(view.decoded["x0"]) for view in scene.views.values()]
    assert np.corrcoef(decoded)[0, 1] > 0.8, "models of the same rows agree on what is where"


def test_a_walk_goes_from_one_reconstruction_to_the_other(of_numbers: Comparison) -> None:
    vae, view = of_numbers["vae"], of_numbers.scene.views["vae"]
    ends = np.column_stack([of_numbers.scene.ends[0][name] for name in of_numbers.scene.rows])
    way = np.column_stack([view.walks[0][name] for name in of_numbers.scene.rows])
    np.testing.assert_allclose(way[[0, -1]], vae.reconstruct(ends), rtol=1e-3, atol=1e-3)


def test_the_same_seed_gives_the_same_scene(of_mixed: Comparison) -> None:
    again = lt.compare(mixed_frame(), **QUICK)
    for name, view in of_mixed.scene.views.items():
        assert torch.equal(again.scene.views[name].places, view.places)
        assert list(again.scene.views[name].emitted["kind"]) == list(view.emitted["kind"])
    assert again.lines()[:5] == of_mixed.lines()[:5]


def test_mixed_columns_come_back_as_they_are(of_mixed: Comparison) -> None:
    rows, view = of_mixed.scene.rows, of_mixed.scene.views["vae"]
    assert None in rows["kind"] and np.isnan(rows["size"]).any(), "holes stay holes"
    assert set(view.emitted["kind"]) <= {"small", "<b>mid", "large"}
    assert rows["day"].dtype.kind == view.emitted["day"].dtype.kind == "M"


@pytest.mark.parametrize("which", ["of_numbers", "of_mixed", "of_pictures"])
def test_figures(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    found = request.getfixturevalue(which)
    pictures = which == "of_pictures"
    columns = {"of_numbers": 8, "of_mixed": 5}
    maps, places, walks = (draw(found) for draw in (side_by_side.latent_maps, side_by_side.random_places, side_by_side.walks))
    assert len(maps) == len(found.models)
    assert maps[0].get_title(loc="left").startswith(next(iter(found.models)))
    assert len(places) == (len(found.models) if pictures else columns[which])
    assert len(walks) == (3 if pictures else {"of_numbers": 8, "of_mixed": 4}[which])


@pytest.mark.parametrize("lang", ["en", "es"])
def test_the_page(of_mixed: Comparison, lang: str) -> None:
    page = comparison_page(of_mixed, lang, "<wine>").html()
    assert {"en": "Positions of the codes", "es": "Posiciones de los códigos"}[lang] in page
    assert {"en": "could not be made", "es": "no se pudo crear"}[lang] not in page
    assert "<b>mid" not in page and "&lt;b&gt;mid" in page
    assert page.count("<svg") == 3
    assert page == comparison_page(of_mixed, lang, "<wine>").html()
    assert "latente certify &#39;my models/vae&#39;" in comparison_page(of_mixed, lang, folder=Path("my models")).html()


def test_the_page_of_pictures(of_pictures: Comparison) -> None:
    page = comparison_page(of_pictures).html()
    assert page.count("<svg") == 3 and "could not be made" not in page
    assert list(of_pictures.models) == ["vae", "vae-2", "beta-vae"]


def test_the_folder_has_a_run_for_each_model(of_pictures: Comparison, tmp_path: Path) -> None:
    paths = write_comparison(of_pictures, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "beta-vae", "compare.html", "compare.json", "vae", "vae-2",
    ]  # fmt: skip
    vae = lt.load(paths["vae"] / "model.safetensors")
    assert np.array_equal(vae.sample(2), of_pictures["vae"].sample(2))
    assert json.loads((paths["vae"] / "certificate.json").read_text())["about"]["recipe"] == "vae"
    assert json.loads(paths["json"].read_text())["folders"]["vae-2"] == "vae-2"
    write_comparison(of_pictures, tmp_path / "out")
    (tmp_path / "out/notes.txt").write_text("mine")
    with pytest.raises(lt.StorageError, match="holds other things, such as 'notes.txt', and nothing in it is touched"):
        write_comparison(of_pictures, tmp_path / "out")
    with pytest.raises(lt.StorageError, match="is a file; a study needs a folder"):
        claim_study(tmp_path / "out/notes.txt", ())
    assert folder_name("../x:y=1") == "x-y-1"


def test_two_names_that_differ_in_signs_alone_have_two_folders(of_pictures: Comparison, tmp_path: Path) -> None:
    names = ("mild:beta=2", "mild beta 2", "compare.json")
    models = dict(zip(names, of_pictures.models.values(), strict=True))
    certificates = dict(zip(names, of_pictures.certificates.values(), strict=True))
    scene = replace(of_pictures.scene, views=dict(zip(names, of_pictures.scene.views.values(), strict=True)))
    paths = write_comparison(replace(of_pictures, models=models, certificates=certificates, scene=scene), tmp_path / "out")
    assert [paths[name].name for name in names] == ["mild-beta-2", "mild-beta-2-2", "compare.json-2"]
    for name, vae in models.items():
        assert np.array_equal(lt.load(paths[name] / "model.safetensors").sample(2), vae.sample(2))
    assert f"latente explore {paths['mild beta 2']}" in paths["page"].read_text()


def test_what_can_not_be_compared(table: NDArray[np.float64]) -> None:
    with pytest.raises(lt.ModelError, match="no recipe called 'vea'; is 'vae'"):
        lt.compare(table, ["vae", "vea"])
    with pytest.raises(lt.ModelError, match="there is nothing to compare"):
        lt.compare(table, [])
    with pytest.raises(lt.ModelError, match="a recipe is a name or a Recipe, not 3"):
        lt.compare(table, [3])
    with pytest.raises(lt.ModelError, match="latent_dim=40 is above the number of fields that vary, 30"):
        lt.compare(table, latent_dim=40)
    with pytest.raises(lt.ModelError, match="time_limit is 'soon'"):
        lt.compare(table, time_limit="soon")
    with pytest.raises(lt.DataError, match="n_samples=1"):
        lt.compare(table[:1])
    with pytest.raises(lt.DataError, match="of 4 rows none can be: bring more"):
        lt.compare(table[:4])


def test_names_of_ones_own() -> None:
    assert list(named({"mild": lt.recipe("beta-vae", beta=2.0), "plain": "vae"})) == ["mild", "plain"]
    assert named("vae")["vae"].name == "vae"


def test_few_rows_leave_reasons_in_place_of_figures(table: NDArray[np.float64]) -> None:
    found = lt.compare(table[:30, :4], **QUICK)
    assert "completeness C: not known: 10 validation rows are too few" in "\n".join(found.reading())
    assert side_by_side.latent_maps(found)[0].get_title(loc="left") == "autoencoder\ntoo few rows to detect holes"
