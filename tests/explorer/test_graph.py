"""Graphs: every operation against torch, and what is no graph."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats
from torch import Tensor

import latente.blueprint  # noqa: F401  (registers every part)
from latente.errors import ModelError
from latente.explorer.block import Block
from latente.explorer.graph import recorded
from latente.explorer.operations import RULES
from latente.explorer.recorder import Unknown
from latente.model.latent_model import LatentModel, compose
from latente.model.likelihoods import Likelihood
from latente.model.parts import PARTS, choose, constructor_arguments
from latente.model.posteriors import Posterior
from latente.model.special import betainc, student_cdf
from latente.rows import Bins, Rows
from latente.seeding import seeded
from tests.explorer.test_parity import ENGINE, MISSING, NODE

GIVEN = torch.tensor([[[0.3, -1.2, 0.7], [2.1, 0.3, -0.4]]], dtype=torch.float64)  # [1, 2, 3]
W = torch.arange(1.0, 13.0, dtype=torch.float64).view(4, 3) / 7
PICTURE = torch.linspace(-1, 1, 2 * 3 * 3 * 2, dtype=torch.float64)
TABLE = torch.arange(12.0, dtype=torch.float64).view(6, 2) + 0.5
PLACES = torch.tensor([2, 0])


def index(x: Tensor) -> Tensor:
    """Whole numbers from 0 to 5 that depend on the input."""
    return torch.searchsorted(torch.linspace(-2, 2, 5, dtype=x.dtype), x[0].contiguous())


def positive(x: Tensor) -> Tensor:
    return x.abs() + 0.1


CASES: dict[str, Callable[[Tensor], Tensor]] = {
    "abs": torch.abs,
    "add": lambda x: torch.add(x, x[..., :1], alpha=0.5) + 1,
    "addmm": lambda x: F.linear(x[0], W, W[:, 0]),
    "amax": lambda x: x.amax((0, 1)),
    "argmax": lambda x: x.argmax(1).double(),
    "baddbmm": lambda x: torch.baddbmm(W.unsqueeze(0)[:, :2, :2], x, x.mT),
    "betainc": lambda x: betainc(positive(x), torch.full_like(x, 2.5), torch.sigmoid(x)),
    "bitwise_and": lambda x: ((x > 0) & (x < 1)).double(),
    "bitwise_not": lambda x: (~(x > 0)).double(),
    "bitwise_or": lambda x: ((x > 1) | (x < 0)).double(),
    "bmm": lambda x: torch.bmm(x, x.mT),
    "bucketize": lambda x: torch.bucketize(x, torch.tensor([-1.0, 0.3, 0.5], dtype=x.dtype), right=True).double(),
    "cat": lambda x: torch.cat([x, x[:, :1] * 2], 1),
    "clamp": lambda x: x.clamp(-0.5, 0.5),
    "clamp_max": lambda x: x.clamp_max(0.2),
    "clamp_min": lambda x: x.clamp_min(torch.tensor(0.2, dtype=x.dtype)),
    "clone": lambda x: x.mT.clone() + 0,
    "convolution": lambda x: torch.cat(
        [
            F.conv2d(x.unsqueeze(1), PICTURE.view(4, 1, 3, 3), stride=(2, 1), padding=1).flatten(),
            F.conv_transpose2d(x.unsqueeze(1), PICTURE.view(1, 4, 3, 3), PICTURE[:4], 2, 1, 1).flatten(),
            F.conv1d(x, PICTURE[:12].view(3, 2, 2)).flatten(),
        ]
    ),
    "copy": lambda x: torch.ops.aten.copy(torch.zeros_like(x), x) * 2,
    "cos": torch.cos,
    "cumsum": lambda x: x.cumsum(1),
    "div": lambda x: x / positive(x.mT.reshape(x.shape)),
    "dot": lambda x: torch.dot(x[0, 0], W[0]),
    "elu": lambda x: F.elu(x, 0.7),
    "embedding": lambda x: F.embedding(index(x), TABLE),
    "eq": lambda x: (x == 0.3).double(),
    "erf": torch.erf,
    "exp": torch.exp,
    "expm1": torch.expm1,
    "flip": lambda x: x.flip(1, 2),
    "floor": torch.floor,
    "gather": lambda x: x.gather(2, PLACES.view(1, 2, 1)),
    "ge": lambda x: (x >= 0.3).double(),
    "gelu": lambda x: F.gelu(x),
    "gt": lambda x: (x > 0.3).double(),
    "index": lambda x: torch.cat([x[:, :, PLACES].flatten(), TABLE[index(x)].flatten(), TABLE.T[:, index(x)].flatten()]),
    "index_copy": lambda x: x.index_copy(2, PLACES, 3 * x[..., 1:]),
    "index_select": lambda x: torch.cat([x.index_select(2, PLACES).flatten(), TABLE.index_select(0, index(x)[0]).flatten()]),
    "le": lambda x: (x <= 0.3).double(),
    "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "lerp": lambda x: torch.lerp(x, 2 * x + 1, torch.sigmoid(x)),
    "lgamma": lambda x: torch.lgamma(positive(x)),
    "log": lambda x: torch.log(positive(x)),
    "log1p": lambda x: torch.log1p(positive(x)),
    "log_sigmoid_forward": F.logsigmoid,
    "logaddexp": lambda x: torch.logaddexp(x, 2 * x - 1),
    "logical_and": lambda x: torch.logical_and(x > 0, x < 1).double(),
    "logical_not": lambda x: torch.logical_not(x > 0).double(),
    "logical_or": lambda x: torch.logical_or(x > 1, x < 0).double(),
    "logsumexp": lambda x: torch.logsumexp(x, 1),
    "lt": lambda x: (x < 0.3).double(),
    "masked_fill": lambda x: x.masked_fill(x > 0, 7.0),
    "maximum": lambda x: torch.maximum(x, x[:, :1]),
    "mean": lambda x: torch.cat([x.mean(1).flatten(), x.mean().view(1)]),
    "minimum": lambda x: torch.minimum(x, x[:, :1]),
    "mm": lambda x: x[0] @ W.T,
    "mul": lambda x: x * x.mT.reshape(1, 3, 2).mT.contiguous() * 3,
    "mv": lambda x: torch.mv(x[0], W[1]),
    "ne": lambda x: (x != 0.3).double(),
    "neg": torch.neg,
    "pow": lambda x: x**2 + 2**x,
    "reciprocal": lambda x: torch.reciprocal(positive(x)),
    "relu": lambda x: F.relu(x.clone(), inplace=True),
    "repeat": lambda x: x.repeat(2, 1, 2),
    "roll": lambda x: x.roll(1, 2),
    "round": lambda x: torch.round(2.5 * x),
    "rsqrt": lambda x: torch.rsqrt(positive(x)),
    "rsub": lambda x: torch.rsub(x, 1.0, alpha=2),
    "searchsorted": lambda x: torch.searchsorted(W.T.contiguous(), x[0].T.contiguous(), right=True).double(),
    "sigmoid": torch.sigmoid,
    "silu": F.silu,
    "sin": torch.sin,
    "softplus": lambda x: F.softplus(x, beta=2),
    "special_log_ndtr": lambda x: torch.special.log_ndtr(20 * x),
    "special_ndtr": lambda x: torch.special.ndtr(3 * x),
    "sqrt": lambda x: torch.sqrt(positive(x)),
    "stack": lambda x: torch.stack([x, 2 * x], 2),
    "sub": lambda x: torch.sub(x, x[..., :1], alpha=0.5) - 1,
    "sum": lambda x: torch.cat([x.sum((0, 2)), x.sum().view(1), x.sum(1, keepdim=True).flatten()]),
    "take": lambda x: x.take(PLACES),
    "tanh": torch.tanh,
    "trunc": torch.trunc,
    "where": lambda x: torch.where(x > 0, x, x[:, :1] * 2),
    "_log_softmax": lambda x: torch.log_softmax(x, 1),
    "_softmax": lambda x: torch.softmax(x, 1),
    "_to_copy": lambda x: (2 * x).long().double() + x.mT.float().double().mT,
}


Case = tuple[Callable[..., Tensor], Sequence[Tensor], Sequence[Tensor]]


def in_page(folder: Path, cases: Sequence[Case]) -> list[list[float]]:
    """What the page makes of functions, for the first of their two examples."""
    block = Block()
    graphs = [recorded(*case).write(block) for case in cases]
    inputs = [[each.flatten().double().tolist() for each in first] for _, first, _ in cases]
    (folder / "pack").write_bytes(block.bytes({"graphs": graphs, "inputs": inputs}))
    run = [NODE or "node", str(Path(__file__).with_name("operations.mjs")), str(ENGINE), str(folder / "pack")]
    found: list[list[float]] = json.loads(subprocess.run(run, check=True, timeout=60, capture_output=True, text=True).stdout)
    return found


def drawn(x: Tensor) -> Tensor:
    """Draws are no function of the input: they are tested by what is drawn with them."""
    return x


UNSEEN = {"randn": drawn, "randn_like": drawn}


def test_every_operation_is_tested() -> None:
    assert set(CASES) | set(UNSEEN) == set(RULES)


needs_node = pytest.mark.skipif(bool(MISSING) and not os.environ.get("LATENTE_WEB"), reason=f"{MISSING}: make test-web")


@needs_node
def test_the_page_computes_what_torch_does(tmp_path: Path) -> None:
    found = in_page(tmp_path, [(case, [GIVEN], [GIVEN.flip(2) + 0.01]) for case in CASES.values()])
    for (name, case), values in zip(CASES.items(), found, strict=True):
        single = {"_to_copy": 1e-6}.get(name, 1e-12)  # what is rounded to single precision is not, in the page
        assert np.allclose(values, case(GIVEN).flatten(), rtol=single, atol=single), name


@pytest.mark.parametrize("name", list(CASES))
def test_an_operation_is_recorded_by_its_rule(name: str) -> None:
    used = []
    rule = RULES[name]
    RULES[name] = lambda *args, **kwargs: (used.append(name), rule(*args, **kwargs))[1]
    try:
        recorded(CASES[name], [GIVEN], [GIVEN + 0.01])
    finally:
        RULES[name] = rule
    assert used


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda x: x.sort(2).values, "operation 'sort'"),
        (lambda x: x * 2 if x.sum() > 1 else x, "operation '_local_scalar_dense'"),
        (lambda x: x + float(np.asarray(x.detach()).sum()), "depend on the values"),
        (lambda x: x + torch.rand(3), "depend on the values"),
        (lambda x: x[x > 0], "operation 'index'"),
        (lambda x: F.gelu(x, approximate="tanh"), "operation 'gelu'"),
        (lambda x: torch.addmm(W[:2], x[0], W[:3], alpha=2), "operation 'addmm'"),
        (lambda x: (x * 1).index_fill_(2, PLACES, 0.0), "operation 'index_fill_'"),
    ],
)
def test_what_is_no_graph_is_refused(function: Callable[[Tensor], Tensor], why: str) -> None:
    with pytest.raises(Unknown, match=why):
        recorded(function, [GIVEN], [GIVEN + 1])


def test_constants_are_computed_before_where_that_takes_no_more_room() -> None:
    weight = torch.randn(40, 2, dtype=torch.float64).float().double()
    outer = recorded(lambda x: x.sum() * (weight @ weight.T), [GIVEN], [GIVEN + 1])
    block = Block()
    assert "matmul" in [step["op"] for step in outer.write(block)["steps"]]  # 1,600 values of 80
    assert sum(np.prod(entry["shape"]) for entry in block.entries) == 2 * weight.numel() or len(block.entries) == 1
    inner = recorded(lambda x: x.sum() * (weight.T @ weight), [GIVEN], [GIVEN + 1])
    assert "matmul" not in [step["op"] for step in inner.write(Block())["steps"]]
    assert outer.multiply_adds == 0  # of one run


def test_the_same_operation_is_recorded_once() -> None:
    graph = recorded(lambda x: torch.exp(x + 1) + torch.exp(x + 1), [GIVEN], [GIVEN + 1])
    assert [step["op"] for step in graph.write(Block())["steps"]] == ["input", "constant", "add", "exp", "add"]


def test_the_distribution_function_of_student() -> None:
    t, df = torch.tensor([-2.0, 0.0, 1.5], dtype=torch.float64), torch.tensor([3.5, 5.0, 40.0], dtype=torch.float64)
    assert np.allclose(student_cdf(t, df), stats.t.cdf(t, df), rtol=1e-12)


# ------------------------------------------------------------------------------------------------ every part that there is


def parts(ending: str) -> list[str]:
    """Names of registered parts that look at rows, or at codes; but for networks along time: the explorer draws no series."""
    needed = {"encoder": "shape", "decoder": "outputs"}[ending]
    drawn = [name for name, cls in PARTS.items() if name.endswith(ending) and not cls.__module__.endswith("networks.series")]
    return sorted(name for name in drawn if needed in constructor_arguments(PARTS[name]))


def model_of(**chosen: str) -> LatentModel:
    """A model of pictures where a part is of pictures, and of columns otherwise, with weights that are not regular."""
    own = {argument for name in chosen.values() for argument in constructor_arguments(PARTS[name])}
    if {"channels", "bins"} <= own:
        pytest.skip("bins are of columns")
    bins = Bins((-1.0, 0.0, 1.0), (-1.0, 0.0, 1.0), (1.0,) * 3, (9.0,) * 3)
    sizes: dict[str, Any] = {"latent_dim": 3, "hidden": (7, 5), "channels": (3, 5), "masked": True}
    sizes |= {"shape": (4,), "bins": (bins,) * 4}
    kind = "conv" if "channels" in own else "mlp"
    roles = {"encoder": f"{kind}-encoder", "posterior": "diagonal-normal", "prior": "standard-normal"}
    roles |= {"decoder": f"{kind}-decoder", "likelihood": "normal", **chosen}
    sizes |= {"shape": (1, 16, 18)} if "channels" in own else {}
    sizes |= {"latent_dim": 20} if "map" in chosen.get("decoder", "") else {}  # one number for each position
    sizes |= {"levels": (0, 3, 0, 0)} if getattr(PARTS[roles["likelihood"]], "takes_levels", False) and "bins" in own else {}
    with seeded(3), torch.no_grad():
        model = compose({role: choose(name) for role, name in roles.items()}, **sizes)
        for weights in model.parameters():
            weights.add_(0.2 * torch.randn_like(weights))
        return model.double().eval()


@needs_node
@pytest.mark.parametrize("decoder", parts("decoder"))
def test_every_decoder_and_likelihood_is_in_the_page(decoder: str, tmp_path: Path) -> None:
    cases = []
    for likelihood in sorted(name for name, cls in PARTS.items() if issubclass(cls, Likelihood)):
        with suppress(pytest.skip.Exception):
            model = model_of(decoder=decoder, likelihood=likelihood)
            ends = [torch.tensor([-0.5, 0.5], dtype=torch.float64)] * model.likelihood.size

            def shown(z: Tensor, model: LatentModel = model, ends: list[Tensor] = ends) -> Tensor:
                px = model.decode(z.view(1, 1, -1))
                return torch.cat([px.mean.flatten(), px.bin_probabilities(ends).flatten()])

            cases.append((shown, *codes_for(model)))
    check(tmp_path, cases)


def codes_for(model: LatentModel) -> Tensor:
    """Two codes, [2, 1, d]."""
    return torch.randn(2, 1, model.latent_dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@needs_node
@pytest.mark.parametrize("encoder", parts("encoder"))
def test_every_encoder_and_posterior_is_in_the_page(encoder: str, tmp_path: Path) -> None:
    """But for those whose space the explorer does not draw; what the page can't compute is refused, and the server answers."""
    cases, inside = [], set()
    for posterior in sorted(name for name, cls in PARTS.items() if issubclass(cls, Posterior) and name != "no-code"):
        try:
            model = model_of(encoder=encoder, posterior=posterior)
        except ModelError:  # its codes lie in a space that has not this prior
            continue
        shape = model.encoder.arguments["shape"]
        x = torch.randn(2, 1, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

        def moments(x: Tensor, seen: Tensor, model: LatentModel = model) -> Tensor:
            q = model.encode(Rows(x, seen.bool()))
            return torch.cat([q.code, q.deviation])

        case = (moments, *([each, (each > -0.5).double()] for each in x * (x > -0.5)))
        if bool(moments(*case[1]).std() == 0):  # it selects from what an encoder of its own hands on
            continue
        with suppress(Unknown):
            recorded(*case)
            cases.append(case)
            inside.add(posterior)
    assert {"diagonal-normal", "point-mass"} <= inside
    check(tmp_path, cases)


@torch.no_grad()
def check(folder: Path, cases: list[Case]) -> None:
    for (function, first, _), values in zip(cases, in_page(folder, cases), strict=True):
        expected = function(*first)
        assert len(values) > 3 and np.allclose(values, expected.flatten(), rtol=1e-9, atol=1e-9)
        assert expected.isfinite().all() and expected.std() > 0
