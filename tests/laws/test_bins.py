"""Laws of columns whose values stand in bins: what is cut, what is drawn, and what it costs."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import latente.blueprint  # noqa: F401  (registers every part)
from latente.data.bins import MAX_BINS, cut
from latente.model.autoregressive import Autoregressive, RowDropout
from latente.model.bins import BinTable, HistogramFields, HistogramLikelihood, IndependentHistograms, log_softmax_at
from latente.rows import Bins, Rows
from latente.seeding import seeded

# A number with an atom at 0 and two stretches, three levels, and a count of which the last bin holds 4 to 7.
BINS = (
    Bins((-1.0, 0.0, 0.2), (-0.2, 0.0, 2.0), (0, 1, 0), (9, 9, 9)),
    Bins((0.0, 1.0, 2.0), (0.0, 1.0, 2.0), (1, 1, 1), (0, 0, 0)),
    Bins((0.0, 1.0, 3.5), (0.0, 1.0, 7.5), (1, 1, 4), (9, 9, 9)),
)
VALUES = ([-0.5, 0.0, 1.5], [0.0, 1.0, 2.0], [0.0, 1.0, 5.0])


def likelihood_of(kind: type[HistogramLikelihood], **changes: object) -> HistogramLikelihood:
    with seeded(3):
        part = kind((3,), BINS, (0, 3, 0), **changes)  # type: ignore[arg-type]
        for parameter in part.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
    return part.eval()


def theta_of(part: HistogramLikelihood, K: int = 2, B: int = 5) -> torch.Tensor:
    with seeded(4):
        return torch.randn(K, B, part.outputs)


def rows_of(n: int) -> Rows:
    generator = np.random.default_rng(1)
    x = np.stack([generator.choice(values, n) for values in VALUES], 1).astype(np.float32)
    mask = torch.from_numpy(generator.random((n, 3)) < 0.7)
    return Rows(torch.from_numpy(x) * mask, mask)


BOTH = pytest.mark.parametrize("kind", [IndependentHistograms, Autoregressive])


@BOTH
def test_probabilities_of_all_rows_add_up_to_one(kind: type[HistogramLikelihood]) -> None:
    part = likelihood_of(kind)
    every = torch.tensor([[a, b, c] for a in VALUES[0] for b in VALUES[1] for c in VALUES[2]])
    theta = theta_of(part, 1, 1).expand(1, len(every), -1)
    sizes = part.bins.log_size_of(every, part.bins.index(every)).sum(1)
    total = torch.logsumexp(part(theta).row_log_prob(every)[0] + sizes, 0)
    assert float(total.detach()) == pytest.approx(0.0, abs=1e-5)


@BOTH
@torch.no_grad()
def test_values_that_were_never_seen_have_the_probability_that_is_left(kind: type[HistogramLikelihood]) -> None:
    part = kind(
        (1,), [Bins((0.0, 7.0, 100.0, 150.5), (0.0, 7.0, 100.0, 160.5), (1, 1, 1, 10), (9, 9, 9, 9))], (), (1.0,)
    ).eval()
    x = torch.arange(-4000.0, 4001.0).unsqueeze(1)
    p = part(theta_of(part, 1, 1).expand(1, len(x), -1)).log_prob(x)[0, :, 0].exp()
    seen = (x == 0) | (x == 7) | (x == 100) | ((x > 150) & (x < 161))
    left = 2 / 37
    assert float(p[seen[:, 0]].sum()) == pytest.approx(1 - left, abs=1e-4)
    assert 0.6 * left < float(p[~seen[:, 0]].sum()) < left
    assert float(p[~seen[:, 0]].max()) < float(p[seen[:, 0]].min())
    assert not part.densities(x).any()


@BOTH
@torch.no_grad()
def test_densities_integrate_to_at_most_one_with_gaps_and_beyond(kind: type[HistogramLikelihood]) -> None:
    bins = Bins((-1.0, 0.0, 0.2), (-0.2, 0.0, 2.0), (0, 1, 0), (9, 9, 9))
    part = kind((1,), [bins]).eval()
    x = torch.linspace(-60, 60, 600_001).unsqueeze(1)
    x[300_000] = 1e-3  # beside the atom, which has a probability and no density
    p = part(theta_of(part, 1, 1).expand(1, len(x), -1)).log_prob(x)[0, :, 0].exp()
    atom = part(theta_of(part, 1, 1)).log_prob(torch.zeros(1, 1)).exp().squeeze()
    assert float(p.sum() * (x[1] - x[0]) + atom) == pytest.approx(1.0, abs=0.01)
    assert part.densities(x).all() and not part.densities(torch.zeros(1, 1)).any()


@BOTH
@pytest.mark.parametrize("holes", [False, True])
def test_with_and_without_gradients_it_is_the_same(kind: type[HistogramLikelihood], holes: bool) -> None:
    part, rows = likelihood_of(kind), rows_of(5)
    theta, mask = theta_of(part), rows.mask if holes else None
    with torch.no_grad():
        alone = part(theta).log_prob(rows.x, mask)
    torch.testing.assert_close(part(theta).log_prob(rows.x, mask).detach(), alone)
    assert alone.shape == (2, 5, 3)
    if holes:
        assert rows.mask is not None and not alone[:, ~rows.mask].any()


@BOTH
@torch.no_grad()
def test_what_is_drawn_has_the_probabilities_that_are_said(kind: type[HistogramLikelihood]) -> None:
    part, n = likelihood_of(kind), 40_000
    theta = theta_of(part, 1, 1).expand(1, n, -1)
    with seeded(0):
        drawn = part(theta).sample()[0]
    every = torch.tensor([[a, b, c] for a in VALUES[0] for b in VALUES[1] for c in VALUES[2]])
    table = BinTable(BINS, (False, True, False))
    said = (part(theta[:, : len(every)]).row_log_prob(every)[0] + table.log_size_of(every, table.index(every)).sum(1)).exp()
    keys = (table.index(drawn) * torch.tensor([9, 3, 1])).sum(1)
    found = torch.bincount(keys, minlength=27) / n
    assert float((found - said).abs().max()) < 5 * math.sqrt(0.25 / n)
    assert bool(((drawn[:, 0] >= -1) & (drawn[:, 0] <= 2)).all())
    assert set(drawn[:, 1].tolist()) <= {0.0, 1.0, 2.0}


@BOTH
@torch.no_grad()
def test_the_mean_of_numbers_is_that_of_draws(kind: type[HistogramLikelihood]) -> None:
    part = likelihood_of(kind)
    theta = theta_of(part, 1, 1)
    with seeded(0):
        drawn = part(theta.expand(1, 40_000, -1)).sample()[0, :, 0]
    assert float(drawn.mean()) == pytest.approx(float(part(theta).mean[0, 0, 0]), abs=0.02)


@BOTH
@torch.no_grad()
def test_completions_keep_what_was_seen_and_weigh_it(kind: type[HistogramLikelihood]) -> None:
    part, rows = likelihood_of(kind), rows_of(6)
    px = part(theta_of(part, 3, 6))
    with seeded(0):
        found = px.conditioned(rows.x, rows.mask)
        whole = px.conditioned(rows.x, None)
    torch.testing.assert_close(whole.log_weight, px.row_log_prob(rows.x))
    assert rows.mask is not None
    assert found.sample().shape == (3, 6, 3) and found.average(torch.full((3, 6), 1 / 3)).shape == (6, 3)
    if kind is Autoregressive:
        assert torch.equal(found.sample()[:, rows.mask], rows.x[rows.mask].expand(3, -1))


def test_holes_are_filled_in_from_what_stands_behind_them() -> None:
    """The first column follows from the last: after training in any order, also against the order of the columns."""
    part = Autoregressive((3,), BINS, (0, 3, 0), dropout=0.0)
    x = rows_of(512).x
    x[:, 0] = torch.where(x[:, 2] > 2, 1.5, -0.5)
    optimiser, theta = torch.optim.Adam(part.parameters(), 5e-3), torch.zeros(1, 512, part.outputs)
    with seeded(0):
        for _ in range(200):
            optimiser.zero_grad()
            (-part.train()(theta).row_log_prob(x).mean()).backward()
            optimiser.step()
        mask = torch.ones(512, 3, dtype=torch.bool)
        mask[:, 0] = False
        with torch.no_grad():
            law = part.eval()(torch.zeros(1, 1, 1).expand(16, 512, part.outputs)).conditioned(x, mask)
    drawn = law.sample()[..., 0]
    assert float(((drawn > 0) == (x[:, 0] > 0)).float().mean()) > 0.97
    assert float((law.average(torch.full((16, 512), 1 / 16))[:, 0] - x[:, 0]).abs().mean()) < 0.7


@BOTH
@torch.no_grad()
def test_rows_within_intervals_and_their_weights(kind: type[HistogramLikelihood]) -> None:
    part, n = likelihood_of(kind), 40_000
    given = {0: [(0.5, 1.0)], 1: [(0.0, 0.0), (2.0, 2.0)], 2: [(1.0, 5.0)]}
    px = part(theta_of(part, 1, 1).expand(1, n, -1))
    with seeded(0):
        free = px.sample()[0]
        drawn, log_weight = (value[0] for value in px.restricted(given))
    # A count is whole only once the codec has rounded it: 5 stands for what lies between 4.5 and 5.5.
    fits = (free[:, 0] >= 0.5) & (free[:, 0] <= 1.0) & (free[:, 1] != 1.0) & (free[:, 2] >= 1.0) & (free[:, 2] <= 5.0)
    weight = log_weight.exp()
    assert float(weight.mean()) == pytest.approx(float(fits.float().mean()), rel=0.2, abs=0.01)
    kept = drawn[weight > 0]
    assert bool(((kept[:, 0] >= 0.49) & (kept[:, 0] <= 1.01) & (kept[:, 1] != 1.0) & (kept[:, 2] >= 0.99)).all())


def test_holes_are_learnt_and_drawn_in_the_same_rows() -> None:
    part = Autoregressive((3,), BINS, (0, 3, 0), missing=(True, False, True), dropout=0.0)
    x = rows_of(256).x
    mask = torch.ones(256, 3, dtype=torch.bool)
    mask[:64, 0] = mask[:64, 2] = False  # a quarter of the rows lacks both
    optimiser, theta = torch.optim.Adam(part.parameters(), 1e-2), torch.zeros(1, 256, part.outputs)
    with seeded(0):
        for _ in range(150):
            optimiser.zero_grad()
            (-part.train()(theta).row_log_prob(x * mask, mask).mean()).backward()
            optimiser.step()
        with torch.no_grad():
            seen = part.eval()(torch.zeros(1, 4000, part.outputs)).with_missing(torch.zeros(3))[1][0]
    assert bool(seen[:, 1].all())
    assert float((~seen[:, 0]).float().mean()) == pytest.approx(0.25, abs=0.08)
    assert float((seen[:, 0] == seen[:, 2]).float().mean()) > 0.9


def test_a_value_beyond_all_cells_is_ever_less_likely() -> None:
    part = likelihood_of(IndependentHistograms)
    x = torch.tensor([[2.0, 0.0, 0.0], [3.0, 0.0, 0.0], [30.0, 0.0, 0.0]])
    logs = part(theta_of(part, 1, 1).expand(1, 3, -1)).row_log_prob(x)[0]
    assert logs[0] > logs[1] > logs[2] and bool(torch.isfinite(logs).all())


columns = st.lists(st.integers(-50, 50), min_size=2, max_size=400).map(lambda values: np.array(values, np.float64))


@given(columns, st.sampled_from([0.0, 1.0]))
@settings(deadline=None)
def test_cells_hold_every_value_once(values: NDArray[np.float64], step: float) -> None:
    low, high, rows = cut(values, step)
    assert rows.sum() == len(values) and len(low) == len(high) <= max(MAX_BINS, 2 * len(np.unique(values)))
    assert (low <= high).all() and (low[1:] >= high[:-1] - 1e-9).all()
    inside = (values[:, None] >= low) & (values[:, None] <= high)
    assert inside.any(1).all()
    alone = low == high
    assert set(low[alone]) <= set(values)


def test_values_that_repeat_stand_alone() -> None:
    generator = np.random.default_rng(0)
    values = np.concatenate([np.zeros(5000), generator.exponential(size=5000), np.full(300, 1.0)])
    low, high, rows = cut(values, 0.0)
    assert set(low[low == high]) == {0.0, 1.0} and rows[low == 0.0].sum() == 5000
    assert 100 < len(low) <= MAX_BINS + 4


def test_the_extremes_of_very_many_values_are_kept() -> None:
    values = np.random.default_rng(0).normal(size=150_000)
    values[77] = 1e6
    low, high, rows = cut(values, 0.0)
    assert low[0] == values.min() and high[-1] == 1e6
    assert rows.sum() == pytest.approx(150_000)


def test_dropout_leaves_out_the_same_units_for_all_columns_of_a_row() -> None:
    layer, h = RowDropout(0.4), torch.ones(2, 300, 5, 7)
    with seeded(0):
        dropped = layer(h)
    assert torch.equal(dropped, dropped[:, :, :1].expand_as(dropped))
    assert dropped.unique().tolist() == pytest.approx([0.0, 1 / 0.6])
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.05)
    assert layer.eval()(h) is h


def many(count: int, rows: float) -> Bins:
    """A column of ``count`` bins that are stretches of one length."""
    ends = np.linspace(0.0, 1.0, count + 1)
    return Bins(tuple(ends[:-1]), tuple(ends[1:]), (0,) * count, (rows,) * count)


# Numbers with a basis (40 and 70 bins; 200 are too many to stand with them), few bins or levels (2 to 9), and 30 levels.
GROUPED = (many(40, 9), many(200, 300), many(9, 9), many(70, 9), BINS[1], *(
    Bins(tuple(map(float, range(n))), tuple(map(float, range(n))), (1,) * n, (9,) * n) for n in (2, 30)
))  # fmt: skip
LEVELS = (0, 0, 0, 0, 3, 2, 30)


def grouped(kind: type[HistogramLikelihood], **changes: object) -> HistogramLikelihood:
    with seeded(5):
        part = kind((len(GROUPED),), GROUPED, LEVELS, **changes)  # type: ignore[arg-type]
        for parameter in [*part.parameters(), *part.bases]:
            parameter.data += 0.3 * torch.randn(parameter.shape)
    return part.eval()


def grouped_rows(n: int) -> Rows:
    generator = np.random.default_rng(2)
    columns = [generator.uniform(low[0], high[-1], n) if size[0] == 0 else generator.integers(0, len(low), n)
               for low, high, size, _ in GROUPED]  # fmt: skip
    return Rows(torch.tensor(np.stack(columns, 1), dtype=torch.float32), torch.from_numpy(generator.random((n, 7)) < 0.8))


def test_columns_are_grouped_by_how_many_cells_they_have() -> None:
    table = grouped(IndependentHistograms).bins
    assert sorted(sorted(group.columns) for group in table.groups) == [[0, 3], [1], [2, 4, 5], [6]]
    assert [table.order[place] for place in table.back] == list(range(7))
    assert table.ranks == [6, 24 + 200, 9, 8, 3, 2, 30]  # bins that were seen often stand by themselves, too


@torch.no_grad()
def test_a_group_is_computed_as_each_of_its_columns_by_itself() -> None:
    part, rows = grouped(IndependentHistograms), grouped_rows(6)
    assert isinstance(part, IndependentHistograms)
    theta = theta_of(part, 2, 6)
    law = part(theta)
    index = part.bins.index(rows.x)
    for f, count in enumerate(part.bins.counts):
        own = theta[..., part.place(f) : part.place(f) + part.bins.ranks[f]]
        logs = torch.log_softmax(part.bins.expand(f, own) + part.base_of(f), -1)
        assert logs.shape[-1] == count
        wanted = (
            logs.gather(-1, index[:, f].expand(2, 6).unsqueeze(-1)).squeeze(-1) - part.bins.log_size_of(rows.x, index)[:, f]
        )
        torch.testing.assert_close(law.log_prob(rows.x)[..., f], wanted)
    drawn = law.sample()
    assert bool((drawn[..., 4:] == drawn[..., 4:].round()).all()) and float(drawn[..., 6].max()) <= 29


@torch.no_grad()
def test_an_embedding_is_the_same_for_all_columns_and_for_one() -> None:
    part, rows = grouped(Autoregressive), grouped_rows(8)
    assert isinstance(part, Autoregressive) and rows.mask is not None
    told = part.embedding(part.bins.index(rows.x), rows.mask)
    index = part.bins.index(rows.x)
    for f, count in enumerate(part.bins.counts):
        one = part.embedding.of(f, torch.where(rows.mask[:, f], index[:, f], count))
        torch.testing.assert_close(told[:, f], one)


@torch.no_grad()
def test_in_training_a_value_in_a_cell_has_its_probability_and_another_that_of_the_nearest_cell() -> None:
    table = BinTable(BINS[2:], (False,), (1.0,))
    low, high = torch.tensor(BINS[2].low), torch.tensor(BINS[2].high)
    inside, beyond = torch.cat([low, high]).unsqueeze(1), high.max().reshape(1, 1) + 7
    judged = [table.eval().log_size_of(x, table.index(x)) for x in (inside, beyond)]
    learnt = [table.train().log_size_of(x, table.index(x)) for x in (inside, beyond)]
    torch.testing.assert_close(learnt[0], judged[0])
    assert learnt[1].item() == learnt[0][len(low) - 1].item() < judged[1].item()


@torch.no_grad()
def test_logits_of_cells_are_never_rounded_where_networks_are() -> None:
    part = grouped(IndependentHistograms)
    assert isinstance(part, IndependentHistograms)
    theta = theta_of(part, 1, 40)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = part(theta)
    assert isinstance(rounded, HistogramFields)
    wanted = part(theta)
    assert isinstance(wanted, HistogramFields)
    for one, other in zip(rounded.logits, wanted.logits, strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("count", [1, 2, 16, 17, 256])
def test_the_probability_of_one_cell_is_that_of_all_of_them_at_its_place(count: int) -> None:
    generator = torch.Generator().manual_seed(count)
    logits = torch.randn(3, 2, 5, count, generator=generator, dtype=torch.float64).requires_grad_()
    index = torch.randint(count, (3, 1, 5), generator=generator)
    found, every = log_softmax_at(logits, index), torch.log_softmax(logits, -1)
    wanted = every.gather(-1, index.expand(3, 2, 5).unsqueeze(-1)).squeeze(-1)
    torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(*(torch.autograd.grad(value.square().sum(), logits)[0] for value in (found, wanted)))


def test_columns_are_told_of_those_before_them_or_in_training_of_any_that_were_seen() -> None:
    part, rows = grouped(Autoregressive), grouped_rows(64)
    assert isinstance(part, Autoregressive) and rows.mask is not None
    order, in_any = part.bins.order, torch.arange(64).unsqueeze(1) < 40
    assert order.tolist() != sorted(order.tolist())
    told = part.embedding.in_groups(part.bins.index(rows.x), rows.mask)
    with seeded(0):
        before = part._before(told, rows.mask, in_any)
    earlier = (order.unsqueeze(0) < order.unsqueeze(1)).to(before.dtype)
    assert bool((before[40:] == earlier).all())
    others = before[:40]
    assert not others.diagonal(dim1=1, dim2=2).any()
    assert not others.masked_select(~rows.mask[:40, order].unsqueeze(1)).any()
    assert bool((others[:, 0] > earlier[0]).any()), "the first of all is told of others, too"


@torch.no_grad()
def test_holes_are_learnt_of_the_columns_that_have_them() -> None:
    part, rows = grouped(Autoregressive, missing=(True, False, True, True, False, True, True)), grouped_rows(9)
    assert isinstance(part, Autoregressive) and rows.mask is not None and part.observed is not None
    with seeded(0):
        part.observed.weight.normal_()
        features = torch.randn(2, 9, part.size, part.width)  # in the order of the groups
    found = part._log_observed(features, rows.mask)
    for f in range(part.size):
        wanted = torch.zeros(2, 9)
        if f in part.incomplete:
            logit = part.observed_logit(f, features[:, :, part.bins.back[f]])
            wanted = torch.nn.functional.logsigmoid(torch.where(rows.mask[:, f], logit, -logit))
        torch.testing.assert_close(found[..., f], wanted)


@torch.no_grad()
@pytest.mark.parametrize(("bins", "numbers"), [(0, 64), (16, 0), (1000, 1000)])
def test_vectors_that_are_looked_up_and_written_out_are_the_same(
    bins: int, numbers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, part = grouped_rows(8), grouped(Autoregressive)
    monkeypatch.setattr("latente.model.bins.FEW_BINS", bins)
    monkeypatch.setattr("latente.model.bins.FEW_NUMBERS", numbers)
    other = grouped(Autoregressive)
    assert isinstance(part, Autoregressive) and isinstance(other, Autoregressive)
    other.load_state_dict(part.state_dict())
    index = part.bins.index(rows.x)
    assert [part.bins.described(g) is None for g in range(4)] != [other.bins.described(g) is None for g in range(4)]
    torch.testing.assert_close(other.embedding(index, rows.mask), part.embedding(index, rows.mask))


@pytest.mark.parametrize("holes", [False, True])
def test_all_columns_at_once_and_one_after_the_other_are_the_same(holes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    part, rows = grouped(Autoregressive), grouped_rows(5)
    theta, mask = theta_of(part, 2, 5), rows.mask if holes else None
    with torch.no_grad():
        together = part(theta).log_prob(rows.x, mask)
        monkeypatch.setattr("latente.model.autoregressive.TOGETHER", 0)
        torch.testing.assert_close(part(theta).log_prob(rows.x, mask), together, rtol=1e-4, atol=1e-3)
