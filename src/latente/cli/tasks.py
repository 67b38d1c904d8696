"""Common parts of all commands that use a trained model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latente.cli.console import Console, counted
from latente.cli.failures import Misused
from latente.cli.output import Destination, as_table, refuse_own_input
from latente.cli.reading import Reading

if TYPE_CHECKING:
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
    if vae.codec_.kind == "table":  # the result goes to a file, and the package of the frame may not be installed
        vae.codec_ = replace(vae.codec_, container="pyarrow")
    else:
        vae.codec_ = replace(vae.codec_, container="numpy")
    return vae


def makes_pictures(vae: VAE) -> bool:
    """Whether the rows of a model are pictures."""
    return vae.codec_.kind == "image"


def holds_text(vae: VAE) -> bool:
    """Whether the rows of a model have columns of text."""
    codec: Any = vae.codec_
    return codec.kind == "table" and bool(codec.counts.any())


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
        refuse_own_input([self.destination.path], self._inputs, force)
        if self.destination.path is None and console.json:
            raise Misused("--json needs -o FILE: without it, the rows themselves go to stdout")
        self.vae = open_model(run, unknown, reading)
        console.hear_warnings()
        self.pictures = makes_pictures(self.vae) and not numbers
        self.of_rows = not numbers
        self.destination = (
            self.destination.for_pictures(self.vae.codec_.shape[0])
            if self.pictures
            else self.destination.for_table(text or (not numbers and holds_text(self.vae)))
        )

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
            place.write(result if self.pictures else as_table(result, self.vae.codec_.feature_names), self.vae, source)
            self.console.say(f"{counted(len(result), 'row')} in {place.path}")
        return [place.path for place in others]

    def finish(self, result: Any, names: tuple[str, ...] | None = None, source: Any = None, **figures: Any) -> None:
        """Write the result, and print its path.

        Args:
            result: pictures, a frame, or an array with the ``names`` of its columns (by default those of the model).
            source: the input rows, if observed values should be written as they are there.
            figures: additional values for --json.
        """
        result = result if self.pictures else as_table(result, names or self.vae.codec_.feature_names)
        self.destination.write(result, self.vae if self.of_rows else None, source)
        if self.destination.path is None:
            return
        columns = list(result.shape[1:]) if self.pictures else result.column_names
        what = counted(len(result), "picture" if self.pictures else "row")
        self.console.say(
            f"{what}{'' if self.pictures else ' of ' + counted(len(columns), 'column')} in {self.destination.path}"
        )
        shape = {"picture_shape": columns} if self.pictures else {"columns": columns}
        self.console.report({"out": self.destination.path, "rows": len(result), **shape, **figures})
