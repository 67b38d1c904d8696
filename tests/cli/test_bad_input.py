"""Bad input through the command line: the right exit code, one clear sentence, and nothing half-written."""

import errno
import os
import struct

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

import latente as lt
from latente.cli import failures
from latente.files import read_tensors, write_tensors
from latente.storage import KIND, VERSION
from tests.cli.helpers import QUICK, write_csv


def spoilt(numbers, **places):
    """The table with some values replaced."""
    values = numbers.copy()
    for _, (row, column, value) in places.items():
        values[row, column] = value
    return values


def text_file(path, text):
    path.write_text(text)
    return path


def pickled_npz(path):
    np.savez(path, x=np.array([[1, "a"], [2, None]], dtype=object))
    return path


def twice_named(path, numbers):
    table = pa.Table.from_arrays([pa.array(column) for column in numbers.T], names=["a", "b", "a", "c"])
    pyarrow.parquet.write_table(table, path)
    return path


# What can't be learnt from: how it is made, and words of the sentence that says so.
REFUSED = {
    "missing file": (lambda d, n: d / "tabel.csv", "there is no file"),
    "missing folder": (lambda d, n: d / "nowhere/table.csv", "nor a folder"),
    "empty file": (lambda d, n: text_file(d / "t.csv", ""), "the file is empty"),
    "header only": (lambda d, n: text_file(d / "t.csv", "a,b\n"), "no row"),
    "one row": (lambda d, n: write_csv(d / "t.csv", n[:1]), "n_samples=1"),
    "constant columns only": (lambda d, n: write_csv(d / "t.csv", np.ones((50, 3))), "no column holds two different values"),
    "no value at all": (lambda d, n: write_csv(d / "t.csv", np.full((50, 3), np.nan)), ""),
    "infinity": (lambda d, n: write_csv(d / "t.csv", spoilt(n, a=(7, 2, np.inf))), "infinite values: 1, the first in row 7"),
    "minus infinity": (lambda d, n: write_csv(d / "t.csv", spoilt(n, a=(3, 0, -np.inf))), "column 'c0'"),
    "repeated names": (lambda d, n: write_csv(d / "t.csv", n, ["a", "b", "a", "c"]), "more than one column is called 'a'"),
    "repeated names in Parquet": (lambda d, n: twice_named(d / "t.parquet", n), "more than one column is called 'a'"),
    "text among numbers": (
        lambda d, n: text_file(d / "t.csv", "name,x\n" + "4,1\n5,2\n" * 20 + "Ada,3\n"),
        "'name' (such as 'Ada')",
    ),
    "pickled objects": (lambda d, n: pickled_npz(d / "t.npz"), "pickled objects are never loaded"),
    "another kind of file": (lambda d, n: text_file(d / "t.docx", "x"), "unknown type of file"),
    "a broken Parquet": (lambda d, n: text_file(d / "t.parquet", "PAR1 and so on"), "can't be read"),
    "a folder without pictures": (lambda d, n: (d / "empty").mkdir() or d / "empty", "there is no picture"),
    "SQL that is wrong": (lambda d, n: "select nothing from nowhere", "the SQL query"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_can_not_be_learnt_from(latente, tmp_path, numbers, what):
    make, words = REFUSED[what]
    (tmp_path / "data").mkdir()
    ended = latente("fit", make(tmp_path / "data", numbers), "-o", tmp_path / "run", *QUICK)
    assert ended.code == 1
    assert ended.out == ""
    assert words in ended.sentence
    assert not (tmp_path / "run").exists()


# What can be learnt from, with a remark.
TAKEN = {
    "a constant column": (lambda n: spoilt(n, **{str(r): (r, 1, 4.5) for r in range(len(n))}), "'c1' (4.5)"),
    "an empty column": (lambda n: spoilt(n, **{str(r): (r, 1, np.nan) for r in range(len(n))}), "without any value"),
    "an empty row": (lambda n: spoilt(n, **{str(c): (5, c, np.nan) for c in range(4)}), "1 row without any value"),
    "a value of 1e30": (lambda n: spoilt(n, a=(9, 3, 1e30)), "column 'c3' holds 1e+30 in row 9"),
    "fewer rows than columns": (lambda n: n[:20].reshape(4, 20), "there are fewer rows (4) than columns (20)"),
}


@pytest.mark.parametrize("what", TAKEN)
def test_what_can_be_learnt_from_with_a_note(latente, tmp_path, numbers, what):
    make, words = TAKEN[what]
    data = write_csv(tmp_path / "t.csv", make(numbers))
    ended = latente("fit", data, "-o", tmp_path / "run", *QUICK)
    assert ended.code == 0, ended.err
    assert f"note: {words}" in ended.err or words in ended.err
    rebuilt = latente("reconstruct", tmp_path / "run", data)
    assert rebuilt.code == 0
    assert "nan" not in rebuilt.out
    assert "inf" not in rebuilt.out


def test_figures_are_drawn_of_odd_tables_too(latente, tmp_path, numbers):
    values = np.column_stack([spoilt(numbers, a=(9, 3, 1e30)), np.full((len(numbers), 2), (np.nan, 3.0))])
    ended = latente("fit", write_csv(tmp_path / "t.csv", values), "-o", tmp_path / "run", "--max-epochs", "1")
    assert ended.code == 0, ended.err
    assert "could not be drawn" not in ended.err
    assert len(list((tmp_path / "run/figures").iterdir())) == 4


def columns(path, numbers, names):
    return write_csv(path, numbers[:5, [int(name[1:]) % 4 for name in names]], names)


def test_columns_are_matched_by_name(latente, table_run, tmp_path, numbers):
    in_order = columns(tmp_path / "a.csv", numbers, ["c0", "c1", "c2", "c3"])
    reordered = columns(tmp_path / "b.csv", numbers, ["c3", "c9", "c0", "c2", "c1"])
    assert latente("encode", table_run, in_order).out == latente("encode", table_run, reordered).out
    ended = latente("encode", table_run, columns(tmp_path / "c.csv", numbers, ["c3", "c0"]), "-o", tmp_path / "out.csv")
    assert ended.code == 1
    assert "columns that the model was fitted on are missing: 'c1', 'c2'" in ended.sentence
    assert not (tmp_path / "out.csv").exists()


def test_rows_of_another_kind(latente, table_run, picture_run, table_csv, pictures_npz, tmp_path):
    header, first = table_csv.read_text().splitlines()[:2]
    words = text_file(tmp_path / "w.csv", "\n".join([header, first, ",".join(["abc", *first.split(",")[1:]])]) + "\n")
    np.save(tmp_path / "wide.npy", np.zeros((3, 5)))
    np.savez(tmp_path / "large.npz", x=np.zeros((3, 9, 9)))
    cases = (
        (table_run, words, "'c0' (such as 'abc')"),
        (table_run, tmp_path / "wide.npy", "5 features"),
        (table_run, pictures_npz, "these are pictures"),
        (picture_run, table_csv, "this is a table"),
        (picture_run, tmp_path / "large.npz", "these are pictures of 9 x 9 pixels"),
    )
    for run, data, sentence in cases:
        ended = latente("encode", run, data, "-o", tmp_path / "out.csv")
        assert ended.code == 1
        assert sentence in ended.sentence
        assert not (tmp_path / "out.csv").exists()


def test_resume_with_other_data_or_another_recipe(latente, table_run, tmp_path, numbers, monkeypatch):
    """A run that was left unfinished goes on with its own data and settings only."""
    data, other = write_csv(tmp_path / "t.csv", numbers), write_csv(tmp_path / "o.csv", numbers**3)
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr("latente.training.checkpoint.Checkpoints.clear", lambda self: None)
        patch.setattr("latente.estimator.VAE.save", lambda self, path: (_ for _ in ()).throw(KeyboardInterrupt))
        assert latente("fit", data, "-o", run, *QUICK, "--checkpoint-every", "0.001").code == 130
    before = {path.name: path.read_bytes() for path in (run / "checkpoint").iterdir()}
    for arguments, words in (
        ((other,), "other data"),
        ((data, "--recipe", "autoencoder"), "other settings"),
        ((data, "--seed", "7"), "other settings"),
    ):
        ended = latente("fit", *arguments, "-o", run, *QUICK, "--resume")
        assert ended.code == 1
        assert words in ended.sentence
    assert {path.name: path.read_bytes() for path in (run / "checkpoint").iterdir()} == before
    assert "its fit was not finished" in latente("info", run).sentence
    assert latente("fit", data, "-o", run, *QUICK, "--resume").code == 0
    assert not (run / "checkpoint").exists()


# ------------------------------------------------------------------------------------------------------------ writing


@pytest.mark.parametrize("command", ["fit", "encode", "sample"])
def test_below_a_file_nothing_can_be_written(latente, table_run, table_csv, tmp_path, command):
    below = text_file(tmp_path / "file", "mine") / "deep/out.csv"
    arguments = {"fit": [table_csv], "encode": [table_run, table_csv], "sample": [table_run]}[command]
    ended = latente(command, *arguments, "-o", below)
    assert ended.code == 1
    assert "is a file, not a folder" in ended.sentence
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="this user may write everywhere")
def test_a_folder_that_is_read_only(latente, table_run, table_csv, tmp_path):
    tmp_path.chmod(0o500)
    for arguments in (["fit", table_csv, "-o", tmp_path / "run"], ["sample", table_run, "-o", tmp_path / "s.csv"]):
        ended = latente(*arguments)
        assert ended.code == 1
        assert "is not writable" in ended.sentence


def full_disc(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disc_leaves_what_was_there(latente, table_run, picture_run, table_csv, tmp_path, monkeypatch):
    run, out = tmp_path / "run", text_file(tmp_path / "out.csv", "mine")
    assert latente("fit", table_csv, "-o", run, *QUICK).code == 0
    before = (run / "model.safetensors").read_bytes()
    monkeypatch.setattr("latente.files.os.fsync", full_disc)
    monkeypatch.setattr("pathlib.Path.write_bytes", full_disc)
    for arguments in (
        ["fit", table_csv, "-o", run, *QUICK, "--seed", "5"],
        ["encode", table_run, table_csv, "-o", out],
        ["sample", picture_run, "-n", "2", "-o", tmp_path / "png"],
    ):
        ended = latente(*arguments)
        assert ended.code == 1
        assert "No space left on device" in ended.err.splitlines()[-1]
        assert "Traceback" not in ended.err
    assert (run / "model.safetensors").read_bytes() == before
    assert out.read_text() == "mine"
    names = sorted(path.name for path in tmp_path.rglob("*") if path.name != "checkpoint")
    assert names == [
        "certificate.json",
        "history.csv",
        "metrics.json",
        "model.safetensors",
        "out.csv",
        "run",
        "survey.safetensors",
    ]


# ------------------------------------------------------------------------------------------------------------- models


def spoil(model, path, how):
    """A model file that is not what it should be."""
    content = model.read_bytes()
    values, tensors = read_tensors(model, KIND, VERSION)
    bytes_of = {
        "truncated": content[: len(content) // 2],
        "empty": b"",
        "bit-flipped": content[:-100] + bytes([content[-100] ^ 4]) + content[-99:],
        "header of 1 GB": struct.pack("<Q", 1 << 30) + content[8:],
    }
    if how in bytes_of:
        path.write_bytes(bytes_of[how])
        return path
    if how == "unknown part":
        values["parts"]["encoder"]["name"] = "os.system"
    if how == "weights of NaN":
        tensors[next(name for name in tensors if name.startswith("model."))].view(-1)[0] = float("nan")
    kind = "checkpoint" if how == "checkpoint" else KIND
    return write_tensors(path, kind, VERSION + (how == "newer"), values, tensors)


SPOILT = {
    "truncated": "damaged",
    "empty": "truncated, or not a file of Latente",
    "bit-flipped": "does not match its checksum",
    "header of 1 GB": "its header claims 1,073,741,824 bytes",
    "newer": "written by a newer Latente",
    "unknown part": "there is no part called 'os.system'",
    "weights of NaN": "not finite",
    "checkpoint": "is not a model of Latente",
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_model_that_is_not_what_it_should_be(latente, table_run, table_csv, tmp_path, how):
    model = spoil(table_run / "model.safetensors", tmp_path / "model.safetensors", how)
    ended = latente("encode", model, table_csv, "-o", tmp_path / "out.csv")
    assert ended.code == 1
    assert SPOILT[how] in ended.sentence
    assert latente("info", tmp_path).code == 1
    assert not (tmp_path / "out.csv").exists()


def test_no_model_at_all(latente, tmp_path):
    assert "there is no run folder" in latente("info", tmp_path / "nowhere").sentence
    assert "is not a run folder with a model" in latente("info", tmp_path).sentence
    assert "not a file of Latente" in latente("info", text_file(tmp_path / "a.model", "a,b\n1,2\n")).sentence
    assert "is data, and no run" in latente("info", text_file(tmp_path / "a.csv", "a,b\n1,2\n")).sentence


# --------------------------------------------------------------------------------------------------------- unexpected


def test_what_nobody_expected_is_told_in_a_sentence(latente, table_run, monkeypatch):
    def broken(self, *_, **__):
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr(lt.VAE, "sample", broken)
    ended = latente("sample", table_run)
    assert ended.code == 1
    assert ended.err.startswith("Error: unexpected ZeroDivisionError: division by zero; set LATENTE_DEBUG=1")
    assert "Traceback" not in ended.err
    monkeypatch.setenv("LATENTE_DEBUG", "1")
    assert "Traceback" in latente("sample", table_run).err


def test_too_little_memory_is_told_in_a_sentence():
    assert "not enough memory" in failures.sentence(MemoryError("Unable to allocate 9 GiB"))
