"""Files: whole or not there, the same model after as before, and nothing believed that was not checked."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

import latente as lt
from latente import files
from latente.files import read_tensors, write_tensors
from latente.storage import VERSION


@pytest.fixture
def path(fitted_table: lt.VAE, tmp_path: Path) -> Path:
    return fitted_table.save(tmp_path / "model.safetensors")


def metadata(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]


def rewritten(path: Path, change: Any) -> Path:
    """The same file with other values or tensors, and a checksum that is right again."""
    values, tensors = files.read_tensors(path, "model", VERSION)
    change(values, tensors)
    return files.write_tensors(path, "model", VERSION, values, tensors)


def test_the_same_after_as_before(fitted_table: lt.VAE, path: Path, table: NDArray[np.float64]) -> None:
    again = lt.load(path)
    assert type(again) is lt.VAE
    assert np.array_equal(again.transform(table), fitted_table.transform(table))
    assert np.array_equal(again.predict(table), fitted_table.predict(table))
    assert again.figures_ == fitted_table.figures_
    assert again.history_ == fitted_table.history_
    assert again.notes_ == fitted_table.notes_
    values, tensors = files.read_tensors(again.save(path.with_name("again.safetensors")), "model", VERSION)
    assert values == files.read_tensors(path, "model", VERSION)[0]
    assert all(torch.equal(value, tensors[name]) for name, value in load_file(path).items())


def test_pictures_and_autoencoders_too(digits: NDArray[np.uint8], tmp_path: Path) -> None:
    vae = lt.Autoencoder(max_epochs=2, random_state=0).fit(digits)
    again = lt.load(vae.save(tmp_path / "model.safetensors"))
    assert type(again) is lt.Autoencoder
    assert np.array_equal(again.reconstruct(digits), vae.reconstruct(digits))
    assert again.reconstruct(digits).dtype == np.uint8


def test_one_file_of_tensors_and_json(path: Path) -> None:
    assert {name.partition(".")[0] for name in load_file(path)} == {
        "model",
        "fitted_prior",
        "codec",
        "calibration",
        "surroundings",
        "usual",
        "residuals",
    }
    values = json.loads(metadata(path)["values"])
    assert values["latente"] == lt.__version__
    assert values["parts"]["encoder"]["name"] == "mlp-encoder"


def test_truncated_anywhere(path: Path) -> None:
    content = path.read_bytes()
    for length in (0, 4, 8, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(lt.StorageError, match="truncated|damaged"):
            lt.load(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.floats(0, 1, exclude_max=True), st.integers(0, 7))
def test_a_bit_flipped_anywhere(path: Path, where: float, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[int(where * len(content))] ^= 1 << bit
    spoilt = path.with_name("spoilt.safetensors")
    spoilt.write_bytes(bytes(content))
    with pytest.raises(lt.StorageError):
        lt.load(spoilt)


def test_a_header_that_claims_a_gigabyte(path: Path) -> None:
    path.write_bytes(struct.pack("<Q", 10**9) + path.read_bytes()[8:])
    with pytest.raises(lt.StorageError, match="its header claims 1,000,000,000 bytes"):
        lt.load(path)


def test_a_newer_version(path: Path) -> None:
    values, tensors = files.read_tensors(path, "model", VERSION)
    files.write_tensors(path, "model", VERSION + 1, values, tensors)
    with pytest.raises(
        lt.StorageError, match=f"newer Latente .format {VERSION + 1}; this one knows up to {VERSION}.: pip install --upgrade"
    ):
        lt.load(path)


def test_an_unknown_part_or_argument(path: Path) -> None:
    def unknown(values: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
        values["parts"]["encoder"]["name"] = "os.system"

    with pytest.raises(lt.StorageError, match="no part called 'os.system'; there are"):
        lt.load(rewritten(path, unknown))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(path: Path, value: float) -> None:
    def spoil(values: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
        tensors["model.posterior.head.bias"][0] = value

    with pytest.raises(lt.StorageError, match="posterior.head.bias holds values that are not finite"):
        lt.load(rewritten(path, spoil))


@pytest.mark.parametrize("key", ["parts", "recipe", "codec", "fitted_prior", "settings", "figures"])
def test_a_part_of_the_description_missing(path: Path, key: str) -> None:
    with pytest.raises(lt.StorageError, match="model.safetensors"):
        lt.load(rewritten(path, lambda values, tensors: values.pop(key)))


def test_tensors_of_another_shape(path: Path) -> None:
    def shrink(values: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
        tensors["model.posterior.head.bias"] = tensors["model.posterior.head.bias"][1:]

    with pytest.raises(lt.StorageError, match="model.safetensors"):
        lt.load(rewritten(path, shrink))


def test_foreign_files(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.safetensors"
    save_file({"w": torch.zeros(3)}, foreign)
    with pytest.raises(lt.StorageError, match="not a file of Latente"):
        lt.load(foreign)
    with pytest.raises(lt.StorageError, match="No such file"):
        lt.load(tmp_path / "none.safetensors")
    with pytest.raises(lt.StorageError, match="Is a directory"):
        lt.load(tmp_path)


def test_nothing_half_written_when_the_disc_is_full(fitted_table: lt.VAE, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(lt.StorageError, match="No space left on device"):
        fitted_table.save(path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == ["model.safetensors"]


def test_a_place_where_nothing_can_be_written(fitted_table: lt.VAE, path: Path) -> None:
    with pytest.raises(lt.StorageError, match="can't write"):
        fitted_table.save(path / "below-a-file.safetensors")


def test_an_autoencoder_of_version_3_has_no_prior(tmp_path: Path) -> None:
    """Its file names a prior that nothing drew the codes to, and not the kind of estimator."""
    plain = lt.Autoencoder(latent_dim=1, max_epochs=1, random_state=0).fit(np.random.default_rng(0).normal(size=(60, 3)))
    path = plain.save(tmp_path / "m.safetensors")
    values, tensors = read_tensors(path, "model", VERSION)
    del values["settings"]["estimator"]
    values["parts"]["prior"] = {"name": "standard-normal", "arguments": {"latent_dim": 1}}
    old = lt.load(write_tensors(tmp_path / "old.safetensors", "model", 3, values, tensors))
    assert type(old) is lt.Autoencoder and not old.model_.has_prior
