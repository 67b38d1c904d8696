"""A run that is opened in Python."""

import json

import numpy as np
import pytest

import latente as lt
from latente.report.run_folder import DRAWN, write_run


@pytest.fixture(scope="module")
def run(tmp_path_factory, fitted_table, table):
    folder = tmp_path_factory.mktemp("opened") / "run"
    write_run(fitted_table, table, folder, fitted_table.certificate())
    return lt.open_run(folder)


def test_it_has_what_was_written(run, fitted_table, table):
    assert np.array_equal(run.model.transform(table[:9]), fitted_table.transform(table[:9]))
    assert run.certificate.to_dict() == fitted_table.certificate().to_dict()
    assert run.metrics["loss"] == fitted_table.figures_["loss"]
    assert run.history == fitted_table.history_ and run.notes == fitted_table.notes_
    assert run.missing == []


def test_its_settings_make_the_same_estimator(run, fitted_table):
    made, before = lt.VAE(**run.settings).get_params(), fitted_table.get_params()
    assert made == {**before, "recipe": "vae", "random_state": fitted_table.seed_}


def test_it_says_where_its_parts_are(run):
    assert set(run.paths) == {"model", "history", "metrics", "certificate", *DRAWN}
    assert all(path.is_file() for path in run.paths.values())
    assert all(name in repr(run) for name in run.paths)


def test_a_file_of_a_model_is_a_run_of_nothing_else(fitted_table, tmp_path):
    run = lt.open_run(fitted_table.save(tmp_path / "own.safetensors"))
    assert run.model.latent_dim_ == fitted_table.latent_dim_
    assert (run.certificate, run.metrics, list(run.paths)) == (None, {}, ["model"])


def test_what_is_no_run_is_told(tmp_path, fitted_table):
    with pytest.raises(lt.StorageError, match="there is no run folder"):
        lt.open_run(tmp_path / "nothing")
    with pytest.raises(lt.StorageError, match="is not a run folder with a model"):
        lt.open_run(tmp_path)
    fitted_table.save(tmp_path / "model.safetensors")
    (tmp_path / "metrics.json").write_text(json.dumps([1]))
    (tmp_path / "certificate.json").write_text("{")
    run = lt.open_run(tmp_path)
    for name in ("metrics", "certificate"):
        with pytest.raises(lt.StorageError, match=f"{name}.json"):
            getattr(run, name)
