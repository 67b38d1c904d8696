"""The page's forward pass against Python: every network, likelihood and kind of column, on 1,000 random codes.

Needs Node and the built engine (``make test-web`` builds it); skipped where they are missing, an error there.
"""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from latente.data import TableCodec
from latente.explorer.export import packed_model
from latente.explorer.pack import pack
from latente.explorer.units import ShownBins, bins_of, kept
from latente.model.autoregressive import AutoregressiveFields
from latente.model.bins import HistogramFields
from latente.model.column_distributions import LevelsDistribution
from latente.model.distributions import ContinuousBernoulliFields, NormalFields, StudentTFields
from latente.model.heterogeneous import HeterogeneousFields
from latente.tasks.reconstruct import decode
from tests.explorer.models import CHOICES

ENGINE = Path(__file__).parents[2] / "web" / "build" / "engine.mjs"
NODE = shutil.which("node")
MISSING = "Node is missing" if NODE is None else f"{ENGINE} is not built" if not ENGINE.exists() else ""
CODES, ROWS = 1000, 100
CLOSE = 1e-5  # relative: of the value, or of the spread of its column where that is larger

pytestmark = pytest.mark.skipif(bool(MISSING) and not os.environ.get("LATENTE_WEB"), reason=f"{MISSING}: make test-web")


class Answers(NamedTuple):
    """What Python has, and what the page makes of the same codes and rows."""

    vae: Any
    codes: torch.Tensor
    data: Any
    told: dict[str, Any]
    found: dict[str, np.ndarray]


@pytest.fixture(scope="module", params=list(CHOICES))
def answers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    vae, data = CHOICES[request.param]()
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "pack").write_bytes(pack("parity", [packed_model(vae)]))
    codes = 1.5 * torch.randn(CODES, vae.latent_dim_, generator=torch.Generator().manual_seed(2))
    data = data[:ROWS]
    (folder / "asked").write_text(json.dumps({"codes": codes.tolist(), "rows": as_given(vae.codec_, data)}))
    program = Path(__file__).with_name("parity.mjs")
    run = [NODE or "node", program, ENGINE, folder / "pack", folder / "asked", folder / "out"]
    subprocess.run(run, check=True, timeout=300)
    told = json.loads((folder / "out.json").read_text())
    values, found = np.fromfile(folder / "out"), {}
    for name, size in told["sizes"].items():
        found[name], values = values[:size], values[size:]
    return Answers(vae, codes, data, told, found)


def as_given(codec: Any, data: Any) -> list[list[Any]]:
    """Rows as a person would type them; pictures [H, W, C] from 0 to 1."""
    if not isinstance(codec, TableCodec):
        scaled = (data.astype(float) - codec.low) / (codec.high - codec.low)
        return scaled.astype(np.float32).reshape(len(data), -1).tolist()
    table = pd.DataFrame(data) if isinstance(data, np.ndarray) else data
    columns = [[_typed(value) for value in table.iloc[:, column]] for column in kept(codec)]
    return [list(row) for row in zip(*columns, strict=True)]


def _typed(value: Any) -> Any:
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return str(value.tz_localize(None) if value.tz else value)
    if isinstance(value, datetime.timedelta):
        return float(value.total_seconds())
    return str(value) if isinstance(value, (str, datetime.time)) else float(value)


def far(found: np.ndarray, expected: np.ndarray, spread: Any = 0.0) -> float:
    return float((np.abs(found - expected) / np.maximum(np.maximum(np.abs(expected), spread), 1e-12)).max(initial=0.0))


def in_double(vae: Any, codes: torch.Tensor) -> Any:
    double = type(vae.model_).from_config(vae.model_.config())
    double.load_state_dict(vae.model_.state_dict())
    with torch.no_grad():
        return double.eval().double().decode(codes.double().unsqueeze(0))


@torch.no_grad()
def test_means_are_those_of_python(answers: Answers) -> None:
    px = in_double(answers.vae, answers.codes)
    expected = px.mean.squeeze(0).numpy()
    found = answers.found["means"].reshape(CODES, -1)
    found = of_levels(level_counts(px, expected.shape[1]), found)
    assert far(found, expected, 1e-3) < CLOSE
    print(f"\nmeans against double precision: {far(found, expected, 1e-3):.1e}")


def level_counts(px: Any, size: int) -> list[int]:
    """Of each field how many levels it has, 0 for numbers."""
    if isinstance(px, HeterogeneousFields):
        laws = [law for law in px.part.each for _ in range(law.size)]
        each = [len(law.values) if isinstance(law, LevelsDistribution) and law.nominal else 0 for law in laws]
        return [each[place] for place in px.part.order.tolist()]
    part = getattr(px, "part", None)
    return [count * nominal for count, nominal in zip(part.bins.counts, part.nominal, strict=True)] if part else [0] * size


