"""Laws of columns of several kinds, against SciPy and torch, and of the mixture for a prior."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats
from torch import Tensor

import latente as lt
from latente.model.codes import DiagonalNormal
from latente.model.column_distributions import (
    DISTRIBUTIONS,
    Column,
    ColumnDistribution,
    CountDistribution,
    Hurdle,
    NormalDistribution,
    columns_of,
    log_between,
)
from latente.model.heterogeneous import Heterogeneous
from latente.model.priors import NormalMixturePrior
from latente.rows import Field, Rows, ValueGrid
from latente.seeding import seeded

# Values from 0 to 3 of a column with mean 2 and deviation 0.5: encoded, 0 is at -4, and a step of 1 is 2 wide.
GRID = ValueGrid(zero=-4.0, unit=2.0, step=2.0, low=-4.0, high=20.0)
POSITIVE = ValueGrid(zero=-4.0, unit=2.0, step=0.0, low=-3.0, high=40.0)
LEVELS = (0.0, 1.0, 2.0, 3.0)
COLUMNS = {
    "normal": Column("normal"),
    "log-normal": Column("log-normal", grid=POSITIVE),
    "rounded-normal": Column("rounded-normal", grid=GRID),
    "rounded-log-normal": Column("rounded-log-normal", grid=GRID._replace(low=-2.0)),
    "count": Column("count", grid=GRID),
    "levels": Column("levels", LEVELS),
    "ordered-levels": Column("ordered-levels", LEVELS),
    "ordered": Column("ordered", LEVELS),
    "binary": Column("binary", (0.0, 1.0)),
}
ATOM = {
    "count at 0": Column("count", grid=GRID._replace(atom=-4.0)),
    "count at 3": Column("count", grid=GRID._replace(atom=2.0)),
    "rounded": Column("rounded-normal", grid=GRID._replace(atom=0.0)),
    "log-normal": Column("log-normal", grid=POSITIVE._replace(atom=-3.0)),
    "normal": Column("normal", grid=ValueGrid(atom=0.25)),
}


def law_of(column: Column) -> ColumnDistribution:
    """A law with something learned in it."""
    with seeded(1):
        law = (Hurdle if column.grid[-1] is not None else DISTRIBUTIONS[column.family])([column]).double()
        rest = law.rest if isinstance(law, Hurdle) else law
        values = torch.tensor(column.values or [-2.0, 0.0, 0.0, 2.0, 4.0, 6.0]).double()
        law.start([values[torch.randint(len(values), (200,))]], torch.full((1,), 0.3).double())
        if isinstance(rest, NormalDistribution):
            rest.center.add_(0.1)
    return law.requires_grad_(False)


def theta_of(law: ColumnDistribution, n: int = 1) -> Tensor:
    with seeded(2):
        return (0.5 * torch.randn(1, 1, law.outputs, dtype=torch.float64)).expand(1, n, -1)


def every_value(column: Column) -> Tensor | None:
    """All values that have a probability; None where there is a density."""
    if column.values:
        return torch.tensor(column.values).double()
    step = column.grid[2]
    first = -4.0 if "log" not in column.family else -2.0
    reach = torch.arange(-400 if column.family == "rounded-normal" else 0, 4000)
    return first + step * reach.double() if step else None


@pytest.mark.parametrize("column", [*COLUMNS.values(), *ATOM.values()], ids=[*COLUMNS, *(f"{name}, hurdle" for name in ATOM)])
def test_probabilities_add_up_to_one(column: Column) -> None:
    law, values = law_of(column), every_value(column)
    if values is not None:
        total = law.log_prob(theta_of(law, len(values)), values.unsqueeze(1)).exp().sum()
        assert float(total) == pytest.approx(1.0, abs=1e-6)
        return
    x = torch.linspace(-60.0, 400.0, 2_000_001, dtype=torch.float64) + 1e-7
    density = law.log_prob(theta_of(law, len(x)), x.unsqueeze(1)).exp().sum() * (x[1] - x[0])
    if isinstance(law, Hurdle):
        density = density + law.log_prob(theta_of(law), law.rest.atom.view(1, 1)).exp().sum()
    assert float(density) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize("column", [*COLUMNS.values(), *ATOM.values()], ids=[*COLUMNS, *(f"{name}, hurdle" for name in ATOM)])
def test_draws_have_the_probabilities_that_are_said(column: Column) -> None:
    law, n = law_of(column), 40_000
    with seeded(0):
        drawn = law.sample(theta_of(law, n))[0, :, 0]
    values = every_value(column)
    if values is None:
        atom = law.rest.atom if isinstance(law, Hurdle) else torch.tensor(math.nan)
        rest = drawn[drawn != atom]
        x = torch.linspace(-60.0, 400.0, 2_000_001, dtype=torch.float64) + 1e-7
        density = law.log_prob(theta_of(law, len(x)), x.unsqueeze(1)).exp()[0, :, 0] * (x[1] - x[0])
        for level in (0.1, 0.5, 0.9):
            place = x[torch.searchsorted(density.cumsum(0), level * density.sum())]
            low, high = column.grid[3:5]
            if (low is None or low < place) and (high is None or place < high):
                assert float((rest <= place).double().mean()) == pytest.approx(level, abs=0.02)
        return
    said = law.log_prob(theta_of(law, len(values)), values.unsqueeze(1)).exp()[0, :, 0]
    inside = (values > -1e9) if column.values else (values > column.grid[3]) & (values < column.grid[4])
    found = torch.stack([(drawn - value).abs().lt(1e-3).double().mean() for value in values[inside]])
    assert float((found - said[inside]).abs().max()) < 5 * math.sqrt(0.25 / n)


@pytest.mark.parametrize("column", [*COLUMNS.values(), *ATOM.values()], ids=[*COLUMNS, *(f"{name}, hurdle" for name in ATOM)])
def test_draws_can_be_and_have_the_mean(column: Column) -> None:
    law, n = law_of(column), 40_000
    with seeded(0):
        drawn = law.sample(theta_of(law, n))
    mean = float(law.mean(theta_of(law))[0, 0, 0])
    low, high, step = column.grid[3], column.grid[4], column.grid[2]
    if column.values:
        assert set(drawn.flatten().tolist()) <= set(column.values)
        if law.nominal:
            assert mean == float(drawn.mode(1).values)
            return
    elif low is not None:
        assert bool(((drawn >= low) & (drawn <= high)).all())
        assert not step or float(((drawn - low) / step % 1).abs().max()) < 1e-6
    assert float(drawn.mean()) == pytest.approx(mean, abs=0.15 * max(1.0, float(drawn.std())))


def test_nothing_is_drawn_again_once_no_value_is_the_one_that_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    law, draws = law_of(ATOM["count at 3"]), iter([2.0, 2.0, 4.0])
    assert isinstance(law, Hurdle)
    monkeypatch.setattr(law.rest, "sample", lambda theta: torch.full_like(theta, next(draws)))
    assert set(law.sample(theta_of(law, 100)).flatten().tolist()) == {2.0, 4.0}
    assert next(draws, None) is None


def test_they_are_what_scipy_has() -> None:
    x = np.array([-2.0, 0.0, 4.0])
    values = torch.tensor(x).unsqueeze(1)
    for name in ("normal", "log-normal", "rounded-normal"):
        law = law_of(COLUMNS[name])
        theta = theta_of(law, 3)
        loc, sigma = float(law.loc(theta)[0, 0, 0]), float(law.log_sigma.exp())
        v = (x + 4) / 2
        expected = {
            "normal": stats.norm(loc, sigma).logpdf(x),
            "log-normal": stats.lognorm(sigma, scale=math.exp(loc)).logpdf(v) - math.log(2),
            "rounded-normal": np.log(stats.norm(loc, sigma).cdf(x + 1) - stats.norm(loc, sigma).cdf(x - 1)),
        }[name]
        np.testing.assert_allclose(law.log_prob(theta, values)[0, :, 0], expected, rtol=1e-5)
    count = law_of(COLUMNS["count"])
    assert isinstance(count, CountDistribution)
    mean, r = float(count.log_mean(theta_of(count))[0, 0, 0].exp()), float(count.dispersion)
    found = count.log_prob(theta_of(count, 3), values)[0, :, 0]
    np.testing.assert_allclose(found, stats.nbinom(r, r / (r + mean)).logpmf((x + 4) / 2), rtol=1e-5)
    large = torch.tensor([[1e6 * 2 - 4.0]])
    single = CountDistribution([COLUMNS["count"]])
    single.base.fill_(math.log(1e6))
    said = stats.nbinom(1, 1 / (1 + 1e6)).logpmf(1e6)
    assert float(single.log_prob(torch.zeros(1, 1, 1), large).detach()) == pytest.approx(said, abs=1e-3)


def test_ordered_levels_are_a_cumulative_logit() -> None:
    law = law_of(COLUMNS["ordered"])
    theta = theta_of(law)
    thresholds = torch.cat([law.lowest, law.lowest + torch.nn.functional.softplus(law.gaps).cumsum(0)]) - theta
    reached = law.log_probabilities(theta).exp().cumsum(-1)[..., :-1]
    torch.testing.assert_close(reached, torch.sigmoid(thresholds))


@pytest.mark.parametrize("at", [0.0, 5.0, 30.0, 300.0])
def test_a_probability_in_the_tail_has_a_gradient(at: float) -> None:
    low = torch.tensor([at, -at - 1], dtype=torch.float64, requires_grad=True)
    value = log_between(low, low + 1)
    value.sum().backward()
    assert torch.isfinite(value).all() and torch.isfinite(low.grad).all()
    expected = stats.norm.logsf(at) + np.log1p(-np.exp(stats.norm.logsf(at + 1) - stats.norm.logsf(at)))
    np.testing.assert_allclose(value.detach(), [expected, expected], rtol=1e-6)


# -- the likelihood of all columns together -----------------------------------------------------------------------------


def together() -> tuple[Heterogeneous, Rows]:
    """Every law at once, in an order in which groups are torn apart."""
    columns = [*COLUMNS.values(), *ATOM.values(), *COLUMNS.values()]
    generator = torch.Generator().manual_seed(0)
    x = torch.stack([torch.tensor(c.values or [-2.0, 0.0, 0.0, 2.0, 4.0])[
        torch.randint(len(c.values or range(5)), (400,), generator=generator)] for c in columns], 1)  # fmt: skip
    mask = torch.rand(x.shape, generator=generator) < 0.8
    part = Heterogeneous((len(columns),), columns)
    part.start(Rows(x * mask, mask), torch.full((len(columns),), 0.5), torch.zeros(len(columns)))
    return part, Rows(x * mask, mask)


def test_each_column_has_its_own_law_wherever_it_stands() -> None:
    part, rows = together()
    theta = 0.3 * torch.randn(2, len(rows), part.outputs)
    value = part(theta).log_prob(rows.x, rows.mask)
    assert value.shape == (2, len(rows), part.size) and torch.isfinite(value).all()
    assert rows.mask is not None and not value[:, ~rows.mask].any()
    drawn = part(theta).sample()
    assert drawn.shape == value.shape
    for f, column in enumerate([*COLUMNS.values(), *ATOM.values(), *COLUMNS.values()]):
        if column.values:
            assert set(drawn[..., f].flatten().tolist()) <= set(column.values)
    dense = part.densities(rows.x)
    assert dense[:, 0].all() and dense[:, 1].all() and not dense[:, 2:9].any()
    assert torch.equal(dense[:, 12], rows.x[:, 12] != -3.0)


def test_a_theta_of_nothing_is_the_independent_column_and_all_weigh_the_same() -> None:
    part, rows = together()
    theta = torch.zeros(1, len(rows), part.outputs, requires_grad=True)
    (gradient,) = torch.autograd.grad(part(theta).row_log_prob(rows.x, rows.mask).sum(), theta)
    each = torch.zeros(part.size).index_add(0, part.owner, gradient[0].square().mean(0)).sqrt()
    torch.testing.assert_close(each, torch.ones(part.size), atol=1e-3, rtol=1e-3)
    alone = part.baseline_log_prob(rows, rows)
    full = Heterogeneous((part.size,), part.arguments["columns"])
    full.start(rows, torch.ones(part.size), torch.zeros(part.size))
    torch.testing.assert_close(alone, full(theta.detach()).row_log_prob(rows.x, rows.mask)[0].detach())


def test_kinds_have_their_laws() -> None:
    recorded = ValueGrid(zero=-1.0, unit=0.1, step=0.1, low=-1.0, high=3.0)
    fine, rest = recorded._replace(step=0.001), recorded._replace(atom=-1.0, step=0.0)
    fields = (
        Field("a", "real", grid=recorded._replace(step=0.0)), Field("b", "real", grid=recorded),
        Field("c", "positive", grid=fine), Field("d", "count", grid=recorded), Field("e", "binary"),
        Field("f", "categorical", levels=3), Field("g", "categorical", levels=3, ordered=True),
        Field("h", "ordinal", grid=recorded), Field("i", "ordinal", grid=fine), Field("j", "real", grid=rest),
        Field("image", "image", (1, 2, 2)),
    )  # fmt: skip
    laws = [column.family for column in columns_of(fields)]
    assert laws[:10] == [
        "normal", "rounded-normal", "log-normal", "count", "binary", "levels", "ordered-levels", "ordered", "normal",
        "log-normal",
    ]  # fmt: skip
    assert laws[10:] == ["normal"] * 4


# -- a mixture for a prior ----------------------------------------------------------------------------------------------


def test_the_mixture_is_that_of_torch_and_its_rate_a_bound() -> None:
    with seeded(0):
        prior = NormalMixturePrior(2, 3).requires_grad_(False)
        prior.logits.normal_(), prior.log_variance.normal_()
        p = prior()
        z = torch.randn(7, 5, 2)
        drawn = p.rsample((50_000,))
    components = torch.distributions.Independent(torch.distributions.Normal(prior.loc, (prior.log_variance / 2).exp()), 1)
    theirs = torch.distributions.MixtureSameFamily(torch.distributions.Categorical(logits=prior.logits), components)
    torch.testing.assert_close(p.log_prob(z), theirs.log_prob(z))
    torch.testing.assert_close(drawn.mean(0), theirs.mean, atol=0.03, rtol=0)
    torch.testing.assert_close(drawn.var(0), theirs.variance, atol=0.1, rtol=0.05)
    q = DiagonalNormal(torch.randn(4, 2), 0.5 * torch.randn(4, 2))
    with seeded(1):
        draws = q.rsample((100_000,))
    exact = (q.log_prob(draws) - p.log_prob(draws)).mean(0)
    rate = torch.distributions.kl_divergence(q, p)
    assert rate.shape == (4,) and bool((rate >= exact - 0.02).all())
    alone = [NormalMixturePrior(2, 1) for _ in range(3)]
    for s, each in enumerate(alone):
        each.loc.data, each.log_variance.data = prior.loc[s : s + 1], prior.log_variance[s : s + 1]
    nearest = torch.stack([torch.distributions.kl_divergence(q, each()) for each in alone], 1)
    assert bool((rate <= (nearest - torch.log_softmax(prior.logits, 0)).min(1).values).all())
    kept = NormalMixturePrior(2, 3)
    kept.load_state_dict(prior.state_dict())
    kept.select_units(torch.tensor([1]))
    assert kept().rsample((4,)).shape == (4, 1) and kept.arguments["latent_dim"] == 1


# -- HI-VAE, from end to end --------------------------------------------------------------------------------------------


def rows(n: int = 500) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    kind = generator.integers(0, 3, n)
    gain = np.where(generator.random(n) < 0.6, 0.0, np.round(generator.lognormal(kind, 0.3), 3) + 1)
    frame = pd.DataFrame(
        {
            "kind": np.array(["ant", "bee", "cat"])[kind],
            "size": pd.Categorical(np.array(["S", "M", "L"])[kind], ["S", "M", "L"], ordered=True),
            "x": generator.normal(3.0 * kind),
            "price": generator.lognormal(kind, 0.2),
            "visits": generator.poisson(np.exp(kind + 1.0)),
            "grade": np.clip(kind * 2 + generator.integers(0, 3, n), 1, 6),
            "gain": gain,
            "yes": generator.random(n) < 0.2 + 0.3 * kind,
        }
    )
    return frame.mask(generator.random(frame.shape) < 0.1)


@pytest.mark.filterwarnings("ignore::latente.LatenteWarning")
def test_hi_vae_serves_every_use(tmp_path) -> None:
    frame = rows()
    vae = lt.VAE("hi-vae", max_epochs=40, random_state=0).fit(frame)
    assert vae.row_model_ is vae.model_ and vae.figures_["gain_over_independent_columns"] > 0.5
    drawn = vae.sample(800)
    for name in ("kind", "size", "grade", "yes", "visits"):
        seen = frame[name].dropna()
        if name == "visits":
            assert drawn[name].between(seen.min(), seen.max()).all() and (drawn[name] % 1 == 0).all()
        else:
            assert set(drawn[name]) <= set(seen)
    assert (drawn["price"] > 0).all() and 0.4 < (drawn["gain"] == 0).mean() < 0.8
    assert list(drawn["size"].cat.categories) == ["S", "M", "L"]
    whole = vae.impute(frame)
    assert not whole.isna().any(axis=None) and np.isfinite(vae.score_samples(frame)).all()
    parts = vae.score_parts(frame)
    np.testing.assert_allclose(parts.sum(axis=1), vae.score_samples(frame), rtol=1e-9)
    again = lt.load(vae.save(tmp_path / "m.safetensors"))
    assert again.sample(20).equals(vae.sample(20))
    assert set(vae.sample(20, given={"kind": "bee"})["kind"]) == {"bee"}


def test_the_score_of_hi_vae_is_in_the_units_of_the_data() -> None:
    """Twice the unit, half the density of what is continuous: of a number, of a positive one, of the rest beside an atom."""
    frame = rows()[["x", "price", "gain", "kind"]].dropna()
    frames = [frame.assign(**{name: frame[name] * unit for name in ("x", "price", "gain")}) for unit in (1.0, 2.0)]
    scores = [lt.VAE("hi-vae", max_epochs=2, random_state=0).fit(each).score_samples(each) for each in frames]
    expected = np.log(2) * (2 + (frame["gain"].to_numpy() != 0))
    np.testing.assert_allclose(scores[0] - scores[1], expected, atol=2e-2)
