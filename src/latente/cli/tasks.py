"""What all commands that use a trained model have in common."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latente.cli.console import Console, counted
from latente.cli.failures import Misused
from latente.cli.output import Destination, as_table, refuse_own_input
from latente.cli.reading import Reading
from latente.errors import StorageError

if TYPE_CHECKING:
    from latente.estimator import VAE


def open_model(run: str, unknown: str | None = None, reading: Reading | None = None) -> VAE:
    """The model of a run folder, or of a file.

    Args:
        run: the folder, or the file.
        unknown: what texts are that it was not fitted on, if not as it says. reading: how data is read, if not as in its fit.

    Raises:
        StorageError: there is none, or it can't be read.
    """
    path = model_file(run)
    from latente.estimator import load

    vae = load(path)
    vae.unknown, vae.fitted_.reading = str(unknown or vae.unknown), reading or {}
    if vae.codec_.kind == "table":  # what comes out goes to a file: no frame of a package that may not be installed here
        vae.codec_ = replace(vae.codec_, container="pyarrow")
    else:
        vae.codec_ = replace(vae.codec_, container="numpy")
    return vae


def model_file(run: str) -> Path:
    """Where the model of a run is.

    Raises:
        StorageError: there is none.
    """
    from latente.folders import finish
    from latente.report.run_folder import CHECKPOINT, MODEL

    path = Path(run)
    finish(path)
    if not path.exists():
        raise StorageError(f"there is no run folder and no model file {run!r}; 'latente fit DATA -o {run}' makes one")
    if not path.is_dir():
        if re.search(DATA_FILES, path.name, re.IGNORECASE):
            raise StorageError(f"{run!r} is data, and no run: name here the folder of a run, such as 'latente fit {run}' makes")
        return path
    if not (path / MODEL).exists():
        unfinished = (path / CHECKPOINT).is_dir()
        hint = "its fit was not finished: go on with 'latente fit … --resume'" if unfinished else f"there is no {MODEL} in it"
        raise StorageError(f"{run!r} is not a run folder with a model: {hint}")
    return path / MODEL


def makes_pictures(vae: VAE) -> bool:
    """Whether the rows of a model are pictures."""
    return vae.codec_.kind == "image"


def holds_text(vae: VAE) -> bool:
    """Whether the rows of a model have columns of text."""
    codec: Any = vae.codec_
    return codec.kind == "table" and bool(codec.counts.any())


DATA_FILES = r"\.(csv|tsv|txt|parquet|npy|npz)(\.gz)?$"


class Task:
    """One use of a trained model: from its options to what is written and said.

    Args:
        run: run folder or model file.
        out: what ``-o`` says.
        console: how to speak.
        data: what is read beside the run; it is not written over, but by ``force``.
        unknown: what texts are that the model was not fitted on. reading: how data is to be read.
        numbers: whether a table comes out whatever the rows of the model are; ``text``: whether it holds text.
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
        """Places beside OUT, one for each mark.

        Raises:
            Misused: they would replace what is read.
        """
        found = self.destination.beside(marks) if marks else []
        refuse_own_input([place.path for place in found], self._inputs, self._force)
        return found

    def beside(self, others: list[Destination], results: Iterable[Any], source: Any = None) -> list[Path | None]:
        """Write several results to places of their own, and say where they are."""
        for place, result in zip(others, results, strict=True):
            place.write(result if self.pictures else as_table(result, self.vae.codec_.feature_names), self.vae, source)
            self.console.say(f"{counted(len(result), 'row')} in {place.path}")
        return [place.path for place in others]

    def finish(self, result: Any, names: tuple[str, ...] | None = None, source: Any = None, **figures: Any) -> None:
        """Write what came out, and say where it is.

        Args:
            result: pictures, a frame, or an array with the ``names`` of its columns (by default those of the model).
            source: the same rows as they came, if what was observed is to be written as it stands there.
            figures: more to tell a program.
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
