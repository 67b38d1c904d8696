"""One offline file: the page with a pack in it. It needs no network."""

from __future__ import annotations

import html
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latente.errors import DataError, LatenteError, LatenteWarning, StorageError
from latente.explorer.block import as_text
from latente.explorer.lesson import companion, lesson_models, rounded, some_of
from latente.explorer.pack import MIN_ROWS, PackedModel, pack, rows_of
from latente.explorer.survey import Survey
from latente.files import write_text
from latente.studies.generating import Nearness

if TYPE_CHECKING:
    from latente.certificate import Certificate
    from latente.estimator import VAE

PLACE = "<!--latente-pack-->"
NO_REQUEST = "connect-src 'none'"


def page(content: bytes, socket: str = "") -> str:
    """The page with a pack in it.

    Args:
        content: the pack.
        socket: address of the server's socket, the only one that the page may connect to.

    Raises:
        StorageError: this installation lacks the page.
    """
    try:
        template = (resources.files("latente.explorer") / "static" / "explorer.html").read_text(encoding="utf-8")
    except OSError as error:
        raise StorageError("the explorer's page is missing from this installation: 'make web' builds it") from error
    before, found, after = template.partition(PLACE)
    if not found:
        raise StorageError("the explorer's page in this installation has no place for a model: 'make web' builds it anew")
    if socket:
        before = before.replace(NO_REQUEST, f"connect-src {html.escape(socket)}", 1)
    return f'{before}<script type="application/x-latente-pack">{as_text(content)}</script>{after}'


def packed_model(
    vae: VAE,
    run: str | Path | None = None,
    data: Any = None,
    with_rows: bool = False,
    certificate: Certificate | None = None,
    labels: Mapping[str, Sequence[Any]] | None = None,
) -> PackedModel:
    """A model with its survey and certificate, from ``data``, from its run folder, or from training rows still in memory.

    Args:
        vae: the fitted estimator.
        run: its run folder with the survey and the certificate that a fit wrote there, or its file; the survey beside a file
            is used if it is of this model.
        data: rows, as ``fit`` takes them.
        with_rows: whether the page contains these rows and their codes.
        certificate: the model's certificate.
        labels: further columns to colour rows by.

    Raises:
        DataError: the rows do not have the model's columns, or are so few that sums over them would reveal single rows.
    """
    rows = None if data is None else rows_of(vae, data)
    if rows is not None and not with_rows and len(rows) < MIN_ROWS:
        raise DataError(
            f"measured by {len(rows)} row(s), a page would tell nearly what is in each: "
            f"give at least {MIN_ROWS}, or ask for a page with rows"
        )
    survey = None
    if run is not None:
        folder = Path(run) if Path(run).is_dir() else Path(run).parent
        survey = None if rows is not None else Survey.load(folder, vae)
        certificate = certificate or (_kept_certificate(folder) if survey or Path(run).is_dir() else None)
    return PackedModel(vae, survey or Survey.of(vae, rows), certificate, rows if with_rows else None, labels or {})


def _kept_certificate(folder: Path) -> Certificate | None:
    """The certificate in a run folder, if there is one; a damaged one, or one of another model, is skipped with a warning."""
    from latente.report.run_folder import CERTIFICATE, read_certificate

    if not (folder / CERTIFICATE).exists():
        return None
    try:
        return read_certificate(folder)
    except LatenteError as error:
        warnings.warn(f"the page has no certificate: {error}", LatenteWarning, stacklevel=2)
        return None


def export(path: str | Path, content: bytes) -> Path:
    """Write a pack as one offline file, atomically.

    Raises:
        StorageError: the file can't be written.
    """
    return write_text(path, page(content))


def demo_page(
    path: str | Path,
    vae: VAE,
    autoencoder: VAE,
    data: Any,
    labels: Sequence[Any],
    certificates: tuple[Certificate | None, Certificate | None] = (None, None),
    seed: int = 0,
    others: Any = None,
) -> Path:
    """The page of ``latente demo``: a VAE beside an autoencoder of the same pictures, with the lesson and with the rows (which
    are public, because they come with scikit-learn).

    Args:
        path: of the file to write.
        vae, autoencoder: the two models.
        data: the data they were fitted on. labels: the label of each row.
        certificates: those of the two models.
        seed: seed of the lesson's models.
        others: pictures that took no part in the fit; the page counts hits as :class:`latente.studies.generating.Nearness`.
    """
    models = [
        packed_model(rounded(model), data=data, with_rows=True, certificate=certificate, labels={"digit": labels})
        for model, certificate in zip((vae, autoencoder), certificates, strict=True)
    ]
    near = None if others is None else _near(vae, others)
    return export(path, pack("latente demo", models, lesson_models(data, seed), near=near))


def _near(vae: VAE, others: Any) -> float:
    """The distance to a training picture within which 95% of other pictures are."""
    hand = vae.fitted_.at_hand
    assert hand is not None
    train, real = (rows.x.flatten(1).double().numpy() for rows in (hand.train, rows_of(vae, others)))
    return Nearness.of(train, real).limit


def lesson_page(
    title: str,
    data: Any,
    vae: VAE,
    certificate: Certificate | None = None,
    seed: int = 0,
    progress: Callable[[str], None] = lambda what: None,
    served: bool = False,
) -> tuple[list[VAE], bytes]:
    """A pack with the lesson on one's own data: a model, an autoencoder beside it, the small models, and at most 2,000 rows.

    Args:
        title: of the page.
        data: whatever ``fit`` takes: the data of the model.
        vae: the fitted model. certificate: of the model.
        seed: of the other models.
        progress: called with a description of each fit before it begins.
        served: whether the page has a server.

    Returns:
        The models that the page shows, and the pack.
    """
    rows = some_of(data)
    progress("autoencoder")
    vaes = [vae, companion(vae, rows, seed)] if vae.model_.has_rate else [vae]
    kept = [certificate, *(None for _ in vaes[1:])]
    models = [
        packed_model(rounded(each), data=rows, with_rows=True, certificate=of) for each, of in zip(vaes, kept, strict=True)
    ]
    return vaes, pack(title, models, lesson_models(rows, seed, progress), served)
