"""A closed format: an altered file, with a checksum that is right again, is refused or gives what the unaltered one gives."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import latente as lt
from benchmarks import hostile
from latente.errors import ModelError
from latente.files import checked, read_tensors, write_tensors
from latente.model.budget import Budget
from latente.model.parts import PARTS, Choice, build, constructor_arguments
from latente.report.run_folder import read_certificate
from latente.storage import VERSION

MUTATIONS = 110  # some of each file; benchmarks.hostile makes thousands


def covering(recipes: Any) -> list[str]:
    """Names of some recipes that together have every part that any recipe has; benchmarks.hostile tries all of them."""
    known, chosen = _parts_of(lt.recipe("vae")), ["vae"]
    for recipe in sorted(recipes, key=lambda recipe: -len(_parts_of(recipe))):
        if not _parts_of(recipe) <= known:
            known |= _parts_of(recipe)
            chosen.append(recipe.name)
    return chosen


def _parts_of(recipe: Any) -> set[str]:
    """Names of parts and their arguments in a recipe."""
    text = json.dumps(recipe.to_json() | {"name": "", "summary": "", "reference": ""})
    return set(re.findall(r'"([a-z][a-z0-9-]*)"', text))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    hostile.write_corpus(folder, covering(lt.recipes()), mixed=("vae", "hi-vae"), certified=("numbers-vae",))
    return folder


def test_every_altered_file_is_refused_or_gives_the_same(folder: Path) -> None:
    found = hostile.tried(folder, range(MUTATIONS))
    strange = [line for line in found["found"] if ": different after" not in line]
    assert not strange
    assert sum(found["counts"].values()) == MUTATIONS
    assert found["counts"]["refused"] > 0.6 * MUTATIONS
    assert found["counts"]["identical"] > 0.02 * MUTATIONS
    assert found["counts"].get("different", 0) < 0.05 * MUTATIONS


def altered(source: Path, target: Path, change: Any) -> Path:
    values, tensors = read_tensors(source, "model", VERSION)
    change(values, tensors)
    return write_tensors(target, "model", VERSION, values, tensors)


def change(name: str, how: Any) -> Any:
    """Alter one tensor."""

    def apply(values: Any, tensors: dict[str, torch.Tensor]) -> None:
        tensors[name] = how(tensors[name])

    return apply


def put(path: str, value: Any) -> Any:
    """Alter one value, by its path."""

    def apply(values: Any, tensors: dict[str, torch.Tensor]) -> None:
        *above, last = path.split(".")
        for key in above:
            values = values[key]
        values[last] = value

    return apply


EARLIER = [[0.0498, -0.0380], [-0.0710, -0.1010]]  # codes that the model gave when it was written
CHANGES = {
    "scores out of order": (
        "numbers-vae",
        change("calibration.scores", lambda old: old.flip(0)),
        "what scores are compared with",
    ),
    "shares above 1": ("numbers-vae", change("calibration.covered", lambda old: old.new_full((8,), 1.5)), "what scores are"),
    "weights that do not add up": (
        "numbers-mixture",
        change("fitted_prior.weights", lambda old: old * 2),
        "fitted_prior.weights",
    ),
    "a covariance without a root": ("numbers-flow", change("fitted_prior.cholesky", lambda old: -old), "fitted_prior.cholesky"),
    "a kernel without a width": (
        "numbers-nearest",
        change("fitted_prior.variance", lambda old: 0 * old),
        "fitted_prior.variance",
    ),
    "double precision": ("numbers-vae", change("model.posterior.head.bias", lambda old: old.double()), "is torch.float64"),
    "bins out of order": ("mixed-vae", change("codec.bin_low", lambda old: old.flip(0)), "the bins"),
    "a scale below 0": ("numbers-vae", change("codec.scale", lambda old: -old), "the scales"),
    "an extra tensor": ("numbers-vae", lambda values, tensors: tensors.update({"x.y": torch.zeros(3)}), "no place for"),
    "an extra key": ("numbers-vae", put("code", "os.system"), "unknown field `code`"),
    "a huge layer": ("numbers-vae", put("parts.encoder.arguments.hidden", [100_000, 100_000]), "far larger model"),
    "a million layers": ("numbers-vae", put("parts.encoder.arguments.hidden", [1] * 1_000_000), "far larger model"),
    "endless blocks": ("mixed-vae", put("row_model.arguments.blocks", 2**30), "far larger model"),
    "a negative width": ("numbers-vae", put("parts.encoder.arguments.hidden", [-4]), "can't hold -4"),
    "a text for a number": ("numbers-vae", put("parts.posterior.arguments.latent_dim", "2"), "Expected `int`, got `str`"),
    "other columns": ("numbers-vae", put("parts.encoder.arguments.shape", [4]), "is not that of the columns"),
    "bins of its own": (
        "mixed-vae",
        put("parts.likelihood.arguments.bins", [[[0.0], [0.0], [1.0], [1.0]]] * 6),
        "the columns",
    ),
    "parts in each other's places": ("numbers-vae", put("parts.prior.name", "point-mass"), "'point-mass' can't be made"),
    "settings of another type": ("numbers-vae", put("settings.batch_size", -3), "batch_size is -3"),
    "no rows": ("numbers-vae", put("figures.rows", 0), ">= 1"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_a_model_needs_is_checked(what: str, folder: Path, tmp_path: Path) -> None:
    name, alter, message = CHANGES[what]
    with pytest.raises(lt.StorageError, match=message):
        lt.load(altered(folder / f"{name}.model", tmp_path / "model.safetensors", alter))


PLACES = ("encoder", "posterior", "prior", "decoder", "likelihood", "fitted_prior")
SIZES = {"latent_dim": 2, "width": 8, "outputs": 5, "hidden": [8], "shape": [5], "channels": [4]}


def in_place(name: str, place: str) -> Any:
    """Put a part into a place, with tensors that are right for it."""

    def apply(values: Any, tensors: dict[str, torch.Tensor]) -> None:
        holder, prefix = (values, "fitted_prior.") if place == "fitted_prior" else (values["parts"], f"model.{place}.")
        known = {**SIZES, **holder[place]["arguments"]}
        arguments = {key: value for key, value in known.items() if key in constructor_arguments(PARTS[name])}
        holder[place] = {"name": name, "arguments": arguments}
        for key in [key for key in tensors if key.startswith(prefix)]:
            del tensors[key]
        with contextlib.suppress(ModelError):
            tensors |= {prefix + key: value for key, value in build(Choice(name, arguments)).state_dict().items()}

    return apply


@pytest.mark.parametrize("place", PLACES)
def test_a_part_in_another_one_s_place_fits_or_is_refused(place: str, folder: Path, tmp_path: Path) -> None:
    rows = hostile.numbers()[:2]
    for name in sorted(PARTS):
        path = altered(folder / "numbers-vae.model", tmp_path / "model.safetensors", in_place(name, place))
        with contextlib.suppress(lt.LatenteError):
            vae = lt.load(path)
            for result in (vae.transform(rows), vae.score_samples(rows), vae.sample(1), vae.sample(1, prior="prior")):
                assert len(result)


def test_a_file_of_an_earlier_version_loads() -> None:
    vae = lt.load(Path(__file__).with_name("format-3.safetensors"))
    assert vae.recipe_.name == "hi-vae"
    assert np.allclose(vae.transform(hostile.mixed()[:2]), EARLIER, atol=1e-3)
    assert list(vae.sample(2).columns) == list(hostile.mixed().columns)


def test_a_file_of_version_4_loads_whose_bins_were_called_cells() -> None:
    vae = lt.load(Path(__file__).with_name("format-4.safetensors"))
    rows = vae.sample(3, random_state=0)
    assert list(rows.columns) == ["kind", "x"]
    known = pd.DataFrame({"kind": ["b", "a"], "x": [0.0, 1.5]})
    assert np.allclose(vae.score_samples(known), [-4.7327, -3.4741], atol=1e-3)
    assert np.allclose(vae.transform(known), [[0.3861], [0.4549]], atol=1e-3)


def test_a_part_s_former_name_still_works() -> None:
    with pytest.warns(FutureWarning, match="'histogram'"):
        assert lt.choose("cells").name == "histogram"


def test_a_file_that_loads_leaves_no_trace_in_the_generator(folder: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    lt.load(folder / "numbers-vae.model")
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize(
    "make", [lambda: torch.zeros(3000, 3000), lambda: torch.eye(3000), lambda: torch.eye(9).repeat(1000, 100)]
)
def test_what_is_asked_for_is_counted_before_it_is_made(make: Any) -> None:
    with Budget(10**7):
        make()
    with Budget(10**5), pytest.raises(ModelError, match="far larger model"):
        make()


def test_a_model_as_large_as_its_file_is_within_the_budget() -> None:
    with Budget(10**6 + 10 * 256 * 100):
        build(lt.choose("mlp-encoder", shape=[100], hidden=[300, 300]))


def test_a_certificate_says_of_which_model_it_is(folder: Path, tmp_path: Path) -> None:
    content = json.loads((folder / "numbers-vae.certificate").read_text())
    model = folder / "numbers-vae.model"
    for known, believed in ((content["about"]["model"], True), ("0" * 64, False), (None, False)):
        content["about"].pop("model", None)
        content["about"] |= {} if known is None else {"model": known}
        (tmp_path / "certificate.json").write_text(json.dumps(content))
        if believed:
            assert read_certificate(tmp_path, model).about["rows"] == content["about"]["rows"]
        else:
            with pytest.raises(lt.StorageError, match="is of another model"):
                read_certificate(tmp_path, model)


def test_the_path_of_what_is_wrong() -> None:
    with pytest.raises(lt.StorageError, match=r"the rows is damaged or was altered: .* at `\$\[1\]`"):
        checked([1, "x"], tuple[int, ...], "the rows")
