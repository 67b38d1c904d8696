"""Fitted models of every network, likelihood and kind of column, with weights that are no longer what was learnt."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch

import latente as lt
from latente.catalogue import VAE as PLAIN

N = 120
CHOICES: dict[str, Callable[[], tuple[lt.VAE, Any]]] = {}


def case(make: Callable[[], tuple[lt.VAE, Any]]) -> Callable[[], tuple[lt.VAE, Any]]:
    CHOICES[make.__name__] = make
    return make


def fitted(data: Any, recipe: Any = "vae", **arguments: Any) -> tuple[lt.VAE, Any]:
    """A model after one epoch, its weights shaken so that nothing in it is small or regular."""
    how: dict[str, Any] = {"latent_dim": 3, "max_epochs": 1, "random_state": 0, **arguments}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        vae = lt.VAE(recipe, **how).fit(data)
    return shaken(vae), data


def shaken(vae: lt.VAE) -> lt.VAE:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weights in vae.model_.parameters():
            spread = 0.5 * float(weights.std()) if weights.numel() > 1 else 0.0
            weights.add_((spread or 0.05) * torch.randn(weights.shape, generator=generator))
    return vae


def numbers(holes: bool = False) -> np.ndarray:
    random = np.random.default_rng(0)
    x = random.normal(size=(N, 3)) @ random.normal(size=(3, 6)) * [1, 10, 0.01, 1e4, 1, 1] + [0, 5, 0, 1e5, -3, 0]
    if holes:
        x[random.random(x.shape) < 0.2] = np.nan
    return x


def frame(holes: bool = False) -> pd.DataFrame:
    """Every kind of column."""
    random = np.random.default_rng(0)
    hidden = random.normal(size=N)
    moments = pd.to_datetime("2021-03-04 05:06:07") + pd.to_timedelta(random.integers(0, 40_000_000, N), "s")
    table = pd.DataFrame(
        {
            "real": hidden + random.normal(size=N),
            "positive": np.exp(hidden),
            "price": np.where(hidden > 0.5, 9.99, np.round(20 + 5 * hidden, 2)),
            "count": random.poisson(60 + 10 * np.exp(hidden / 2)),
            "integer": random.integers(-50, 50, N) + (5 * hidden).astype(int),
            "ordinal": random.integers(0, 4, N),
            "zeros": np.where(random.random(N) < 0.5, 0.0, random.exponential(size=N)),
            "truth": pd.array(hidden > 0, "boolean" if holes else bool),
            "binary": (hidden > 1).astype(int),
            "yes": np.where(hidden > -0.5, "yes", "no"),
            "colour": np.array(["red", "green", "blue", "ñandú"])[random.integers(0, 4, N)],
            "day": pd.to_datetime("2024-01-01") + pd.to_timedelta(random.integers(0, 300, N), "D"),
            "moment": moments,
            "zoned": moments.tz_localize("Europe/Madrid"),
            "time": (pd.to_timedelta(random.integers(20_000, 80_000, N), "s") + pd.Timestamp("2000-01-01")).time,
            "lasting": pd.to_timedelta(random.integers(0, 400_000, N), "s"),
            "single": hidden.astype(np.float32),
            "always": 7,
            "number": [f"row {i}" for i in range(N)],
        }
    )
    if holes:
        for name in table.columns[:13]:
            table[name] = table[name].mask(random.random(N) < 0.15)
    return table


def pictures(*shape: int, binary: bool = False) -> np.ndarray:
    random = np.random.default_rng(0)
    pixels = random.random((40, *shape))
    return (pixels > 0.5).astype(float) if binary else (255 * pixels).astype(np.uint8)


@case
def matrix() -> tuple[lt.VAE, Any]:
    return fitted(numbers())


@case
def matrix_of_given_widths() -> tuple[lt.VAE, Any]:
    return fitted(numbers(), hidden=(7, 5))


@case
def matrix_without_layers() -> tuple[lt.VAE, Any]:
    return fitted(numbers(), hidden=())


@case
def matrix_with_holes() -> tuple[lt.VAE, Any]:
    return fitted(numbers(holes=True))


@case
def matrix_whose_decoder_skips() -> tuple[lt.VAE, Any]:
    decoder = lt.choose("mlp-decoder", skip=True, linear=True)
    return fitted(numbers(), replace(PLAIN, decoder=decoder))


@case
def autoencoder() -> tuple[lt.VAE, Any]:
    return fitted(numbers(), "autoencoder")


@case
def shared_sigma() -> tuple[lt.VAE, Any]:
    return fitted(numbers(), "sigma-vae")


@case
def fixed_sigma() -> tuple[lt.VAE, Any]:
    return fitted(numbers(), likelihood=lt.choose("normal", sigma=0.7))


@case
def student() -> tuple[lt.VAE, Any]:
    return fitted(numbers(), likelihood="student-t")


@case
def bernoulli() -> tuple[lt.VAE, Any]:
    return fitted((numbers() > numbers().mean(0)).astype(np.uint8))


@case
def continuous_bernoulli() -> tuple[lt.VAE, Any]:
    return fitted((numbers() > numbers().mean(0)).astype(float), likelihood="continuous-bernoulli")


@case
def measures_in_a_frame() -> tuple[lt.VAE, Any]:
    return fitted(pd.DataFrame(numbers(), columns=[*"abcdef"]).round(3))


@case
def one_dimension() -> tuple[lt.VAE, Any]:
    return fitted(numbers(), latent_dim=1)


@case
def mixed() -> tuple[lt.VAE, Any]:
    return fitted(frame())


@case
def mixed_with_holes() -> tuple[lt.VAE, Any]:
    return fitted(frame(holes=True))


@case
def mixed_autoencoder() -> tuple[lt.VAE, Any]:
    return fitted(frame(), "autoencoder", latent_dim=2)


@case
def mixed_of_normals() -> tuple[lt.VAE, Any]:
    table = frame().drop(columns="colour")
    return fitted(table, replace(PLAIN, encoder=lt.choose("mlp-encoder")), likelihood="normal")


@case
def autoregressive() -> tuple[lt.VAE, Any]:
    return fitted(frame(), likelihood=lt.choose("autoregressive", width=24))


@case
def hi_vae() -> tuple[lt.VAE, Any]:
    return fitted(frame(holes=True).assign(ordered=ordered()), "hi-vae")


@case
def hi_vae_of_many_rows() -> tuple[lt.VAE, Any]:
    return fitted(pd.concat([frame()] * 12, ignore_index=True).drop(columns="number"), "hi-vae")


@case
def hi_vae_of_a_matrix() -> tuple[lt.VAE, Any]:
    return fitted(numbers(), "hi-vae")


def ordered() -> pd.Categorical:
    places = np.random.default_rng(1).integers(0, 3, N)
    return pd.Categorical.from_codes(places, ["low", "middle", "high"], ordered=True)


@case
def many_rows_in_cells() -> tuple[lt.VAE, Any]:
    return fitted(pd.concat([frame()] * 12, ignore_index=True).drop(columns="number"), latent_dim=4)


@case
def small_pictures() -> tuple[lt.VAE, Any]:
    return fitted(pictures(8, 8))


@case
def small_binary_pictures() -> tuple[lt.VAE, Any]:
    return fitted(pictures(7, 5, binary=True))


@case
def convolutions() -> tuple[lt.VAE, Any]:
    return fitted(pictures(28, 28), latent_dim=5)


@case
def convolutions_in_colour() -> tuple[lt.VAE, Any]:
    return fitted(pictures(17, 21, 3))


@case
def convolutions_that_skip() -> tuple[lt.VAE, Any]:
    return fitted(pictures(16, 19), replace(PLAIN, decoder=lt.choose("conv-decoder", skip=True)), likelihood="student-t")


@case
def convolutions_of_binary_pictures() -> tuple[lt.VAE, Any]:
    return fitted(pictures(20, 16, binary=True))


@case
def continuous_bernoulli_pictures() -> tuple[lt.VAE, Any]:
    return fitted(pictures(16, 16), likelihood="continuous-bernoulli")