def of_levels(counts: list[int], found: np.ndarray) -> np.ndarray:
    """In place of the probabilities of levels the most likely one."""
    columns, at = [], 0
    for count in counts:
        values = found[:, at : at + max(1, count)]
        columns.append(values.argmax(1) if count else values[:, 0])
        at += max(1, count)
    assert at == found.shape[1]
    return np.stack(columns, 1)


def test_rows_are_decoded_by_the_model(answers: Answers) -> None:
    """As by inverse_transform, unless a separate row model decodes for that."""
    fitted = answers.vae.fitted_
    codec, rows = fitted.codec, fitted.decode(decode(fitted.model, answers.codes))
    if not isinstance(codec, TableCodec):
        expected = ((rows.astype(float) - codec.low) / (codec.high - codec.low)).reshape(CODES, -1).clip(0, 1)
        step = 0.5 / (codec.high - codec.low) if rows.dtype == np.uint8 else 0.0  # whole grey values are rounded
        assert np.abs(answers.found["pixels"].reshape(CODES, -1) - expected).max() < step + CLOSE
        return
    table = pd.DataFrame(rows)
    found = answers.found["values"].reshape(CODES, -1)
    assert answers.told["fields"] == [codec.names[column] for column in kept(codec)]
    for f, column in enumerate(kept(codec)):
        check_column(codec, int(column), table.iloc[:, column], found[:, f], [row[f] for row in answers.told["texts"]])


def check_column(codec: TableCodec, column: int, expected: pd.Series, found: np.ndarray, texts: list[str]) -> None:
    scale, label = codec.scale[column], codec.dtypes[column]
    if codec.counts[column]:
        same = np.array(texts) == expected.astype(str).to_numpy()
        assert np.isnan(found).all() and same.mean() > 0.995  # single precision may settle a tie otherwise
    elif label.startswith("Time"):
        clock = [value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6 for value in expected]
        assert far(found.clip(0, 86399.999999), np.array(clock), scale) < CLOSE
    elif label.startswith("Duration"):
        assert far(found, expected.dt.total_seconds().to_numpy(), scale) < CLOSE
    elif label.startswith("Date"):
        naive = expected.dt.tz_convert("UTC").dt.tz_localize(None) if expected.dt.tz else expected
        assert far(found, naive.to_numpy().astype("datetime64[us]").astype(np.int64) / 1e6, scale) < CLOSE
    elif label.startswith(("Int", "UInt", "int", "uint")):
        assert np.abs(found - expected.astype(float)).max() < 0.5 + CLOSE * scale
    elif label.startswith(("Bool", "bool")):
        sure = np.abs(found - 0.5) > CLOSE
        assert ((found >= 0.5) == expected.to_numpy())[sure].all()
    else:
        assert far(found, expected.to_numpy(float), scale) < CLOSE


@torch.no_grad()
def test_texts_are_what_can_be(answers: Answers) -> None:
    codec = answers.vae.codec_
    if not isinstance(codec, TableCodec):
        pytest.skip("pictures have no texts")
    x = in_double(answers.vae, answers.codes).mean.squeeze(0).float()
    possible = pd.DataFrame(codec.decode(x, possible=True))
    for f, column in enumerate(kept(codec)):
        texts = [row[f] for row in answers.told["texts"]]
        expected = as_texts(codec, int(column), possible.iloc[:, column], texts)
        agree = [text == value for text, value in zip(texts, expected, strict=True)]
        assert np.mean(agree) > 0.99, (codec.names[column], [t for t, ok in zip(texts, agree, strict=True) if not ok][:5])


def as_texts(codec: TableCodec, column: int, values: pd.Series, like: list[str]) -> Iterator[str]:
    for value, text in zip(values, like, strict=True):
        if isinstance(value, pd.Timestamp):
            naive = value.tz_localize(None) if value.tz else value
            near = abs((pd.Timestamp(text) - naive).total_seconds()) <= 1 + CLOSE * codec.scale[column]
            yield text if near and len(text) > 10 else str(naive)[: len(text)]
        elif isinstance(value, datetime.time):
            yield text if text[:5] == str(value)[:5] else str(value)
        elif isinstance(value, pd.Timedelta):
            near = abs((pd.Timedelta(text.replace(",", "")) - value).total_seconds()) <= 1 + CLOSE * codec.scale[column]
            yield text if near else str(value)
        elif isinstance(value, (bool, np.bool_)):
            yield str(bool(value)).lower()
        elif isinstance(value, str) or codec.counts[column]:
            yield str(value)
        elif text.lstrip("-").replace(".", "", 1).isdigit():
            digits = len(text.partition(".")[2])
            near = abs(float(text) - float(value)) <= 0.5001 * 10**-digits + 1e-6 * codec.scale[column]
            yield text if near else str(value)
        else:
            yield str(value)


