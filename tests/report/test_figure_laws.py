"""Laws of every figure: its words are inside it and apart from each other, and what a legend lists is drawn."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.text import Text

from latente.certificate.estimates import Estimate
from latente.report import figures
from latente.report.bottleneck import rate_distortion
from latente.studies.tradeoff import COLUMNS, LINEAR, Point, Tradeoff
from latente.words import speaking

rng = np.random.default_rng(0)
ROWS = 200
CODES = rng.normal(size=(ROWS, 2))
LAW = (np.zeros((1, 2)), np.eye(2)[None], np.ones(1))


def levels(*names: str) -> Any:
    return np.array(names, object)[rng.integers(len(names), size=ROWS)]


STATES = ("Married-civ-spouse", "Never-married", "Married-spouse-absent", "Separated")
TABLES: dict[str, dict[str, Any]] = {
    "people": {
        "marital-status": levels(*STATES),
        "native-country-of-the-household": levels("United-States", "Philippines", "Puerto-Rico", "Trinadad&Tobago"),
        "relationship": levels("Husband", "Not-in-family", "Other-relative"),
        "fnlwgt": rng.lognormal(12, 0.5, ROWS),
        "income": levels("<=50K", ">50K"),
        "capital-gain": np.where(rng.random(ROWS) < 0.9, 0.0, rng.uniform(1000, 99999, ROWS)),
        "occupation": levels("Exec-managerial", "Machine-op-inspct", "Adm-clerical"),
        "a second name that is far too long": levels(*STATES),
    },
    "few values": {
        "thal": np.append(0.0, rng.integers(1, 4, ROWS - 1)).astype(float),
        "uneven": rng.choice([0.0, 1.0, 1000.0, 1001.0], ROWS),
        "tiny": rng.uniform(0, 3e-3, ROWS),
        "huge": rng.normal(5e8, 1e8, ROWS),
        "day": np.datetime64("2019-11-01", "s") + rng.integers(0, 500, ROWS).astype("timedelta64[D]"),
        "one": np.ones(ROWS),
    },
}


@pytest.fixture(params=["en", "es"], autouse=True)
def language(request: pytest.FixtureRequest) -> Any:
    with speaking(request.param) as said:
        yield said


def laid_out(panels: Axes | list[Axes]) -> Figure:
    """The figure of the panels as it is drawn on paper."""
    first = panels if isinstance(panels, Axes) else panels[0]
    figure = first.get_figure(root=True)
    assert isinstance(figure, Figure)
    FigureCanvasAgg(figure).draw()
    return figure


def marks_of(panel: Axes) -> list[list[Text]]:
    """The marks that are drawn on each axis of a panel."""
    if not panel.axison:
        return [[], []]
    return [[tick.label1 for tick in axis._update_ticks()] for axis in (panel.xaxis, panel.yaxis)]  # type: ignore[attr-defined]


def words_of(figure: Figure) -> list[Text]:
    """Every text of a figure that is drawn."""
    panels = [panel for outer in figure.axes for panel in (outer, *outer.child_axes)]
    drawn = {id(mark) for panel in panels for marks in marks_of(panel) for mark in marks}
    axes = [axis for panel in panels for axis in (panel.xaxis, panel.yaxis)]
    ticks = {id(text) for axis in axes for tick in (*axis.majorTicks, *axis.minorTicks) for text in tick.findobj(Text)}
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_visible()]
    return [text for text in texts if text.get_text().strip() and (id(text) not in ticks or id(text) in drawn)]


def assert_readable(panels: Axes | list[Axes]) -> None:
    """All words are on the canvas, and no two of them one over the other."""
    figure = laid_out(panels)
    places = {text: text.get_window_extent() for text in dict.fromkeys(words_of(figure))}
    outside = [
        text.get_text()
        for text, place in places.items()
        if min(place.x0, place.y0) < -0.5 or place.x1 > figure.bbox.x1 + 0.5 or place.y1 > figure.bbox.y1 + 0.5
    ]
    assert not outside
    shrunk = {text: place.padded(-0.5) for text, place in places.items()}
    assert not [
        (one.get_text(), other.get_text()) for one, other in combinations(shrunk, 2) if shrunk[one].overlaps(shrunk[other])
    ]


@pytest.mark.parametrize("name", TABLES)
def test_columns_of_mixed_tables_are_readable(name: str) -> None:
    table = TABLES[name]
    mixed = {column: np.roll(values, 1) for column, values in table.items()}
    assert_readable(figures.reconstructions(table, mixed))
    assert_readable(figures.samples(mixed, table))


def test_all_of_few_values_are_in_sight_and_the_diagonal_goes_from_corner_to_corner() -> None:
    table = {"thal": TABLES["few values"]["thal"]}
    (panel,) = figures.reconstructions(table, table)
    laid_out(panel)
    assert panel.get_xlim() == panel.get_ylim() == tuple(panel.lines[0].get_xdata())
    assert [float(tick) for tick in panel.get_xticks()] == [0, 1, 2, 3]
    assert panel.get_xlim()[0] < 0 and panel.get_xlim()[1] > 3
    assert not panel.texts  # R² is not over the dots


COLOURS = {
    "status": levels(*STATES),
    "a level": levels("a name that is far too long for a legend beside a map", "b"),
    "age": rng.uniform(20, 80, ROWS),
    "weight": rng.lognormal(12, 0.5, ROWS),
    "stretch": rng.uniform(0.815, 0.845, ROWS),
}


@pytest.mark.parametrize("count", [1, 2, 5])
def test_maps_are_readable_and_what_tells_their_colours_stands_beside_them(count: int) -> None:
    panels = figures.latent_maps(CODES, dict([*COLOURS.items()][-count:]), density=LAW)
    assert_readable(panels)
    assert laid_out(panels).axes == panels
    for panel in panels:
        for key in [panel.get_legend(), *panel.child_axes]:
            if key is not None:
                assert 0 < key.get_window_extent().x0 - panel.bbox.x1 < 0.1 * panel.bbox.width


@pytest.mark.parametrize("name", [*COLOURS, ""])
def test_a_map_is_readable(name: str) -> None:
    assert_readable(figures.latent_map(CODES, COLOURS.get(name), density=LAW, title="2 of 8", colour_name=name))


def test_dots_and_crosses_are_whole_or_not_there() -> None:
    codes = np.concatenate([CODES, [[60.0, 0.0]]])
    hole = np.arange(len(codes)) % 3 == 0
    panels = [*figures.latent_maps(codes, {"a": hole.astype(float)}), *figures.posterior_against_samples(
        codes, 0.1 + 0 * codes, {"a": (codes, hole)})]  # fmt: skip
    for panel in panels:
        dots = [dots for dots in panel.collections if isinstance(dots, PathCollection) and len(dots.get_offsets())]
        assert dots and not any(part.get_clip_on() for part in dots)
        places = np.concatenate([np.asarray(part.get_offsets()) for part in dots])
        (left, right), (low, high) = panel.get_xlim(), panel.get_ylim()
        assert ((places >= [left, low]) & (places <= [right, high])).all()


@pytest.mark.parametrize("dimensions", [1, 2])
def test_laws_of_the_codes_are_readable(dimensions: int) -> None:
    codes = CODES[:, :dimensions]
    drawn = {"prior N(0, I): 2% fall into holes": (codes, codes[:, 0] > 1), "fitted law": (codes, codes[:, 0] < -1)}
    panels = figures.posterior_against_samples(codes, 0.1 + 0 * codes, drawn, axis_names=("z₁", "z₁₀"))
    assert_readable(panels)


def test_how_training_went_is_readable() -> None:
    history = [
        {"epoch": k, "train_loss": 27 + 1 / k, "held_out_loss": 28 + 1 / k, "train_rate": 0.3 / k, "held_out_rate": 0.2 / k}
        for k in range(1, 4)
    ]
    assert_readable(figures.training_curve(history, best_epoch=3))
    assert_readable(figures.space_measures([("completeness", 0.5, 0.4, 0.6), (" PCA", 0.4, np.nan, np.nan)]))


def test_columns_and_rows_as_heat_maps_are_readable() -> None:
    numbers = {f"a column with the number {k}": rng.normal(size=ROWS) for k in range(30)}
    for table in (*TABLES.values(), numbers):
        assert_readable(figures.correlations(table, table))
    assert_readable(figures.all_columns({name: (k / 30, 1 - k / 30) for k, name in enumerate(numbers)}))
    names, rows = [*numbers], [str(1000 * k) for k in range(ROWS)]
    away = np.abs(rng.normal(size=(ROWS, len(names))))
    assert_readable(figures.errors_by_column(away, names, rows))
    assert_readable(figures.errors_by_column(away[:1, :1], names[:1], rows[:1]))
    for count in (1, 30):
        assert_readable(figures.anomalies(away.sum(1), away[:, :count], names[:count], rows, threshold=30.0))


@pytest.mark.parametrize("d", [1, 3, 9, 40])
def test_dimensions_of_a_code_are_readable(d: int) -> None:
    codes, steps = rng.normal(size=(ROWS, d)), np.linspace(-2, 2, 7)
    assert_readable(figures.kl_by_dimension(rng.random(d)))
    assert_readable(figures.corner(codes))
    columns = [{f"a column with the number {k}": k * steps for k in range(6)}] * min(d, 8)
    assert_readable(figures.traversal(columns, steps))
    assert_readable(figures.traversal(rng.random((min(d, 8), 7, 14, 14)), steps))


@pytest.mark.parametrize("name", [*COLOURS, ""])
def test_maps_of_codes_beside_pca_are_readable(name: str) -> None:
    panels = figures.beside_pca({"codes of the model": CODES, "PCA": -CODES}, COLOURS.get(name), colour_name=name)
    assert_readable(panels)
    dots = [np.asarray(panel.collections[-1].get_facecolor()) for panel in panels]
    assert len(dots[0]) == len(dots[1]) and np.array_equal(np.unique(dots[0], axis=0), np.unique(dots[1], axis=0))


@pytest.mark.parametrize("count", [1, 4, 30])
def test_heat_maps_of_the_strangest_pictures_are_in_order(count: int) -> None:
    pictures = np.random.default_rng(0).random((count, 9, 6))
    anomaly = np.random.default_rng(1).normal(size=count)
    panels = figures.heat_maps(pictures, 3 * pictures, anomaly)
    assert_readable(panels)
    titles = [float(panel.get_title("left")) for panel in panels[::2]]
    assert titles == sorted(titles, reverse=True) and len(titles) == min(10, count)
    worst = pictures[anomaly.argmax()]
    assert np.allclose(panels[1].images[0].get_array(), 3 * worst)


def test_reconstructions_from_the_worst_to_the_best_are_in_this_order() -> None:
    pictures = np.arange(12.0)[:, None, None] * np.ones((12, 4, 4))
    panel = figures.worst_to_best(pictures, pictures, pictures[:, 0, 0], limit=3)
    assert_readable(panel)
    shown = np.asarray(panel.images[0].get_array())[0, ::5, 0]
    assert list(shown) == sorted(shown, reverse=True)


def curve(
    sizes: list[tuple[int, float, float]], betas: list[tuple[float, float, float]], alone: float, **others: Any
) -> Tradeoff:
    """A trade-off of the last size, from (d, rate, distortion) and (beta, rate, distortion)."""
    chosen = others.get("chosen", sizes[-1][0])
    points = [Point("vae", d, 1.0, rate, distortion, 0.1) for d, rate, distortion in sizes]
    points += [Point("vae", chosen, beta, rate, distortion, 0.1) for beta, rate, distortion in betas]
    points += [Point(LINEAR, d, np.nan, rate, distortion, 0.1) for d, rate, distortion in others.get("linear", [])]
    points.append(Point(COLUMNS, 0, np.nan, 0.0, alone, 0.1))
    floor = Estimate(others["floor"]) if "floor" in others else Estimate(np.nan, reason="none here")
    return Tradeoff({"recipe": "vae"}, tuple(points), chosen, ("why",), floor)


TRADEOFFS = {
    "worse than no code": curve([(1, 0.143, 28.42), (2, 0.138, 28.59), (4, 0.066, 28.69)], [(4.0, 0.01, 28.6)], 28.4, chosen=1),
    "beside PCA": curve(
        [(1, 2.13, 30.9), (2, 4.74, 20.3), (4, 8.11, 13.0)], [(0.5, 10.06, 0.2), (2.0, 6.17, 15.6)], 43.3, floor=-0.2,
        linear=[(1, 2.2, 31.9), (2, 4.6, 29.6), (4, 6.2, 22.7)],
    ),
    "PCA out of sight": curve([(1, 2.1, 30.0), (2, 4.7, 20.0)], [(2.0, 2.9, 24.0)], 40, linear=[(1, 9.0, 10), (2, 2.0, 90)]),
    "close together": curve([(1, 1.0, 9.0), (2, 1.0, 9.1), (3, 1.02, 8.99)], [(0.5, 1.03, 8.98), (2, 0.9, 9.1)], 10, floor=8.9),
    "one point": curve([(1, 0.0, 3.0)], [], 3.0),
}  # fmt: skip


@pytest.mark.parametrize("name", TRADEOFFS)
def test_a_tradeoff_is_readable_and_shows_what_its_legend_lists(name: str) -> None:
    found = TRADEOFFS[name]
    panel = rate_distortion(found)
    assert_readable(panel)
    (left, right), (low, high) = panel.get_xlim(), panel.get_ylim()
    for point in found.of("vae"):
        assert left < point.rate < right and low < point.distortion < high
    legend = panel.get_legend()
    assert legend is not None
    assert legend.get_window_extent().y1 < panel.bbox.y0
    listed = [text.get_text() for text in legend.get_texts()]
    assert len(listed) == len(set(listed))
    for line in panel.lines:
        if line.get_label() in listed:
            x, y = np.asarray(line.get_xdata(), float), np.asarray(line.get_ydata(), float)
            across = line.get_transform() != panel.transData
            assert ((across | ((left <= x) & (x <= right))) & (low <= y) & (y <= high)).any()


@pytest.mark.parametrize("name", ["worse than no code", "beside PCA"])
def test_names_of_points_hide_no_mark(name: str) -> None:
    panel = rate_distortion(TRADEOFFS[name])
    laid_out(panel)
    for text in panel.texts:
        place = text.get_window_extent()
        for line in panel.lines:
            if line.get_marker() not in ("None", ""):
                marks = panel.transData.transform(np.column_stack(line.get_data()).astype(float))
                assert not ((marks > place.min) & (marks < place.max)).all(axis=1).any()
