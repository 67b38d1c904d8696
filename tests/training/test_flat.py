"""All parameters as one vector, and the update of it."""

from __future__ import annotations

import torch
from torch import nn

from latente.flat import FlatParameters, Group, adamw


def test_the_vector_is_the_module() -> None:
    module = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    flat = FlatParameters(module)
    before, x = flat.copy(), torch.randn(4, 3)
    y = module(x)
    flat.vector.mul_(2.0)
    assert torch.equal(module[0].weight.flatten(), 2 * before[:6])
    flat.put(before)
    assert torch.equal(module(x), y)
    flat.vector.zero_()
    assert torch.equal(module(x), torch.zeros(4, 1))


def test_gradients_are_those_of_the_mean_and_zero_without_dependence() -> None:
    module = nn.ModuleList([nn.Linear(2, 1), nn.Linear(2, 1)])
    flat, x = FlatParameters(module), torch.randn(5, 2)
    weight, bias, *others = flat.differentiate(module[0](x).squeeze(1))
    torch.testing.assert_close(weight, x.mean(0, keepdim=True))
    torch.testing.assert_close(bias, torch.ones(1))
    assert not any(other.any() for other in others)


def test_updates_are_those_of_torch() -> None:
    torch.manual_seed(0)
    values = torch.randn(7)
    own, theirs = values.clone(), nn.Parameter(values.clone())
    optimiser = torch.optim.AdamW([theirs], lr=0.1, betas=(0.9, 0.995), weight_decay=0.01)
    first, second, updates = torch.zeros(7), torch.zeros(7), torch.zeros(())
    for _ in range(3):
        gradient = torch.randn(7)
        theirs.grad = gradient
        optimiser.step()
        adamw([Group(own, gradient, first, second)], updates, 0.1, 0.01)
    torch.testing.assert_close(own, theirs.detach())
