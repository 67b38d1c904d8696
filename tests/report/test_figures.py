"""Every figure: the panels it promises, on good and on poor input, and no trace left in matplotlib."""

import os
import re
import warnings

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib._pylab_helpers import Gcf
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from latente.errors import StorageError
from latente.report import figures
from latente.report.drawing import maps, sheets, style, tables
from latente.words import speaking

rng = np.random.default_rng(0)
TABLE = rng.normal(size=(60, 4))
PICTURES = rng.uniform(size=(12, 8, 6))
HISTORY = [
    {"epoch": k, "train_loss": 20 + 900 / k**2, "held_out_loss": 22 + 900 / k**2, "train_rate": 5.0, "held_out_rate": 4.0}
    for k in range(1, 41)
]
LAW = (np.array([[0.0, 0.0], [3.0, 3.0]]), np.stack([np.eye(2), 0.3 * np.eye(2)]), np.array([0.7, 0.3]))


def side(count: int = 12) -> figures.Side:
    return figures.Side(PICTURES, PICTURES[:count], TABLE[:, :2], ("rebuilds", "makes up", "maps"))


def drawn(panels: Axes | list[Axes]) -> Figure:
    """The figure of the panels, every artist drawn (what is wrong with one shows only then); the layout is left out: slow."""
    figure = (panels if isinstance(panels, Axes) else panels[0]).get_figure(root=True)
    assert isinstance(figure, Figure)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.set_layout_engine("none")
        figure.draw_without_rendering()
    return figure


def words(panel: Axes) -> str:
    return " ".join(text.get_text() for text in panel.texts)


@pytest.mark.parametrize(
    "pictures",
    [PICTURES, PICTURES[..., None], PICTURES[:, None], np.repeat(PICTURES[..., None], 3, -1), PICTURES[:, None].repeat(3, 1)],
    ids=["NHW", "NHW1", "N1HW", "NHW3", "N3HW"],
)
def test_pictures_of_every_layout_are_two_rows(pictures):
    (panel,) = figures.reconstructions(pictures, pictures, limit=5)
    drawn(panel)
    shown = panel.images[0].get_array()
    assert shown.shape == (2 * 8 + 1, 5 * 6 + 4, 4)
    assert shown[0, 0].tolist() == pytest.approx([PICTURES[0, 0, 0]] * 3 + [1])


def test_bytes_keep_their_brightness_and_floats_beyond_one_are_stretched():
    assert sheets.value_range(np.full((1, 2, 2), 7, np.uint8)) == (0, 255)
    assert sheets.value_range(np.array([[[0.0, 16.0]]])) == (0, 16)
    assert sheets.value_range(np.array([[[0.2, np.nan]]])) == (0, 1)


def test_pixels_that_were_not_seen_are_marked():
    holed = PICTURES.copy()
    holed[0, 0, 0] = np.nan
    assert sheets.painted(holed, (0, 1))[0, 0, 0].tolist() == pytest.approx(style.UNSEEN)


@pytest.mark.parametrize("columns", [1, 5, 30])
def test_tables_have_a_panel_a_column_and_twelve_at_most(columns):
    table = rng.normal(size=(40, columns))
    for panels in (figures.reconstructions(table, 0.9 * table), figures.samples(table, table + 1)):
        assert len(panels) == min(columns, 12)
        assert len(drawn(panels).axes) == len(panels)


def test_wide_tables_go_from_the_best_to_the_worst_column():
    table = rng.normal(size=(200, 20))
    blurred = table + rng.normal(size=table.shape) * np.linspace(0, 2, 20)
    titles = [panel.get_title(loc="left") for panel in figures.reconstructions(table, blurred, limit=3)]
    assert titles[0] == "column 0"
    assert titles[-1] in {"column 18", "column 19"}


def test_r_squared_and_ks_distance_know_their_ends():
    values = rng.normal(size=500)
    assert tables.r_squared(values, values) == 1
    assert tables.r_squared(values, np.full(500, values.mean())) == pytest.approx(0)
    assert tables.ks_distance(values, values) == 0
    assert tables.ks_distance(values, values + 100) == 1


def test_samples_without_data_show_only_what_was_made():
    figure = drawn(figures.samples(TABLE))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["generated"]


def test_histogram_of_few_values_has_a_bin_for_each():
    binary = rng.integers(0, 2, 50).astype(float)
    assert tables.bins(binary, binary) == pytest.approx([-0.5, 0.5, 1.5])


