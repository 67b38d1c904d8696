"""Hostile files: thousands of altered models, checkpoints, surveys and certificates, each with a checksum that is right again.

    python -m benchmarks.hostile --mutations 5000

Each file is loaded and used in a child process with an address space that is bounded: it must be refused with a LatenteError,
or give what the unaltered file gives. "different" are alterations that no checksum without a key can tell: one valid number
in place of another. Files of every recipe and kind are made first, in a few minutes.
"""

from __future__ import annotations

import copy
import json
import math
import random
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

import latente as lt
from benchmarks.common import Figure, options, report
from benchmarks.data import ROOT
from latente.explorer.survey import Survey
from latente.files import read_tensors, write_tensors
from latente.model.parts import build
from latente.report.run_folder import CERTIFICATE, read_certificate, write_certificate
from latente.rows import Rows
from latente.training.checkpoint import Checkpoints
from latente.training.learners import LatentLearner
from latente.training.loop import Settings, Training

ROWS = 60
SPACE = 1 << 30  # bytes of address space beyond what a child has after its first load
A_CHILD = 250  # mutations
CANARY = "latente_canary"
FORBIDDEN = {"os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen", "socket.connect", "ctypes.dlopen"}
VALUES: list[Any] = [
    None, True, False, -1, 0, 7, 2**31, 2**63, 10**40, 0.5, -1e300, 1e300, math.nan, math.inf, "", "x", "vae", "os.system",
    CANARY, f"__import__('{CANARY}')", "a" * 10_000, [], {}, [0], [[]], [None], [1e300] * 3, {"name": CANARY, "arguments": {}},
    json.loads("[" * 200 + "]" * 200),
]  # fmt: skip

Values = Any
Tensors = dict[str, Tensor]

# -- files of every kind -------------------------------------------------------------------------------------------------


def numbers() -> np.ndarray:
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(ROWS, 2)) @ generator.normal(size=(2, 5)) + 0.1 * generator.normal(size=(ROWS, 5))
    rows[::7, 2] = np.nan
    return rows


def pictures(side: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (ROWS, side, side)).astype(np.uint8)


def mixed() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "age": generator.integers(18, 80, ROWS),
            "pay": np.where(generator.random(ROWS) < 0.4, 0.0, np.exp(generator.normal(size=ROWS)).round(2)),
            "town": generator.choice(["a", "b", "c"], ROWS),
            "size": pd.Categorical(generator.choice(["S", "M", "L"], ROWS), ["S", "M", "L"], ordered=True),
            "day": pd.to_datetime("2020-01-01") + pd.to_timedelta(generator.integers(0, 400, ROWS), "D"),
            "name": [f"K-{i:04d}" for i in range(ROWS)],
            "children": generator.poisson(1.5, ROWS),
        }
    )
    table.loc[::9, "town"] = None
    return table


DATA: dict[str, Callable[[], Any]] = {
    "numbers": numbers,
    "mixed": mixed,
    "pictures": lambda: pictures(16),
    "small": lambda: pictures(5),
    "conditioned": lambda: pd.DataFrame(numbers(), columns=list("abcde")).assign(town=mixed().town, age=mixed().age),
    "labelled": lambda: pd.DataFrame(numbers(), columns=list("abcde")).assign(town=mixed().town),
}
CONTEXT = {"conditioned": ["town", "age"], "labelled": ["town"]}


def fitted(data: str, recipe: str = "vae", **parameters: Any) -> lt.VAE:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = DATA[data]()
        public = None if recipe == "auto" or lt.recipe(recipe).privacy is None else rows
        return lt.VAE(recipe, max_epochs=1, latent_dim=2, random_state=0, **parameters).fit(
            rows, context=CONTEXT.get(data), public=public
        )


