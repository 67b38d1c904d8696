"""Common parts of all commands that use a trained model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from latente.cli.console import Console, counted
from latente.cli.failures import Misused
from latente.cli.output import Destination, as_table, refuse_own_input
from latente.cli.reading import Reading
from latente.rows import IMAGE, SCALAR, SERIES, layout_of

if TYPE_CHECKING:
    from latente.data import Pieces
    from latente.estimator import VAE


def open_model(run: str, unknown: str | None = None, reading: Reading | None = None) -> VAE:
    """The model of a run folder, or of a file.

    Args:
        run: the folder, or the file.
        unknown: how to treat unknown texts, if not as in the fit. reading: how to read data, if not as in the fit.

    Raises:
        StorageError: there is none, or it can't be read.
    """
    from latente.report.run import open_run

    vae = open_run(run).model
    vae.unknown, vae.fitted_.reading = str(unknown or vae.unknown), reading or {}
    # The result goes to a file, and the package of the frame may not be installed.
    vae.codec_ = vae.codec_.in_container(vae.codec_.interchange)
    return vae


class Form(NamedTuple):
    """How results of a layout are written.

    Attributes:
        placed: checks that rows of a codec, with or without text, can be written to a destination.
        made: converts a result, with the names of its columns, to the form that is written.
        shape: the shape of a row, for --json. said: the size of the result, for people.
        private: whether the privacy of generated rows is measured.
    """

    placed: Callable[[Destination, Any, bool], Destination]
    made: Callable[[Any, Sequence[str]], Any]
    shape: Callable[[Any], dict[str, Any]]
    said: Callable[[Any], str]
    private: bool


def _said(table: Any) -> str:
    return f"{counted(len(table), 'row')} of {counted(len(table.column_names), 'column')}"


_TABLE = Form(Destination.for_table, as_table, lambda table: {"columns": table.column_names}, _said, True)
FORMS = {
    SCALAR: _TABLE,
    SERIES: _TABLE._replace(private=False),
    IMAGE: Form(
        Destination.for_pictures,
        lambda pictures, names: pictures,
        lambda pictures: {"picture_shape": list(pictures.shape[1:])},
        lambda pictures: counted(len(pictures), "picture"),
        False,
    ),
}


class Task:
    """One use of a trained model: from options to output.

    Args:
        run: run folder or model file.
        out: the value of ``-o``.
        console: for output.
        data: a further input; it is not overwritten without ``force``.
        unknown: how to treat unknown texts. reading: how to read data.
        numbers: whether the result is always a table; ``text``: whether that has text columns.
    """

    def __init__(
        self,
        run: str,
        out: str,
        console: Console,
        *,
        data: str = "",
        force: bool = False,
        unknown: str | None = None,
        reading: Reading | None = None,
        numbers: bool = False,
        text: bool = False,
    ) -> None:
        self.destination, self.console, self._inputs, self._force = Destination.of(out), console, [run, data], force
        self._how: dict[str, Any] = {"unknown": unknown and str(unknown), "reading": reading or {}}
        refuse_own_input([self.destination.path], self._inputs, force)
        if self.destination.path is None and console.json:
            raise Misused("--json needs -o FILE: without it, the rows themselves go to stdout")
        self.vae = open_model(run, unknown, reading)
        console.hear_warnings()
        codec, self.of_rows = self.vae.codec_, not numbers
        self.form = FORMS[SCALAR if numbers else layout_of(codec.fields)]
        text = text or (not numbers and any(codec.known_levels.values()))
        self.destination = self.form.placed(self.destination, codec, text)

    def say(self, text: str) -> None:
        """Print a result on stdout or, if the rows go there, on stderr."""
        (self.console.remark if self.destination.path is None else self.console.say)(text)

    def others(self, marks: Sequence[str]) -> list[Destination]:
        """Destinations beside OUT, one for each mark.

        Raises:
            Misused: they would replace an input.
        """
        found = self.destination.beside(marks) if marks else []
        refuse_own_input([place.path for place in found], self._inputs, self._force)
        return found

    def beside(self, others: list[Destination], results: Iterable[Any], source: Any = None) -> list[Path | None]:
        """Write several results to their destinations, and print these."""
        for place, result in zip(others, results, strict=True):
            place.write(self.form.made(result, self.vae.codec_.feature_names), self.vae, source)
            self.console.say(f"{counted(len(result), 'row')} in {place.path}")
        return [place.path for place in others]

    def in_shards(self, task: str, workers: int = 1, **options: Any) -> dict[str, Any] | None:
        """Do a task a row group at a time, if the data are Parquet files with several of them, or a text file that is too large
        for memory, and write the result.

        Args:
            task: a key of :data:`latente.shards.TASKS`. workers: processes. options: of the task.

        Returns:
            Figures of the result; None if the rows are to be read as a whole.
        """
        from latente import shards

        run = self._inputs[0]
        pieces = self._pieces() if self.destination.takes_pieces else None
        if pieces is None or self.form is not FORMS[SCALAR] or (workers == 1 and len(pieces) <= pieces.at_once):
            return None
        job = shards.Job(run, task, tuple(map(str, pieces.files)), options, **self._how)
        figures: dict[str, Any] = {}
        if task == "denoise":
            job, figures["noise"] = shards.with_noise(job, options["noise"])
        assert self.destination.path is not None
        folder = self.destination.path.with_name(f"{self.destination.path.name}.parts")
        parts = shards.run(job, folder, shards.on_processes(workers), self._tell)
        figures |= self._joined(shards.results(job, parts))
        shards.remove(folder)
        return figures

    def _tell(self, done: int, of: int) -> None:
        self.console.progress(f"{done:,} of {of:,} row groups")

    def _pieces(self) -> Pieces | None:
        """The data in pieces, if they can be read so."""
        return self.vae.fitted_.pieces(self._inputs[1], also_small=True, **self._how["reading"])

    def _joined(self, tables: Iterable[Any]) -> dict[str, Any]:
        """Write tables one after the other, and tell of it; returns how many rows are anomalous, where that is a column."""
        import pyarrow.compute as pc

        anomalous, names = 0, []

        def counted_tables() -> Iterator[Any]:
            nonlocal anomalous, names
            for table in tables:
                names = table.column_names
                anomalous += pc.sum(table["anomalous"]).as_py() or 0 if "anomalous" in names else 0
                yield table

        rows = self.destination.write_all(counted_tables(), self.vae if self.of_rows else None)
        self.console.say(f"{counted(rows, 'row')} of {counted(len(names), 'column')} in {self.destination.path}")
        figures = {"anomalous": anomalous} if "anomalous" in names else {}
        self.console.report({"out": self.destination.path, "rows": rows, "columns": names, **figures})
        return figures

    def finish(self, result: Any, names: tuple[str, ...] | None = None, source: Any = None, **figures: Any) -> None:
        """Write the result, and print its path.

        Args:
            result: pictures, a frame, or an array with the ``names`` of its columns (by default those of the model).
            source: the input rows, if observed values should be written as they are there.
            figures: additional values for --json.
        """
        result = self.form.made(result, names or self.vae.codec_.feature_names)
        self.destination.write(result, self.vae if self.of_rows else None, source)
        if self.destination.path is None:
            return
        self.console.say(f"{self.form.said(result)} in {self.destination.path}")
        self.console.report({"out": self.destination.path, "rows": len(result), **self.form.shape(result), **figures})
