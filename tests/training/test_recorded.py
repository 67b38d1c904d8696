"""A recorded step gives what the step itself gives, or is refused."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import latente as lt
from latente.catalogue import PUBLISHED
from latente.training.loop import Training
from latente.training.recorded import NotRepeatable, Recording

forked = partial(torch.random.fork_rng, [])


def equal(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(found, wanted, strict=True))


def affine(x: Tensor) -> list[Tensor]:
    return [torch.relu(x @ x.T).sum(0), (x + 1).mul_(2).view(-1)[1:], x.double().t()]


def noisy(x: Tensor) -> list[Tensor]:
    return [x + torch.randn_like(x), torch.nn.functional.dropout(x, 0.3), torch.bernoulli(torch.sigmoid(x))]


def half(x: Tensor) -> list[Tensor]:
    with torch.autocast("cpu", torch.bfloat16):
        return [nn.functional.linear(x, torch.ones(3, 5)), torch.cat([x, x]).chunk(2)[1]]


@pytest.mark.parametrize("function", [affine, noisy, half])
def test_a_recording_repeats_the_function_on_other_values(function: Callable[[Tensor], list[Tensor]]) -> None:
    recording = Recording(function, [torch.randn(4, 5)], drawing=forked)
    for seed in range(3):
        x = torch.randn(4, 5, generator=torch.Generator().manual_seed(seed))
        with forked():
            torch.manual_seed(seed)
            wanted = [result.clone() for result in function(x)]
        with forked():
            torch.manual_seed(seed)
            assert equal(recording(x), wanted)


def test_recording_leaves_no_trace_in_the_generator() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    Recording(noisy, [torch.randn(4, 5, generator=torch.Generator())], drawing=forked)
    assert torch.equal(torch.get_rng_state(), before)


def test_gradients_go_where_they_are_wanted() -> None:
    layer = nn.Linear(3, 2)
    flat = torch.zeros(8)
    targets = [flat[:6].view(2, 3), flat[6:]]

    def step(x: Tensor) -> list[Tensor]:
        loss = layer(x).square().sum()
        return [*torch.autograd.grad(loss, [layer.weight, layer.bias]), loss.detach()]

    recording = Recording(step, [torch.randn(7, 3)], targets)
    x = torch.randn(7, 3)
    with torch.no_grad():
        layer.weight.mul_(3)  # what follows is of the weights as they are then
    weight, bias, loss = step(x)
    assert equal(recording(x), [weight, bias, loss])
    assert torch.equal(flat, torch.cat([weight.flatten(), bias]))


def by_a_value(x: Tensor) -> list[Tensor]:
    return [x * 2 if float(x.sum()) > 0 else x]


def by_a_shape_of_values(x: Tensor) -> list[Tensor]:
    return [x[x > 0]]


def by_numpy(x: Tensor) -> list[Tensor]:
    return [x * float(np.random.default_rng().normal())]


@pytest.mark.parametrize("function", [by_a_value, by_a_shape_of_values, by_numpy])
def test_what_depends_on_values_is_refused(function: Callable[[Tensor], list[Tensor]]) -> None:
    with pytest.raises(NotRepeatable):
        Recording(function, [torch.arange(6.0).view(2, 3)], drawing=forked)


class Loops:
    """Trains one recipe with recordings and without."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch
        self.recorded = 0

    def weights(self, recorded: bool, recipe: str, rows: NDArray[np.float64]) -> Tensor:
        with self.monkeypatch.context() as patch:
            make = Training._recording

            def counted(training: Training, batch: object) -> Recording | None:
                made = make(training, batch) if recorded else None  # type: ignore[arg-type]
                self.recorded += made is not None
                return made

            patch.setattr(Training, "_recording", counted)
            vae = lt.VAE(recipe, hidden=(16,), latent_dim=2, max_epochs=3, batch_size=64, random_state=0)
            vae.fit(rows, context=np.arange(len(rows)) % 2 if lt.recipe(recipe).needs_context else None)
        return torch.cat([parameter.detach().flatten() for parameter in vae.model_.parameters()])


@pytest.mark.parametrize(
    ("recipe", "holes"), [(name, place % 2 == 1) for place, name in enumerate(PUBLISHED) if lt.recipe(name).privacy is None]
)  # either, in turn
@pytest.mark.filterwarnings("ignore::latente.LatenteWarning")
def test_every_recipe_is_recorded_and_learns_the_same(recipe: str, holes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(300, 2)) @ generator.normal(size=(2, 5)) + 0.1 * generator.normal(size=(300, 5))
    if holes:
        rows[generator.random(rows.shape) < 0.2] = np.nan
    loops = Loops(monkeypatch)
    with_recordings = loops.weights(True, recipe, rows)
    assert (loops.recorded > 0) == lt.recipe(recipe).recorded
    without = loops.weights(False, recipe, rows)
    assert torch.allclose(with_recordings, without, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("holes", [False, True])
def test_all_parts_of_a_mixed_table_are_recorded_once(holes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The VAE, the row model and its input for codes, for one size of batch each, though 270 rows are no multiple of any."""
    generator = np.random.default_rng(0)
    rows = pd.DataFrame(
        {"a": generator.normal(size=300), "b": generator.choice(list("xyz"), 300), "c": generator.poisson(3, 300)}
    )
    if holes:
        rows = rows.mask(generator.random(rows.shape) < 0.2)
    made: list[object] = []
    make = Training._recording
    monkeypatch.setattr(Training, "_recording", lambda training, batch: made.append(make(training, batch)) or made[-1])
    vae = lt.VAE(latent_dim=1, max_epochs=2, random_state=0).fit(rows)
    assert len(made) == 3 and None not in made
    assert vae.row_model_ is not vae.model_


def test_a_fit_does_not_import_what_takes_a_second() -> None:
    """A compiler and a computer algebra system, which parts of torch bring along."""
    program = (
        "import sys, numpy as np, latente as lt;"
        "lt.VAE(max_epochs=1, latent_dim=2).fit(np.random.default_rng(0).normal(size=(80, 5)));"
        "print('torch._dynamo' in sys.modules, 'sympy' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, capture_output=True, text=True)
    assert ended.stdout.split() == ["False", "False"]