def test_histogram_is_not_flattened_by_far_samples():
    edges = tables.bins(TABLE[:, 0], np.append(TABLE[:, 1], [1e6] * 20))
    assert np.ptp(edges) < 3 * np.ptp(TABLE[:, 0])


PAIR = TABLE[:, :2]
POOR_TABLES = {
    "no rows": PAIR[:0],
    "one row": PAIR[:1],
    "no columns": TABLE[:, :0],
    "constant": np.ones((20, 2)),
    "all missing": np.full((20, 2), np.nan),
    "some missing": np.where(PAIR > 0, PAIR, np.nan),
    "infinite": np.where(PAIR > 1, np.inf, PAIR),
    "huge": PAIR * 1e30,
    "whole": rng.integers(0, 4, (30, 2)),
    "true or false": rng.integers(0, 2, (30, 1)).astype(bool),
}


@pytest.mark.parametrize("table", POOR_TABLES.values(), ids=POOR_TABLES.keys())
def test_poor_tables_are_drawn(table):
    drawn(figures.reconstructions(table, table))
    drawn(figures.samples(table, table))


@pytest.mark.parametrize("pictures", [PICTURES[:0], PICTURES[:1], np.ones((3, 4, 4)), np.full((3, 4, 4), np.nan)])
def test_poor_pictures_are_drawn(pictures):
    drawn(figures.reconstructions(pictures, pictures))
    drawn(figures.samples(pictures))


POOR_CODES = {
    "no rows": PAIR[:0],
    "one row": PAIR[:1],
    "constant": np.zeros((9, 2)),
    "all missing": np.full((9, 2), np.nan),
    "some missing": np.where(PAIR > 1, np.nan, PAIR),
    "unlike scales": PAIR * [1, 1e6],
}


@pytest.mark.parametrize("codes", POOR_CODES.values(), ids=POOR_CODES.keys())
def test_poor_codes_are_mapped(codes):
    for colours in (np.arange(len(codes)) % 2, np.full(len(codes), np.nan)):
        drawn(figures.latent_map(codes, colours, density=LAW))


def test_a_law_without_width_is_left_out():
    flat = (np.zeros((1, 2)), np.zeros((1, 2, 2)), np.ones(1))
    drawn(figures.latent_map(PAIR, density=flat))


def test_codes_without_rows_say_so():
    assert "no codes" in words(figures.latent_map(PAIR[:0]))


def test_a_legend_beside_a_map_is_not_cut_off_in_a_notebook():
    panel = figures.latent_map(np.eye(2), np.array(["a", "b"]))
    figure = panel.get_figure(root=True)
    figure.draw_without_rendering()
    legend = panel.get_legend().get_window_extent()
    assert figure.get_tightbbox().x1 * figure.dpi > legend.x1  # what Jupyter shows


def test_classes_get_a_legend_and_measures_a_bar():
    codes = PAIR
    classes = figures.latent_map(codes, np.arange(60) % 3, ["a", "b", "c"], colour_name="kind")
    assert [text.get_text() for text in classes.get_legend().get_texts()] == ["a", "b", "c"]
    text = figures.latent_map(codes, np.array(["x", "y", "z"])[np.arange(60) % 3])
    assert [name.get_text() for name in text.get_legend().get_texts()] == ["x", "y", "z"]
    measured = figures.latent_map(codes, TABLE[:, 2], colour_name="age")
    assert measured.get_legend() is None
    assert [bar.get_ylabel() for bar in measured.child_axes] == ["age"]
    drawn(measured)


def test_a_class_that_is_missing_leaves_the_other_names_as_they_are():
    assert maps.as_classes(np.array([0, 2, 2]), ["a", "b", "c"])[0] == ["a", "c"]


def test_more_than_ten_classes_share_a_legend_of_ten():
    names, index = maps.as_classes(np.array([f"{k:02d}" for k in range(14) for _ in range(14 - k)]))
    assert names == [f"{k:02d}" for k in range(9)] + ["other"]
    assert np.bincount(index)[9] == sum(range(1, 6))


def test_a_map_is_drawn_into_the_panel_it_is_given():
    panel = Figure().add_subplot()
    assert figures.latent_map(PAIR, ax=panel) is panel


def test_the_law_is_drawn_where_its_mass_is():
    weights = maps.mixture_density(LAW, np.stack(np.meshgrid(np.arange(-6, 7, 0.1), np.arange(-6, 7, 0.1)), -1))
    assert weights.sum() * 0.01 == pytest.approx(1, abs=1e-3)