def models(recipes: list[str], mixed: Sequence[str]) -> Iterator[tuple[str, lt.VAE]]:
    """Models of every recipe and of every kind of data, and with every law of the codes, by the names of their files."""
    for recipe in recipes:
        data = "labelled" if lt.recipe(recipe).has_labels else "conditioned" if lt.recipe(recipe).needs_context else "numbers"
        yield f"{data}-{recipe}", fitted(data, recipe)
        if recipe in mixed:
            yield f"mixed-{recipe}", fitted("mixed", "auto" if recipe == "vae" else recipe)
    vae = fitted("numbers")
    for law in ("mixture", "flow", "nearest"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield f"numbers-{law}", vae.refit_law(lt.choose(law, components=3) if law == "mixture" else law)
    yield "numbers-student", fitted("numbers", likelihood="student-t")
    yield "small-bernoulli", fitted("small", likelihood="bernoulli")
    yield "pictures-vae", fitted("pictures")


def write_corpus(folder: Path, recipes: list[str], mixed: Sequence[str], certified: Sequence[str]) -> None:
    """Models of some recipes, of these some of mixed tables, of some a survey and a certificate; and a checkpoint."""
    for name, vae in models(recipes, mixed):
        vae.save(folder / f"{name}.model")
        if name in certified:
            run = folder / name
            run.mkdir()
            vae.save(run / "model.safetensors")
            Survey.of(vae).save(run).rename(folder / f"{name}.survey")
            write_certificate(vae.certificate(), run).rename(folder / f"{name}.certificate")
    training = small_training().run(0.5)
    Checkpoints(folder, {"data": "x"}).write(training)
    (folder / "stage-0.safetensors").rename(folder / "numbers.checkpoint")


def small_training() -> Training:
    """A run that a checkpoint can be of, always the same."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        model = fitted("numbers").model_.train() if not _MODELS else copy.deepcopy(_MODELS[0])
        _MODELS.append(copy.deepcopy(model))
        parts = [build(lt.choose(name)) for name in ("elbo", "linear")]
        rows = Rows(torch.randn(32, 5), torch.rand(32, 5) > 0.2)
        return Training(LatentLearner(model, *parts), rows, rows, Settings(epochs=4, batch_size=16))


_MODELS: list[Any] = []

# -- what is done with a file --------------------------------------------------------------------------------------------


def used(path: Path, around: Path) -> dict[str, Any]:
    """Whatever a file is for, done with a copy of it at ``path``; ``around`` is the folder of the unaltered ones."""
    name, kind = path.name.split(".")[:2]
    return USES[kind](path, around / name)


def _model(path: Path, _: Path) -> dict[str, Any]:
    data = path.name.split("-")[0]
    rows, vae = DATA[data]()[:3], lt.load(path)
    context = rows[CONTEXT[data]][:1] if data in CONTEXT else None
    found = {
        "codes": vae.transform(rows),
        "scores": vae.score_samples(rows),
        "drawn": vae.sample(1, context=context),
        "filled": vae.impute(rows),
    }
    if not (np.isfinite(found["codes"]).all() and np.isfinite(found["scores"]).all()):
        raise ArithmeticError("results are not finite")
    return found | {"described": [*map(str, (vae.fields_, vae.offset_, vae.codec_.described))]}


def _survey(path: Path, run: Path) -> dict[str, Any]:
    path.rename(path.parent / "survey.safetensors")
    found = Survey.load(path.parent, lt.load(run / "model.safetensors"))
    if found is None:
        raise lt.StorageError("it is of another model, and is left aside")
    return vars(found) | {"planes": [vars(plane) for plane in found.planes]}


def _certificate(path: Path, run: Path) -> dict[str, Any]:
    path.rename(path.parent / CERTIFICATE)
    found = read_certificate(path.parent, run / "model.safetensors")
    return {"text": str(found), "page": found._repr_html_(), "values": found.to_json()}


def _checkpoint(path: Path, _: Path) -> dict[str, Any]:
    path.rename(path.parent / "stage-0.safetensors")
    training = small_training()
    Checkpoints(path.parent, {"data": "x"}).restore(training)
    training.run()
    return {"weights": training.flat.vector, "losses": [each.get("held_out_loss") for each in training.status.history]}


USES = {"model": _model, "survey": _survey, "certificate": _certificate, "checkpoint": _checkpoint}


def same(a: Any, b: Any) -> bool:
    """Whether two results are the same to the bit."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, (np.ndarray, Tensor)):
        return a.dtype == b.dtype and a.shape == b.shape and np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True)
    return a.equals(b) if isinstance(a, pd.DataFrame) else a == b


# -- alterations ---------------------------------------------------------------------------------------------------------


