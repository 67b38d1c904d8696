"""Rows as plain arrays: what was read and what is decoded look the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from latente.data import decoded, fit_codec, plain, read

FRAME = pd.DataFrame({
    "name": [f"a{k:04d}-{k * 7919 % 9973}" for k in range(40)],  # names rows: the model does not see it
    "size": [None if k % 4 == 0 else k / 4 for k in range(40)],
    "kind": [None if k % 5 == 0 else "ab"[k % 2] for k in range(40)],
    "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(40) % 9, unit="D"),
    "took": pd.to_timedelta(np.arange(40) % 7, unit="min"),
})  # fmt: skip


def test_columns_that_are_decoded_are_those_that_were_read() -> None:
    data = read(FRAME)
    codec = fit_codec(data)
    rows = codec.encode(data)
    was, now = plain(codec, data), decoded(codec, rows.x, rows.mask)
    assert isinstance(was, dict)
    assert isinstance(now, dict)
    assert [*was] == [*now] == ["size", "kind", "day", "took"]
    assert [was[name].dtype.kind for name in was] == ["f", "O", "M", "m"]
    for name, column in was.items():
        assert (pd.isna(column) == pd.isna(FRAME[name])).all(), name
        assert (pd.isna(column) == pd.isna(now[name])).all(), name
    seen = ~np.isnan(was["size"])
    np.testing.assert_allclose(now["size"][seen], was["size"][seen], atol=1e-5)
    assert [text for text in now["kind"] if text] == FRAME["kind"].dropna().tolist()
    assert (decoded(codec, rows.x, possible=True)["day"] == was["day"]).all()  # type: ignore[call-overload]


@pytest.mark.parametrize("shape", [(6, 4, 5), (6, 4, 5, 3), (6, 3, 4, 5)])
def test_pictures_have_their_channels_last(shape: tuple[int, ...]) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, shape).astype(float)
    pictures.flat[7] = np.nan
    data = read(pictures)
    codec = fit_codec(data)
    rows = codec.encode(data)
    was, now = plain(codec, data), decoded(codec, rows.x, rows.mask)
    assert isinstance(was, np.ndarray)
    assert was.shape == ((6, 4, 5) if len(shape) == 3 else (6, 4, 5, 3))
    np.testing.assert_allclose(now, was, atol=1e-3)  # the missing pixel is missing in both
