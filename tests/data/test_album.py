"""Pictures in shards: the fit and the certificate equal those of the same pictures in memory."""

import io
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image

import latente as lt
from latente.data import read, read_or_pieces, sql
from latente.data.album import Album, album_of
from latente.errors import DataError

N = 150


def pictures(dtype=np.uint8, channels=0):
    rng = np.random.default_rng(0)
    shape = (N, 6, 5, channels) if channels else (N, 6, 5)
    base = rng.random((N, 1, 1, 1) if channels else (N, 1, 1)) * np.linspace(0, 1, 5).reshape((5, 1) if channels else 5)
    values = np.clip(base + 0.05 * rng.normal(size=shape), 0, 1)
    return (255 * values).astype(np.uint8) if dtype == np.uint8 else values.astype(dtype)


def write_npz(folder, array):
    folder.mkdir()
    for number, start in enumerate(range(0, N, 64)):
        np.savez(folder / f"shard-{number:03}.npz", x=array[start : start + 64])
    return folder


def write_tar(folder, array):
    folder.mkdir()
    for number, start in enumerate(range(0, N, 64)):
        with tarfile.open(folder / f"shard-{number:03}.tar", "w") as archive:
            for row in range(start, min(N, start + 64)):
                content = io.BytesIO()
                Image.fromarray(array[row]).save(content, "png")
                for suffix, told in ((".png", content.getvalue()), (".json", b"{}")):
                    member = tarfile.TarInfo(f"{row:05}{suffix}")
                    member.size = len(told)
                    archive.addfile(member, io.BytesIO(told))
    return folder


CASES = {
    "grey npz": (write_npz, pictures()),
    "float npz": (write_npz, pictures(np.float32)),
    "grey tar": (write_tar, pictures()),
    "colour tar": (write_tar, pictures(channels=3)),
}


@pytest.mark.parametrize("case", CASES)
def test_shards_are_the_pictures(case, tmp_path):
    write, array = CASES[case]
    folder = write(tmp_path / "shards", array)
    found = read(folder)
    np.testing.assert_array_equal(found.pixels, read(array).pixels)
    album = album_of(folder)
    assert len(album) == N and album.nbytes == 4 * array.size
    places = np.array([0, 63, 64, 149])
    np.testing.assert_array_equal(album.take(places).pixels, read(array).pixels[places])


def fitted(data):
    how = {"latent_dim": 2, "hidden": (16,), "max_epochs": 2, "batch_size": 32, "effort": "quick", "random_state": 0}
    return lt.VAE("vae", **how).fit(data)


@pytest.mark.parametrize("case", ["grey npz", "colour tar"])
def test_a_fit_and_a_certificate_of_shards(case, tmp_path, monkeypatch):
    write, array = CASES[case]
    folder = write(tmp_path / "shards", array)
    wanted = fitted(array)
    monkeypatch.setattr(sql, "max_bytes", lambda: 1000)
    assert isinstance(read_or_pieces(str(folder)), Album)
    found = fitted(str(folder))
    assert found.codec_ == wanted.codec_ or found.codec_.to_state() == wanted.codec_.to_state()
    one, other = (torch.cat([v.reshape(-1) for v in vae.model_.state_dict().values()]) for vae in (found, wanted))
    torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
    loaded = lt.load(found.save(tmp_path / "m.safetensors"))
    assert loaded.certificate(train=str(folder)).to_dict() == found.certificate().to_dict()
    monkeypatch.setattr("latente.data.album.VALUES_AT_ONCE", 20 * array[0].size)
    np.testing.assert_allclose(loaded.transform(str(folder)), loaded.transform(array), atol=1e-5)
    np.testing.assert_allclose(loaded.score_samples(str(folder)), loaded.score_samples(array), rtol=1e-6)
    one, other = loaded.anomalies(str(folder)), loaded.anomalies(array)
    assert one.column_names == other.column_names
    for name in one.column_names:
        np.testing.assert_allclose(one[name].to_numpy(), other[name].to_numpy(), rtol=1e-6, atol=1e-9)


def test_shards_that_differ_are_named(tmp_path):
    folder = write_npz(tmp_path / "shards", pictures())
    np.savez(folder / "shard-009.npz", x=np.zeros((3, 6, 6), np.uint8))
    with pytest.raises(DataError, match=r"shard-009\.npz"):
        read(folder)
    np.savez(folder / "shard-009.npz", x=np.zeros((3, 6)))
    with pytest.raises(DataError, match="table"):
        read(folder)


def test_a_folder_without_pictures(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w"):
        pass
    with pytest.raises(DataError, match="no picture"):
        read(tmp_path / "a.tar")
    with pytest.raises(DataError, match="no picture"):
        read_or_pieces(tmp_path / "a.tar")
