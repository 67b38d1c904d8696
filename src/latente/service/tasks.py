"""What a service does with a model: one function for each address, from rows and options to a table or an array."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from latente.data import SeriesCodec, frame
from latente.errors import ModelError
from latente.parameters import is_whole
from latente.seeding import seed_of
from latente.service.formats import plain, rows_of_json, split
from latente.tasks import scores

if TYPE_CHECKING:
    from latente.estimator import VAE

MAX_NEW_ROWS = 100_000

Answer = Callable[["VAE", Any, Mapping[str, Any]], Any]
AnswerEach = Callable[["VAE", Any, Mapping[str, Any], Sequence[int]], Sequence[Any]]


@dataclass(frozen=True)
class Task:
    """One address of a model.

    Attributes:
        summary: what it answers, one sentence.
        answer: the function.
        options: what a request may hold beside its rows, with the JSON schema of each.
        takes_rows: whether a request holds rows.
        by_row: whether the answer for a row is the same whatever rows are beside it; rows of several requests are then computed
            together.
        of_each: answers for rows of several requests, of so many rows each, where they are not parts of one answer.
        gives_rows: whether the answer has the columns of the data.
    """

    summary: str
    answer: Answer
    options: Mapping[str, Mapping[str, Any]]
    takes_rows: bool = True
    by_row: bool = True
    gives_rows: bool = True
    of_each: AnswerEach | None = None

    @property
    def joins(self) -> bool:
        """Whether rows of several requests are computed together."""
        return self.by_row or self.of_each is not None

    def answers(self, vae: VAE, rows: Any, options: Mapping[str, Any], sizes: Sequence[int]) -> Sequence[Any]:
        """An answer for each of several requests, of so many rows each."""
        if self.of_each is not None and len(sizes) > 1:
            return [plain(answer) for answer in self.of_each(vae, rows, options, sizes)]
        answer = plain(self.answer(vae, rows, options))
        return split(answer, sizes) if len(sizes) > 1 else [answer]

    def check(self, options: Mapping[str, Any]) -> None:
        """Refuse options that the task does not have.

        Raises:
            ModelError: it names them, and those there are.
        """
        unknown = [name for name in options if name not in self.options]
        if unknown:
            known = ", ".join(("rows",) * self.takes_rows + tuple(self.options))
            raise ModelError(f"a request has no field {unknown[0]!r}; its fields are {known}")


CONTEXT: dict[str, Any] = {
    "type": "object",
    "description": "Of a conditional model: the context of all rows.",
}
OF_ROWS: dict[str, dict[str, Any]] = {"context": CONTEXT}
SHARE = {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}
OF_ANOMALIES: dict[str, dict[str, Any]] = {
    **OF_ROWS,
    "score": {"description": "A score, or a list of scores that are combined.", "default": "auto"},
    "fdr": {**SHARE, "description": "Select rows so that on average at most this share of them are usual."},
    "false_alarm_rate": {**SHARE, "description": "Select rows so that at most this share of usual rows is selected."},
}
AFTER = {"type": "array", "description": "Rows of series to continue; without them, new ones are drawn."}
OF_SAMPLE: dict[str, dict[str, Any]] = {
    "n": {"type": "integer", "minimum": 1, "maximum": MAX_NEW_ROWS, "default": 1},
    "given": {
        "type": "object",
        "description": "By column: a value, a list of values, or {low, high}.",
    },
    "context": CONTEXT,
    "after": AFTER,
    "steps": {"type": "integer", "minimum": 1, "description": "Of a continuation."},
    "seed": {
        "type": "integer",
        "minimum": 0,
        "description": "The same seed gives the same rows.",
    },
}


def _encode(vae: VAE, rows: Any, options: Mapping[str, Any]) -> Any:
    return _of_windows(vae, rows, _columns(vae.transform(rows, **options), "z"))


def _score(vae: VAE, rows: Any, options: Mapping[str, Any]) -> Any:
    return _of_windows(vae, rows, _columns(vae.score_samples(rows, **options)[:, None], "score"))


def _anomalies_of_each(vae: VAE, rows: Any, options: Mapping[str, Any], sizes: Sequence[int]) -> list[Any]:
    asked = scores.Asked(**{name: value for name, value in options.items() if name != "context"})
    data, encoded = vae.fitted_.read_rows(rows, vae.unknown, options.get("context"))
    return [frame(found, data.container) for found in scores.anomalies_of_each(vae.fitted_, encoded, asked, sizes)]


def _sample(vae: VAE, _: Any, options: Mapping[str, Any]) -> Any:
    n, seed = options.get("n", 1), options.get("seed")
    if not is_whole(n, 1) or n > MAX_NEW_ROWS:
        raise ModelError(f"n is a whole number from 1 to {MAX_NEW_ROWS:,}, not {n!r}")
    given = {name: _wanted(value) for name, value in (options.get("given") or {}).items()}
    seed = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed_of(seed)
    after = None if options.get("after") is None else rows_of_json(vae, options["after"]).values
    how: dict[str, Any] = {"context": options.get("context"), "after": after, "steps": options.get("steps")}
    return vae.sample(n, given=given or None, random_state=seed, **how)


def _wanted(value: Any) -> Any:
    """A condition: JSON has no tuples, so that an interval is an object."""
    return (value.get("low"), value.get("high")) if isinstance(value, Mapping) else value


def _of_windows(vae: VAE, rows: Any, found: Any) -> Any:
    """Of a model of series: an answer for each window, with the first and the last row of each."""
    if not isinstance(vae.codec_, SeriesCodec):
        return found
    import narwhals as nw

    windows = nw.from_native(vae.windows(rows), eager_only=True).to_arrow()
    for name in found.column_names:
        windows = windows.append_column(name, found[name])
    return windows


def _columns(values: np.ndarray[Any, Any], name: str) -> Any:
    import pyarrow as pa

    names = [name] if values.shape[1] == 1 and name == "score" else [f"{name}{i}" for i in range(values.shape[1])]
    return pa.table(dict(zip(names, (pa.array(column, from_pandas=True) for column in values.T), strict=True)))


TASKS: dict[str, Task] = {
    "encode": Task("The code of each row; of series, of each window.", _encode, OF_ROWS, gives_rows=False),
    "reconstruct": Task("Each row through the bottleneck and back.", lambda vae, rows, o: vae.reconstruct(rows, **o), OF_ROWS),
    "denoise": Task(
        "The expected clean row behind each row; the noise is estimated from all rows of the request.",
        lambda vae, rows, o: vae.denoise(rows, **o),
        OF_ROWS,
        by_row=False,
    ),
    "impute": Task("Rows with their missing values filled in.", lambda vae, rows, o: vae.impute(rows, **o), OF_ROWS),
    "anomalies": Task(
        "How unusual each row is: score, anomaly, conformal p-value, rank, and the fields that say most against it.",
        lambda vae, rows, o: vae.anomalies(rows, **o),
        OF_ANOMALIES,
        by_row=False,
        gives_rows=False,
        of_each=_anomalies_of_each,
    ),
    "score": Task("Log-density of each row, nats; of series, of each window.", _score, OF_ROWS, gives_rows=False),
    "sample": Task("New rows, or series that go on.", _sample, OF_SAMPLE, takes_rows=False),
}