@torch.no_grad()
def test_laws_are_those_of_python(answers: Answers) -> None:
    vae = answers.vae
    if not isinstance(vae.codec_, TableCodec):
        pytest.skip("pixels have no laws of their own")
    px = in_double(vae, answers.codes)
    logits = logits_of(px)
    bins = bins_of(vae.codec_, vae.model_.likelihood)
    found = answers.found["laws"].reshape(CODES, sum(len(each.low) for each in bins))
    columns = np.split(found, np.cumsum([len(each.low) for each in bins])[:-1], axis=1)
    for f, (column, each, probability) in enumerate(zip(kept(vae.codec_), bins, columns, strict=True)):
        assert np.abs(probability.sum(1) - 1).max() < 1e-9
        if logits is not None:
            assert np.abs(probability - torch.softmax(logits[f], -1).squeeze(0).numpy()).max() < 1e-6
        elif (expected := cumulative(px, f, each, vae.codec_, int(column))) is not None:
            assert np.abs(probability.cumsum(1)[:, :-1] - expected[:, :-1]).max() < 1e-6
    assert np.allclose(np.array(answers.told["population"]), 1, atol=1e-6)


@torch.no_grad()
def test_laws_of_kinds_are_those_that_are_drawn_from(answers: Answers) -> None:
    vae, some, draws = answers.vae, 4, 20_000
    if vae.model_.likelihood.name != "heterogeneous":
        pytest.skip("other laws are compared exactly")
    bins = bins_of(vae.codec_, vae.model_.likelihood)
    found = answers.found["laws"].reshape(CODES, sum(len(each.low) for each in bins))[:some]
    columns = np.split(found, np.cumsum([len(each.low) for each in bins])[:-1], axis=1)
    drawn = vae.model_.decode(answers.codes[:some].expand(draws, -1, -1)).sample().double().numpy()
    for f, (column, each, probability) in enumerate(zip(kept(vae.codec_), bins, columns, strict=True)):
        values = drawn[..., f] * vae.codec_.scale[column] + vae.codec_.center[column]
        expected = np.stack([each.shares(values[:, code]) for code in range(some)])
        assert np.abs(probability - expected).max() < 0.03, vae.codec_.names[column]


def logits_of(px: Any) -> list[torch.Tensor] | None:
    """Of each column's bins; None where columns have none."""
    if not isinstance(px, AutoregressiveFields):
        return list(px.logits) if isinstance(px, HistogramFields) else None
    found: list[torch.Tensor] = []
    px.walk(lambda f, logits: (found.append(logits), px.part.expected(f, logits))[1])
    return found


def cumulative(px: Any, f: int, bins: ShownBins, codec: TableCodec, column: int) -> np.ndarray | None:
    """The distribution function at the upper ends of a column's bins, [codes, bins]."""
    x = (bins.high - codec.center[column]) / codec.scale[column]
    if bins.low[0] == bins.high[0]:
        return 1 - px.mean[0, :, f : f + 1].clamp(0, 1).numpy() + np.zeros(len(x)) if len(x) == 2 else None
    mean = px.mean[0, :, f : f + 1].numpy()
    if isinstance(px, (ContinuousBernoulliFields, HeterogeneousFields)):
        return None
    sigma = px.log_sigma.exp().expand(px.mean.shape[-1])[f].item()
    if isinstance(px, StudentTFields):
        return np.asarray(stats.t.cdf((x - mean) / sigma, px.df[f].item()))
    return np.asarray(stats.norm.cdf((x - mean) / sigma)) if isinstance(px, NormalFields) else None


def test_codes_are_those_of_python(answers: Answers) -> None:
    vae = answers.vae
    d = vae.latent_dim_
    mean, sd = (answers.found[name].reshape(-1, d) for name in ("mean", "sd"))
    expected = vae.transform(answers.data)
    assert far(mean, expected, expected.std(0)) < CLOSE
    rows = vae.codec_.encode(lt_read(vae, answers.data))
    with torch.no_grad():
        q = vae.model_.double().encode(rows.to("cpu", torch.float64))
        vae.model_.float()
    spread = q.deviation.numpy()
    assert far(sd, spread) < CLOSE
    print(f"\ncodes: {far(mean, expected, expected.std(0)):.1e}, their spread {far(sd, spread):.1e}")


def lt_read(vae: Any, data: Any) -> Any:
    return vae.fitted_.read(data)