def test_a_million_codes_are_counted_or_sampled():
    many = rng.normal(size=(1_000_000, 2))
    assert figures.latent_map(many).collections[0].get_array().sum() > 990_000
    coloured = figures.latent_map(many, np.arange(len(many)) % 3)
    assert 0.99 * style.MAX_POINTS < len(coloured.collections[0].get_offsets()) <= style.MAX_POINTS
    assert "20,000 of 1,000,000" in words(coloured)


def test_training_curve_has_a_panel_for_the_rate_only_if_there_is_one():
    loss, distortion, rate = figures.training_curve(HISTORY, best_epoch=40)
    last = HISTORY[-1]
    assert distortion.lines[0].get_ydata()[-1] == pytest.approx(last["train_loss"] - last["train_rate"])
    drawn(loss)
    assert loss.get_ylim()[1] < 80
    assert rate.get_ylim()[0] == 0
    assert "best epoch: 40" in loss.get_title(loc="left")
    assert len(figures.training_curve([{**entry, "train_rate": 0.0, "held_out_rate": 0.0} for entry in HISTORY])) == 1


@pytest.mark.parametrize(
    "history",
    [[], HISTORY[:1], [{"epoch": 1, "train_loss": np.nan}], [{"epoch": 1, "train_loss": np.inf, "held_out_loss": 3.0}]],
    ids=["none", "one", "nan", "inf"],
)
def test_short_histories_are_drawn(history):
    drawn(figures.training_curve(history, best_epoch=1))


def test_both_models_have_three_panels_and_their_captions():
    panels = figures.ae_beside_vae(PICTURES, side(), side(), np.arange(60) % 10, density=LAW)
    assert [panel.get_title(loc="left") for panel in panels] == ["rebuilds", "makes up", "maps"] * 2
    assert {"0", "9"} <= set(words(panels[2]).split())
    drawn(panels)


def test_both_models_are_drawn_without_classes_and_without_rows():
    nothing = figures.Side(PICTURES[:0], PICTURES[:0], PAIR[:0], ("", "", ""))
    drawn(figures.ae_beside_vae(PICTURES[:0], nothing, nothing))
    drawn(figures.ae_beside_vae(PICTURES[:1], side(1), side(1)))