def alter(values: Values, tensors: Tensors, chosen: random.Random) -> str:
    """Alter values or tensors in place, once or twice; what was done, in words."""
    if chosen.random() < 0.2:
        return f"{alter(values, tensors, chosen)}, {alter(values, tensors, chosen)}"
    return _alter_tensor(tensors, chosen) if tensors and chosen.random() < 0.4 else _alter_value(values, chosen)


def _alter_value(values: Values, chosen: random.Random) -> str:
    path, parent, key = _somewhere(values, chosen)
    how = chosen.choice(("delete", "replace", "replace", "replace", "add", "resize", "number"))
    old = parent[key]
    if how == "delete":
        del parent[key]
    elif how == "add" and isinstance(parent, dict):
        parent[chosen.choice(("own", "x", CANARY, key + "_"))] = chosen.choice(VALUES)
    elif how == "resize" and isinstance(old, (list, str)) and old:
        parent[key] = chosen.choice((old[:-1], old[1:], old + old[:1], old * 50, old[:0]))
    elif how == "number" and isinstance(old, (int, float)) and not isinstance(old, bool):
        parent[key] = chosen.choice((-old, old * 10**9, old + 1, 1.5 * old, str(old), [old]))
    else:
        parent[key] = copy.deepcopy(chosen.choice(VALUES))
        return f"{path} = {parent[key]!r:.40}"
    return f"{how} {path}"


def _somewhere(values: Values, chosen: random.Random) -> tuple[str, Any, Any]:
    """A place in a tree of values: its path, what holds it, and its key there."""
    path, parent = "", values
    while True:
        if not parent:
            parent = {"x": None} if isinstance(parent, dict) else [None]  # nothing is left there: alter nothing
        key = chosen.choice(list(parent) if isinstance(parent, dict) else range(len(parent)))
        path = f"{path}.{key}"
        if not isinstance(parent[key], (dict, list)) or not parent[key] or chosen.random() < 0.15:
            return path, parent, key
        parent = parent[key]


def _alter_tensor(tensors: Tensors, chosen: random.Random) -> str:
    name = chosen.choice(sorted(tensors))
    how = chosen.choice(sorted(TENSORS))
    old = tensors.pop(name)
    if how == "renamed":
        tensors[name + "_"] = old
    elif how != "dropped":
        tensors[name] = TENSORS[how](old)
    return f"{name} {how}"


def _with(value: float) -> Callable[[Tensor], Tensor]:
    def put(old: Tensor) -> Tensor:
        new = (old if old.is_floating_point() else old.double()).clone()
        return new.flatten().index_fill(0, torch.tensor([0]), value).view(new.shape) if new.numel() else new[None]

    return put


TENSORS: dict[str, Callable[[Tensor], Tensor]] = {
    "dropped": lambda old: old,
    "renamed": lambda old: old,
    "flat": lambda old: old.flatten()[None],
    "turned": lambda old: old.mT.contiguous() if old.ndim > 1 else old[None],
    "short": lambda old: old[:-1] if old.ndim else old[None],
    "long": lambda old: torch.cat([old, old[:1]]) if old.ndim else old[None],
    "repeated": lambda old: torch.cat([old] * 50) if old.ndim else old[None],
    "empty": lambda old: old.new_zeros(0, 10**9),
    "scalar": lambda old: old.flatten()[0] if old.numel() and old.ndim else old[None],
    "half": lambda old: old.half(),
    "brain": lambda old: old.bfloat16(),
    "double": lambda old: old.double() if old.dtype != torch.float64 else old.float(),
    "whole": lambda old: old.to(torch.int32),
    "bool": lambda old: old.bool() if old.dtype != torch.bool else old.byte(),
    "complex": lambda old: old.to(torch.complex64),
    "nan": _with(math.nan),
    "infinite": _with(math.inf),
}


def write_altered(source: Path, target: Path, chosen: random.Random) -> str:
    """An altered copy of a file, with a checksum that is right again."""
    kind = source.suffix[1:]
    if kind == "certificate":
        values = json.loads(source.read_text(encoding="utf-8"))
        told = alter(values, {}, chosen)
        target.write_text(json.dumps(values), encoding="utf-8")
        return told
    values, tensors = read_tensors(source, kind, 10**6)
    told = alter(values, tensors, chosen)
    write_tensors(target, kind, 1, values, tensors)
    return told


# -- a child that tries some of them -------------------------------------------------------------------------------------


