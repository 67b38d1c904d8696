"""The run folder: what is written, in which order, and what its figures are made from."""

import json
import warnings

import numpy as np
import pytest

import latente as lt
from latente.explorer import survey
from latente.model.fitted_priors import FlowPrior
from latente.report import run_folder, scenes
from latente.report.report_data import ReportData, by_information, explained, mixture_on
from latente.report.run_folder import claim, write_run


@pytest.fixture(scope="module")
def one_dimension(table):
    return lt.VAE(latent_dim=1, max_epochs=2, random_state=0).fit(table[:, :4])


def test_everything_is_written_and_told(fitted_digits, digits, tmp_path):
    paths = write_run(fitted_digits, digits, tmp_path / "run")
    assert list(paths) == ["model", "history", "metrics", "reconstructions", "samples", "latent_map", "training_curve"]
    assert sorted(paths.values()) == sorted(path for path in (tmp_path / "run").rglob("*") if path.is_file())
    assert np.array_equal(lt.load(paths["model"]).transform(digits[:9]), fitted_digits.transform(digits[:9]))
    assert json.loads(paths["metrics"].read_text())["loss"] == fitted_digits.figures_["loss"]
    assert len(paths["history"].read_text().splitlines()) == 1 + len(fitted_digits.history_)


@pytest.mark.parametrize("container", [np.asarray, pytest.param("pandas"), pytest.param("polars")])
def test_tables_of_any_container(one_dimension, table, tmp_path, container):
    if isinstance(container, str):
        module = pytest.importorskip(container)
        frame = module.DataFrame({f"x{k}": table[:, k] for k in range(4)})
    else:
        frame = container(table[:, :4])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        paths = write_run(one_dimension, frame, tmp_path / "run")
    assert len(paths) == 7, "a code of one dimension has a map, too"


def test_a_figure_that_fails_does_not_cost_the_model(fitted_table, table, tmp_path, monkeypatch):
    write_run(fitted_table, table, tmp_path / "run")

    def broken(shown):
        raise ZeroDivisionError("no luck")

    monkeypatch.setitem(scenes.SCENES, "samples", broken)
    with pytest.warns(lt.LatenteWarning, match=r"samples.png could not be drawn \(ZeroDivisionError: no luck\)"):
        paths = write_run(fitted_table, table, tmp_path / "run")
    assert "samples" not in paths
    assert "training_curve" in paths
    assert not (tmp_path / "run/figures/samples.png").exists(), "that of the earlier model"


def test_a_run_that_is_not_written_whole_leaves_the_earlier_one(fitted_table, table, tmp_path, monkeypatch):
    def stopped(shown):
        raise KeyboardInterrupt

    run = tmp_path / "run"
    monkeypatch.setitem(scenes.SCENES, "reconstructions", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_run(fitted_table, table, run)
    assert not run.exists()
    write_run(fitted_table, None, run)
    before = {path: path.read_bytes() for path in run.iterdir()}
    with pytest.raises(KeyboardInterrupt):
        write_run(fitted_table, table, run)
    assert {path: path.read_bytes() for path in run.iterdir()} == before


def test_each_file_of_a_run_is_known():
    assert survey.FILE in run_folder.FILES


def test_only_a_new_folder_or_a_run_can_be_claimed(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "run/checkpoint").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/file").write_text("")
    for good in ("empty", "run", "new", "deep/new"):
        assert claim(tmp_path / good) == tmp_path / good
    assert not (tmp_path / "new").exists()
    for bad in ("other", "other/file", "other/file/run"):
        with pytest.raises(lt.StorageError):
            claim(tmp_path / bad)


def test_what_an_earlier_model_left_is_not_kept(fitted_table, table, tmp_path):
    paths = write_run(fitted_table, table, tmp_path)
    for name in (run_folder.REPORT, run_folder.CERTIFICATE):
        (tmp_path / name).write_text("of another model")
    assert list(write_run(fitted_table, None, tmp_path)) == ["model", "history", "metrics"]
    assert not any(paths[name].exists() for name in run_folder.DRAWN)
    assert not (tmp_path / run_folder.REPORT).exists() and not (tmp_path / run_folder.CERTIFICATE).exists()


def test_rows_are_drawn_by_the_seed(fitted_table, table):
    first, again = (ReportData(fitted_table, table).numbers for _ in range(2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, np.sort(first))


def test_the_law_on_two_dimensions_is_the_marginal_of_the_whole(fitted_table):
    pair = [3, 1]
    means, covariances, weights = mixture_on(fitted_table.fitted_prior_, pair)
    drawn = fitted_table.fitted_prior_.sample(200_000).numpy()[:, pair]
    np.testing.assert_allclose(weights @ means, drawn.mean(axis=0), atol=0.02)
    between = np.einsum("k,ki,kj->ij", weights, means, means) - np.outer(weights @ means, weights @ means)
    whole = np.einsum("k,kij->ij", weights, covariances) + between
    np.testing.assert_allclose(whole, np.cov(drawn.T), atol=0.05)


def test_the_most_telling_dimensions_are_those_that_explain_the_rows():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(500, 3)) * [1.0, 9.0, 1.0]
    rows = codes[:, [0, 2]] @ np.diag([3.0, 2.0]) + 0.1 * rng.normal(size=(500, 2))
    assert by_information(codes, rows)[:2] == [0, 2]


def test_what_a_map_explains_of_a_measure():
    rng = np.random.default_rng(0)
    codes = rng.normal(size=(300, 2))
    tilted = codes @ [2.0, 1.0] + 5
    tilted[:10] = np.nan
    assert explained(codes, tilted) > 0.99
    assert explained(codes, np.square(codes).sum(1)) > 0.99
    assert explained(codes, np.where(codes[:, 0] > 0, "a", "b")) > 0.5
    assert abs(explained(codes, rng.normal(size=300))) < 0.1
    assert explained(codes, np.ones(300)) == explained(codes, np.full(300, np.nan)) == -np.inf


def test_a_law_that_is_no_mixture_is_drawn_as_one():
    means, covariances, weights = mixture_on(FlowPrior(3, layers=2, width=8), [0, 2])
    assert means.shape[1:] == (2,) and covariances.shape[1:] == (2, 2)
    assert weights.sum() == pytest.approx(1)


def test_history_of_no_epoch_is_a_header():
    assert run_folder.history_text([]) == "epoch\n"
    assert run_folder.history_text([{"epoch": 1}, {"epoch": 2, "loss": 0.5}]) == "epoch,loss\n1,\n2,0.5\n"
