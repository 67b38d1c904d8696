"""Tasks over Parquet files in shards: each row group becomes a part file, whichever process or machine computes it.

A shard is written beside its place, flushed to disc and renamed, so that a part is whole or not there. A job that was stopped
at any moment continues with the parts that are missing. The manifest is written last.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache, partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from latente.data import Pieces, frame
from latente.errors import DataError, LatenteWarning, ModelError
from latente.files import write_atomically, write_text
from latente.fitted import Fitted
from latente.report.run import open_run
from latente.rows import SCALAR, layout_of, spaced
from latente.tasks import scores
from latente.tasks.denoising import MAX_TO_ESTIMATE, Denoiser, Noise, described, planned
from latente.tasks.detectors import rank
from latente.tasks.reasons import explanations, spread_out, to_explain

if TYPE_CHECKING:
    from latente.estimator import VAE

MANIFEST, JOB, WARNINGS = "manifest.json", "job.json", b"latente.warnings"

Shard = Callable[["VAE", Any, Mapping[str, Any]], Any]
Map = Callable[[Callable[[int], str], Sequence[int]], Iterable[str]]


@dataclass(frozen=True)
class Job:
    """A task over rows in Parquet files, in plain values, so that it can be sent to other processes and machines.

    Attributes:
        model: a run folder or a model file.
        task: a key of :data:`TASKS`.
        files: paths of Parquet files, in the order of their rows.
        options: of the task.
        unknown, reading: how to treat unknown levels and to read values, if not as in the fit.
    """

    model: str
    task: str
    files: tuple[str, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    unknown: str | None = None
    reading: Mapping[str, Any] = field(default_factory=dict)

    @property
    def pieces(self) -> Pieces:
        """The rows."""
        return _pieces(self.files)

    @property
    def identity(self) -> str:
        """A digest of the job, of its model and of the sizes and times of its files."""
        seen = [(str(Path(file).resolve()), os.stat(file).st_size, os.stat(file).st_mtime_ns) for file in self.files]
        model = hashlib.sha256(open_run(self.model).path.read_bytes()).hexdigest()
        return hashlib.sha256(json.dumps([asdict(self), seen, model], sort_keys=True).encode()).hexdigest()


@lru_cache(1)
def _pieces(files: tuple[str, ...]) -> Pieces:
    return Pieces(tuple(map(Path, files)))


@lru_cache(1)
def _model(path: str, unknown: str | None, reading: str) -> VAE:
    """The model of a job; loaded once in each process."""
    vae = open_run(path).model
    vae.unknown, vae.fitted_.reading = unknown or vae.unknown, json.loads(reading)
    vae.codec_ = vae.codec_.in_container(vae.codec_.interchange)
    return vae


def model_of(job: Job) -> VAE:
    """The model of a job, which returns Arrow tables.

    Raises:
        StorageError: it can't be read. ModelError: its rows are no rows of a table.
    """
    vae = _model(job.model, job.unknown, json.dumps(dict(job.reading)))
    if layout_of(vae.codec_.fields) != SCALAR:
        raise ModelError("shards are rows of tables, and the model is one of pictures")
    return vae


# -- tasks --------------------------------------------------------------------------------------------------------------


def _encode(vae: VAE, table: Any, options: Mapping[str, Any]) -> Any:
    return frame(dict(zip(vae.get_feature_names_out(), vae.transform(table).T, strict=True)), "pyarrow")


def _anomalies(vae: VAE, table: Any, options: Mapping[str, Any]) -> Any:
    found = scores.by_row(vae.fitted_, vae.fitted_.read_rows(table, vae.unknown)[1], scores.Asked(**options))
    return frame({name: column for name, column in found.items() if column is not None}, "pyarrow")


def _denoise(vae: VAE, table: Any, options: Mapping[str, Any]) -> Any:
    fitted = vae.fitted_
    data, rows = fitted.read_rows(table, vae.unknown)
    denoiser, noise = Denoiser.of(fitted), Noise(torch.tensor(options["variance"]), options["replaced"], options["shot"])
    if options["shared"]:
        denoiser = replace(denoiser, residuals=denoiser.residuals.without(noise.variance))
    return fitted.decode(denoiser.denoise(rows, noise), data.container, source=data if noise.none else None, of=data)


TASKS: dict[str, Shard] = {
    "encode": _encode,
    "score": lambda vae, table, options: frame({"score": vae.score_samples(table)}, "pyarrow"),
    "reconstruct": lambda vae, table, options: vae.reconstruct(table),
    "impute": lambda vae, table, options: vae.impute(table),
    "denoise": _denoise,
    "anomalies": _anomalies,
}


def with_noise(job: Job, noise: Any) -> tuple[Job, dict[str, Any]]:
    """A job of denoising with its noise, estimated from rows of all shards if it is not given; and the noise in the units of
    the user (see :meth:`latente.VAE.denoise`).
    """
    fitted = model_of(job).fitted_
    some = job.pieces.take(spaced(len(job.pieces), MAX_TO_ESTIMATE).numpy(), _wanted(fitted))
    denoiser, found = planned(fitted, fitted.rows(some, model_of(job).unknown), noise)
    shared = denoiser.residuals is not Denoiser.of(fitted).residuals
    options = {"variance": found.variance.tolist(), "replaced": found.replaced, "shot": found.shot, "shared": shared}
    return replace(job, options=options), described(fitted, found)


def _wanted(fitted: Fitted) -> tuple[str, ...] | None:
    """The columns that a model reads; None for all of them."""
    of_context = fitted.context.names if fitted.context is not None else ()
    return (*fitted.codec.feature_names, *of_context) if fitted.codec.named else None


# -- shards -------------------------------------------------------------------------------------------------------------


def part_of(folder: str | Path, number: int) -> Path:
    """The path of a part."""
    return Path(folder) / f"part-{number:06}.parquet"


def process_shard(number: int, job: Job, folder: str) -> str:
    """Compute one row group and write its part, if it is not there; returns the path of the part."""
    import pyarrow as pa

    path = part_of(folder, number)
    if path.exists():
        return str(path)
    vae = model_of(job)
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", LatenteWarning)
        batches = job.pieces.batches(number, _wanted(vae.fitted_))
        found = pa.concat_tables([TASKS[job.task](vae, each, job.options) for each in batches], promote_options="permissive")
    told = json.dumps(sorted({str(one.message) for one in heard if issubclass(one.category, LatenteWarning)}))
    write_atomically(path, partial(_write_part, found.replace_schema_metadata({WARNINGS: told.encode()})))
    return str(path)


def _write_part(table: Any, file: Any) -> None:
    from pyarrow.parquet import write_table

    write_table(table, file, row_group_size=max(1, len(table)))


def run(job: Job, folder: str | Path, mapped: Map = map, on_part: Callable[[int, int], None] = lambda done, of: None) -> Pieces:
    """Compute the parts that are missing, and write the manifest; a job that was stopped continues.

    Args:
        job: what to do.
        folder: for the parts; those of another job are removed. It must hold nothing else.
        mapped: calls a function for the number of each missing shard, in any order and any process, such as :func:`map`,
            :func:`on_processes`, :func:`on_ray` or :func:`on_spark`.
        on_part: called after each part with the number of parts so far, and of all parts.

    Returns:
        The parts, in order.

    Raises:
        DataError: there are no rows, or the folder holds other files than a job's.
    """
    model_of(job)
    count, folder = len(job.pieces.pieces), Path(folder)
    if not count:
        raise DataError("it holds no row")
    _begin(job, folder)
    missing = [number for number in range(count) if not part_of(folder, number).exists()]
    for done, _ in enumerate(mapped(partial(process_shard, job=job, folder=str(folder)), missing), count - len(missing) + 1):
        on_part(done, count)
    parts = Pieces(tuple(part_of(folder, number) for number in range(count)))
    if len(parts) != len(job.pieces):
        raise DataError(f"{folder} holds {len(parts):,} rows of {len(job.pieces):,}: remove it, and start again")
    told = [{"file": piece.file.name, "rows": piece.rows} for piece in parts.pieces]
    write_text(folder / MANIFEST, json.dumps({"job": job.identity, "rows": len(parts), "parts": told}, indent=1))
    return parts


def _begin(job: Job, folder: Path) -> None:
    """Keep the parts of the same job, and remove everything else that a job writes."""
    identity, note = job.identity, folder / JOB
    others = [path.name for path in folder.glob("*") if path not in _written(folder)]
    if others:
        raise DataError(f"{folder} holds other files, such as {others[0]!r}: choose an empty folder for the parts")
    if not (note.exists() and json.loads(note.read_text()).get("job") == identity):
        remove(folder)
        write_text(note, json.dumps({"job": identity, **asdict(job)}, indent=1))
    for left in (*folder.glob(".part-*"), *folder.glob(f".{MANIFEST}.*")):  # of a process that was killed
        left.unlink(missing_ok=True)


def _written(folder: Path) -> list[Path]:
    """All that a job writes to a folder; names that begin with a point are of processes that were killed."""
    return [
        path
        for form in ("part-*.parquet", ".part-*", JOB, f".{JOB}.*", MANIFEST, f".{MANIFEST}.*")
        for path in folder.glob(form)
    ]


def remove(folder: Path) -> None:
    """Remove what a job has written, and the folder if it is empty then."""
    for path in _written(folder):
        path.unlink(missing_ok=True)
    if folder.exists() and not any(folder.iterdir()):
        folder.rmdir()


# -- where shards are computed ------------------------------------------------------------------------------------------


def on_processes(workers: int) -> Map:
    """A map over processes of this machine, which end with the process that started them."""

    def mapped(function: Callable[[int], str], numbers: Sequence[int]) -> Iterator[str]:
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_end_with_parent) as pool:
            with _without_main():
                found = pool.map(function, numbers)
            yield from found

    return map if workers == 1 else mapped


@contextmanager
def _without_main() -> Iterator[None]:
    """Context in which new processes do not run the program of this one again, as they would without ``if __name__ == …``."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _end_with_parent() -> None:
    from multiprocessing import parent_process

    def watch() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def on_ray(function: Callable[[int], str], numbers: Sequence[int]) -> Iterator[str]:
    """A map over the workers of a Ray cluster, which all reach the files of the job."""
    try:
        import ray
    except ImportError as error:
        raise ModelError("this needs Ray: pip install 'latente[ray]'") from error

    remote = ray.remote(lambda number: function(number))  # it takes no partial function
    waiting = [remote.remote(number) for number in numbers]
    while waiting:
        done, waiting = ray.wait(waiting)
        yield from ray.get(done)