@pytest.mark.parametrize("table", [TABLE, np.tile(TABLE, 8)], ids=["4 columns", "32 columns"])
def test_panels_do_not_overlap(table):
    panels = figures.reconstructions(table, table, names=["a name that is far too long for its panel"] * table.shape[1])
    figure = panels[0].get_figure(root=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.draw_without_rendering()
    boxes = [panel.get_tightbbox() for panel in panels]
    assert not any(one.overlaps(other) for k, one in enumerate(boxes) for other in boxes[:k])


def test_saved_files_are_what_their_suffix_says(tmp_path):
    panels = figures.ae_beside_vae(PICTURES, side(), side())
    with Image.open(figures.save(panels, tmp_path / "both.png")) as picture:
        assert picture.size == (1600, 1000)
    assert figures.save(panels[0].get_figure(root=True), tmp_path / "both.SVG").read_text().lstrip().startswith("<?xml")
    assert {path.name for path in tmp_path.iterdir()} == {"both.png", "both.SVG"}


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_the_same_figure_gives_the_same_bytes(tmp_path, suffix):
    first, again = (
        figures.save(figures.latent_map(PAIR, np.arange(60) % 3, density=LAW), tmp_path / f"{k}.{suffix}").read_bytes()
        for k in range(2)
    )
    assert first == again
    assert b"dc:date" not in first


@pytest.mark.parametrize("name", ["map.jpg", "map"])
def test_figures_that_cannot_be_saved_leave_nothing(tmp_path, name):
    with pytest.raises(StorageError, match="map"):
        figures.save(figures.latent_map(PAIR), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_an_interrupted_save_keeps_the_file_that_was_there(tmp_path, monkeypatch):
    path = tmp_path / "map.png"
    path.write_bytes(b"before")
    panel = figures.latent_map(PAIR)
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(StorageError, match="No space left"):
        figures.save(panel, path)
    assert path.read_bytes() == b"before"
    assert [path] == list(tmp_path.iterdir())


def test_settings_stay_as_they_were_and_do_not_matter():
    with mpl.rc_context({"text.color": "red", "axes.facecolor": "black", "figure.facecolor": "black"}):
        before = dict(mpl.rcParams)
        panel = figures.latent_map(PAIR, title="codes")
        assert dict(mpl.rcParams) == before
    assert panel.get_facecolor() == (1, 1, 1, 1)


def test_pyplot_keeps_no_figure():
    drawn(figures.latent_map(PAIR))
    assert not Gcf.figs


DAYS = np.datetime64("2020-01-01", "s") + np.arange(60).astype("timedelta64[D]")
MIXED = {
    "number": TABLE[:, 0],
    "$x^2 $ <b>": np.where(TABLE[:, 1] > 1, np.nan, TABLE[:, 1]),
    "day": np.where(TABLE[:, 2] > 1, np.datetime64("NaT"), DAYS),
    "text": np.array(["a", "b", None], object)[np.arange(60) % 3],
    "nothing": np.full(60, None, object),
}


@pytest.mark.parametrize("rows", [60, 1, 0])
def test_columns_of_every_kind_are_drawn(rows):
    table = {name: column[:rows] for name, column in MIXED.items()}
    for panels in (figures.reconstructions(table, table), figures.samples(table, table), figures.samples(table)):
        assert [panel.get_title(loc="left") for panel in panels] == list(MIXED)
        drawn(panels)


def test_levels_are_compared_by_how_often_they_occur():
    even, odd = np.array(["a", "b"] * 10, object), np.array(["a", "a", "a", "b"] * 5, object)
    assert tables.level_gap(even, even) == 0
    assert tables.level_gap(even, odd) == pytest.approx(0.25)
    assert tables.level_gap(even, np.array(["c"], object)) == 1
    assert tables.rebuilt_right(odd, even) == (0.75, 0.75)


def test_many_levels_share_the_last_bar():
    many = np.array([f"{k:02d}" for k in range(20)], object)
    (panel,) = figures.samples({"town": many}, {"town": many})
    assert [text.get_text() for text in panel.get_yticklabels()][-1] == "other"


def test_the_law_is_inside_the_map():
    wide = (np.zeros((1, 2)), np.diag([25.0, 1.0])[None], np.ones(1))
    panel = figures.latent_map(PAIR, density=wide)
    assert panel.get_xlim()[0] < -5 * 2.448 and panel.get_xlim()[1] > 5 * 2.448


def test_each_colour_has_its_own_map():
    panels = figures.latent_maps(PAIR, {"one": TABLE[:, 2], "two": np.arange(60) % 3, "three": TABLE[:, 3]})
    assert [panel.get_title(loc="left") for panel in panels] == ["one", "two", "three"]
    drawn(panels)


@pytest.mark.parametrize("dimensions", [1, 2])
def test_holes_are_marked(dimensions):
    codes = TABLE[:, :dimensions]
    panels = figures.posterior_against_samples(
        codes, 0.1 + 0 * codes, {"a": (codes, codes[:, 0] > 1), "b": (codes, codes[:, 0] > 9)}
    )
    assert len(panels) == 2
    drawn(panels)


def test_a_code_of_one_dimension_has_a_line():
    panel = figures.code_line(TABLE[:, 0], np.where(TABLE[:, 0] > 0, "high", "low"), axis_names=("z", "text"))
    assert [text.get_text() for text in panel.get_yticklabels()] == ["low", "high"]
    drawn(panel)


def test_pictures_on_the_way_and_beside_each_other():
    panel = figures.walk(PICTURES[0], PICTURES[1:4], PICTURES[4])
    assert panel.images[0].get_array().shape == (8, 5 * 6 + 4, 4)
    drawn(panel)
    drawn(figures.real_beside_generated(PICTURES, PICTURES[:5]))


def test_figures_of_a_space_are_intervals():
    panel = figures.space_measures([("C", 0.5, 0.4, 0.6), (" PCA", 0.4, np.nan, np.nan), ("K", np.nan, np.nan, np.nan)])
    assert [text.get_text() for text in panel.get_yticklabels()] == ["C", "PCA"]
    drawn(panel)


def test_figures_speak_spanish_where_that_is_spoken():
    with speaking("es"):
        (panel,) = figures.samples(TABLE[:, :1], TABLE[:, :1])
        assert "generados" in figures.vector(panel)[0]
        assert re.search(r">0\.\d+<", figures.vector(figures.latent_map(PAIR / 3))[0])
    assert re.search(r">0\.\d+<", figures.vector(figures.latent_map(PAIR / 3))[0])
