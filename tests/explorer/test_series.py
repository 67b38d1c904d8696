"""Models of series in the explorer: a window as lines, in the user's units."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import latente as lt
from latente.explorer.export import packed_model, page
from latente.explorer.pack import header_of, pack

pytestmark = pytest.mark.filterwarnings("ignore::latente.errors.LatenteWarning")


def rows() -> pd.DataFrame:
    t = np.arange(200)
    states = np.where(np.sin(t / 5) > 0, "on", "off")
    return pd.DataFrame(
        {"when": pd.date_range("2024-01-01", periods=200, freq="h"), "x": 10 + 3 * np.sin(t / 3), "state": states}
    )


def test_a_page_has_the_channels_of_a_window() -> None:
    frame = rows()
    frame.loc[5, "state"] = "broken"
    vae = lt.VAE(time="when", window=12, stride=4, max_epochs=1, random_state=0).fit(frame)
    content = pack("waves", [packed_model(vae, data=frame, with_rows=True)])
    model = header_of(content)["models"][0]
    channels = model["units"]["channels"]
    assert [channel["name"] for channel in channels] == ["x", "state=broken", "state=off", "state=on"]
    assert channels[0]["low"] == pytest.approx(frame["x"].min()) and channels[1]["scale"] == 1.0
    assert model["units"]["steps"] == 12 and model["computed"]["decoder"] is not None
    assert model["points"]["count"] == len(vae.windows(frame)) and model["points"]["rows"] is None
    assert "series" in page(content)


def test_two_models_side_by_side_have_the_same_channels() -> None:
    frame = rows()[["when", "x"]]
    one, other = (lt.VAE(time="when", window=12, max_epochs=1, random_state=seed).fit(frame) for seed in (0, 1))
    assert len(header_of(pack("both", [packed_model(one), packed_model(other)]))["models"]) == 2
    longer = lt.VAE(time="when", window=16, max_epochs=1, random_state=0).fit(frame)
    with pytest.raises(lt.DataError, match="not of the same columns"):
        pack("both", [packed_model(one), packed_model(longer)])
