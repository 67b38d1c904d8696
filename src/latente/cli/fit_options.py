"""The options of ``latente fit``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from latente.cli import options


class Precision(StrEnum):
    """Precision of the networks."""

    auto = "auto"
    float32 = "float32"
    bfloat16 = "bfloat16"


class Effort(StrEnum):
    """How much to search for a better model."""

    quick = "quick"
    balanced = "balanced"
    best = "best"


class RowModelKind(StrEnum):
    """The model that scores, samples and completes rows."""

    auto = "auto"
    latent = "latent"
    autoregressive = "autoregressive"


RecipeText = Annotated[
    str,
    typer.Option(
        "--recipe", "-r", metavar="NAME[:ARGUMENT=VALUE]…", help="A model of 'latente recipes', such as beta-vae:beta=2."
    ),
]
RunFolder = Annotated[
    str,
    typer.Option(
        "--out", "-o", metavar="RUN", help="Folder of the run.", show_default="./NAME-RECIPE, NAME being that of DATA"
    ),
]
LatentDim = Annotated[Any, typer.Option("--latent-dim", parser=options.whole, metavar="D", help="Dimensions of the code.")]
Hidden = Annotated[
    Any, typer.Option("--hidden", parser=options.widths, metavar="W,W,…", help="Widths of layers, such as 64,32.")
]
LikelihoodText = Annotated[
    str,
    typer.Option(
        "--likelihood",
        metavar="NAME[:ARGUMENT=VALUE]…",
        help="normal, student-t, bernoulli or continuous-bernoulli, such as normal:sigma=shared.",
    ),
]
MaxEpochs = Annotated[
    Any, typer.Option("--max-epochs", parser=options.whole, metavar="N", help="Passes over the training rows.")
]
TimeLimit = Annotated[
    Any,
    typer.Option(
        "--time-limit", parser=options.limit, metavar="SECONDS", help="Longest duration of the fit.", show_default="no limit"
    ),
]
EffortName = Annotated[
    Effort,
    typer.Option("--effort", help="quick trains once; balanced compares two starts; best adds runs up to 12 × as long."),
]
RowModelName = Annotated[
    RowModelKind,
    typer.Option(
        "--row-model",
        help="The model that scores, samples and completes rows: latent is the model itself, autoregressive a separate model "
        "of the columns; auto is the latter for a mixed table with --recipe auto.",
    ),
]
Keep = Annotated[
    Any,
    typer.Option(
        "--keep",
        parser=options.share,
        metavar="SHARE",
        help="Share of the variance that the code has to keep, such as .9. auto is the share that PCA with as many dimensions "
        "keeps, if a separate row model scores rows.",
    ),
]
Trim = Annotated[
    Any,
    typer.Option(
        "--trim",
        parser=options.trim,
        metavar="SHARE|auto",
        help="Share of the rows that are anomalies and are not learned, such as .05; auto leaves out those that are too far "
        "from the others.",
        show_default="0",
    ),
]
BatchSize = Annotated[Any, typer.Option("--batch-size", parser=options.whole, metavar="N", help="Rows in a step.")]
LearningRate = Annotated[Any, typer.Option("--learning-rate", parser=options.positive, metavar="X", help="Of the optimiser.")]
Device = Annotated[Any, typer.Option("--device", parser=options.device, metavar="NAME", help="auto, cpu, cuda, cuda:1 or mps.")]
PrecisionName = Annotated[Precision, typer.Option("--precision", help="Of the networks; densities are always float32.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Continue an interrupted run; the result is identical to that of an uninterrupted one.")
]
CheckpointEvery = Annotated[
    Any,
    typer.Option("--checkpoint-every", parser=options.positive, metavar="SECONDS", help="Time between two checkpoints in RUN."),
]
KindsOfColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--kinds",
        metavar="COLUMN=KIND",
        help="Kind of a column, to correct the detected one: real, positive, bounded, count, integer, ordinal, binary, "
        "categorical, calendar, time, duration, flag (one value, or missing), constant (one value, which replaces missing "
        "ones), or identifier, text and timestamp, which are not modelled. May be repeated.",
    ),
]
Public = Annotated[
    list[str] | None,
    typer.Option(
        "--public",
        metavar="COLUMN=LOW:HIGH",
        help="What is public of a column, for --recipe dp-vae: its bounds, or its values (sex=f,m). A ? among them says that "
        "values may be missing (age=0:120,?). LOW:HIGH alone is for all columns; a file holds public rows. May be repeated.",
    ),
]
ContextColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--context",
        metavar="COLUMN",
        help="A column to condition on, which is not modelled itself. May be repeated. Figures and certificate are not made, "
        "because they describe one context.",
    ),
]
LabelColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--labels",
        metavar="COLUMN",
        help="A column that colours the maps of the report, and is not modelled. May be repeated.",
    ),
]
TimeColumn = Annotated[
    str | None,
    typer.Option(
        "--time",
        metavar="COLUMN",
        help="The rows are steps of series, with their time in this column; auto is the only column of dates, or else the "
        "order of the rows. The model is one of windows of steps.",
        show_default="the rows are no series",
    ),
]
EntityColumn = Annotated[
    str | None,
    typer.Option("--entity", metavar="COLUMN", help="Tells series apart.", show_default="one"),
]
Window = Annotated[
    Any,
    typer.Option("--window", parser=options.whole, metavar="N", help="Steps of a window; auto is a period of the series."),
]
Stride = Annotated[
    Any, typer.Option("--stride", parser=options.whole, metavar="N", help="Steps between the beginnings of two windows.")
]
Figures = Annotated[bool, typer.Option("--figures/--no-figures", help="Draw figures, and write the report with them.")]

Lesson = Annotated[
    bool,
    typer.Option(
        "--lesson",
        help="Also write RUN/lesson.html: six steps on your data, with some small models and at most 2,000 of its rows, which "
        "anyone who has the file can read.",
    ),
]
Certified = Annotated[bool, typer.Option("--certificate/--no-certificate", help="Measure the latent space, too.")]