def on_spark(session: Any) -> Map:
    """A map over the executors of a Spark session, which all reach the files of the job."""

    def mapped(function: Callable[[int], str], numbers: Sequence[int]) -> Iterator[str]:
        found: Iterator[str] = session.sparkContext.parallelize(numbers, max(1, len(numbers))).map(function).toLocalIterator()
        return found

    return mapped


# -- results ------------------------------------------------------------------------------------------------------------


def results(job: Job, parts: Pieces) -> Iterator[Any]:
    """The result of a job as Arrow tables, one for each part, with what depends on all rows: ranks and selections of anomalies.

    Warnings of the shards are given once each.
    """
    for text in dict.fromkeys(text for meta in parts.metadata for text in json.loads((meta.metadata or {})[WARNINGS])):
        warnings.warn(text, LatenteWarning, stacklevel=2)
    tables = (_whole(parts, number) for number in range(len(parts.pieces)))
    return _ranked(job, parts, tables) if job.task == "anomalies" else tables


def _whole(parts: Pieces, number: int) -> Any:
    import pyarrow as pa

    return pa.concat_tables(parts.batches(number)).combine_chunks().replace_schema_metadata(None)


def _ranked(job: Job, parts: Pieces, tables: Iterable[Any]) -> Iterator[Any]:
    """Anomalies with their ranks among all rows. In memory are two numbers of each row."""
    vae, asked = model_of(job), scores.Asked(**job.options)
    strange, p = (np.concatenate([_doubles(t, name) for t in parts.tables([name])]) for name in ("score", "p_value"))
    strange = -strange
    scores.tell_unscored(~np.isnan(strange))
    selected = asked.selected(p, len(vae.fitted_.usual.held_out[0]))
    explained = to_explain(strange, selected)
    rows = vae.fitted_.rows(job.pieces.take(explained), vae.unknown) if len(explained) else None
    expected = spread_out(explanations(vae.fitted_, rows) if rows is not None else [], explained, len(strange))
    ranks, start = rank(strange), 0
    for table in tables:
        own = slice(start, start + len(table))
        start = own.stop
        added = frame({"rank": ranks[own], "anomalous": selected[own], "expected": expected[own]}, "pyarrow")
        yield _in_order(table, added)


def _doubles(table: Any, name: str) -> NDArray[np.float64]:
    return np.asarray(table[name].to_numpy(), float)


def _in_order(table: Any, added: Any) -> Any:
    """The columns of :meth:`latente.VAE.anomalies` in their order."""
    first = table.column_names[:3]
    names = [*first, "rank", "anomalous", *(name for name in table.column_names if name not in first), "expected"]
    return type(table).from_arrays([(table if name in table.column_names else added)[name] for name in names], names)