def outcome(path: Path, around: Path, known: dict[str, Any]) -> tuple[str, str]:
    """What became of an altered file, and the error where that was a foreign one."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ("identical" if same(used(path, around), known) else "different"), ""
    except lt.LatenteError:
        return "refused", ""
    except Exception as error:
        return "foreign", f"{type(error).__name__}: {error}"


def tried(folder: Path, numbers_: range, told: Callable[[str], object] = lambda text: None) -> dict[str, Any]:
    """Counts of what became of some mutations, by their numbers: each is made from its number alone."""
    sources = sorted(path for path in folder.iterdir() if path.suffix[1:] in USES)
    known: dict[Path, dict[str, Any]] = {}
    counts: Counter[str] = Counter()
    slowest, found = 0.0, list[str]()
    with tempfile.TemporaryDirectory() as scratch:
        for number in numbers_:
            chosen = random.Random(number)
            source = sources[number % len(sources)]
            place = Path(scratch) / str(number)
            place.mkdir()
            if source not in known:
                (place / source.name).write_bytes(source.read_bytes())
                known[source] = used(place / source.name, folder)
            what = write_altered(source, place / source.name, chosen)
            begin = time.process_time()
            became, error = outcome(place / source.name, folder, known[source])
            seconds = time.process_time() - begin
            counts[became] += 1
            counts["slow"] += seconds > 5
            slowest = max(slowest, seconds)
            if became in ("foreign", "different") or seconds > 5:
                found.append(f"{number} {source.name}: {became} after {seconds:.1f} s: {what}: {error}"[:400])
                told(found[-1])
    return {"counts": dict(counts), "slowest": slowest, "found": found}


def child(folder: Path, begin: int, end: int) -> None:
    """Try some mutations with little memory, and report on standard output."""
    ran: list[str] = []
    sys.path.insert(0, str(folder))
    (folder / f"{CANARY}.py").write_text("import os\nos.environ['LATENTE_CANARY'] = 'ran'\n")
    tried(folder, range(-len(list(folder.glob("*.*"))), 0))  # what is imported late is imported now
    sys.addaudithook(lambda event, arguments: ran.append(event) if event in FORBIDDEN else None)
    space = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() + SPACE
    resource.setrlimit(resource.RLIMIT_AS, (space, space))
    found = tried(folder, range(begin, end))
    found["ran"] = len(ran) + (CANARY in sys.modules)
    found["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(found))


def main() -> None:
    asked = options(__doc__ or "", mutations=5000, seed=0, folder="", child=(0, 0))
    torch.set_num_threads(1)
    if any(asked.child):
        child(Path(asked.folder), *asked.child)
        return
    folder = Path(asked.folder or tempfile.mkdtemp())
    if not list(folder.glob("*.model")):
        folder.mkdir(exist_ok=True, parents=True)
        recipes = [recipe.name for recipe in lt.recipes()]
        of_mixed = [name for name in recipes if name != "sigma-vae"]  # one of numbers
        write_corpus(folder, recipes, of_mixed, ("numbers-vae", "mixed-vae"))
    first = asked.seed * 10**6
    totals: Counter[str] = Counter()
    slowest = peak = 0.0
    for begin in range(first, first + asked.mutations, A_CHILD):
        end = min(begin + A_CHILD, first + asked.mutations)
        command = [sys.executable, "-m", "benchmarks.hostile", "--folder", str(folder), "--child", str(begin), str(end)]
        done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
        found = json.loads(done.stdout)
        totals.update(found["counts"] | {"ran": found["ran"]})
        slowest, peak = max(slowest, found["slowest"]), max(peak, found["peak"])
        for line in found["found"]:
            print(line, flush=True)
    report(
        "hostile files",
        [
            Figure("refused with a LatenteError", totals["refused"]),
            Figure("identical results", totals["identical"]),
            Figure("another valid number, other results", totals["different"]),
            Figure("foreign exceptions", totals["foreign"], bar=0, at_most=True),
            Figure("over 5 s", totals["slow"], bar=0, at_most=True),
            Figure("slowest", slowest, "s", bar=5, at_most=True),
            Figure("peak memory of a process", peak, "MB", bar=1024, at_most=True),
            Figure("code run", totals["ran"], bar=0, at_most=True),
        ],
        asked,
    )


if __name__ == "__main__":
    main()
