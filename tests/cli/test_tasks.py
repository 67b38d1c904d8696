"""The commands that use a trained model."""

import gzip
import io
import json

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest
from PIL import Image

import latente as lt

READ = {
    ".csv": pyarrow.csv.read_csv,
    ".csv.gz": pyarrow.csv.read_csv,
    ".tsv": lambda path: pyarrow.csv.read_csv(path, parse_options=pyarrow.csv.ParseOptions(delimiter="\t")),
    ".tsv.gz": lambda path: pyarrow.csv.read_csv(path, parse_options=pyarrow.csv.ParseOptions(delimiter="\t")),
    ".parquet": pyarrow.parquet.read_table,
}


@pytest.fixture(scope="module")
def vae(table_run):
    return lt.load(table_run / "model.safetensors")


def as_array(table):
    return np.column_stack([column.to_numpy() for column in table.itercolumns()])


@pytest.mark.parametrize("suffix", [*READ, ".npz", ".npy"])
def test_encode_writes_what_the_suffix_says(latente, table_run, table_csv, tmp_path, vae, suffix):
    out = tmp_path / f"codes{suffix}"
    ended = latente("encode", table_run, table_csv, "-o", out)
    assert ended.code == 0
    assert ended.out == f"120 rows of {vae.latent_dim_} columns in {out}\n"
    if suffix in READ:
        written = READ[suffix](out)
        assert written.column_names == list(vae.get_feature_names_out())
        codes = as_array(written)
    else:
        loaded = np.load(out, allow_pickle=False)
        codes = loaded["x"] if suffix == ".npz" else loaded
    np.testing.assert_allclose(codes, vae.transform(table_csv), rtol=1e-6)
    assert [path.name for path in tmp_path.iterdir()] == [out.name], "nothing half-written beside it"


def test_zipped_output_is_the_same_to_the_byte(latente, table_run, table_csv, tmp_path):
    for name in ("a.csv.gz", "b.csv.gz"):
        latente("encode", table_run, table_csv, "-o", tmp_path / name)
    assert (tmp_path / "a.csv.gz").read_bytes() == (tmp_path / "b.csv.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()).startswith(b"vae0,")


def test_rows_go_to_stdout_where_no_file_is_named(latente, table_run, table_csv, tmp_path):
    latente("reconstruct", table_run, table_csv, "-o", tmp_path / "r.csv")
    ended = latente("reconstruct", table_run, table_csv)
    assert ended.out == (tmp_path / "r.csv").read_text()
    assert ended.err == ""


def test_reconstruct_and_denoise_give_back_the_columns(latente, table_run, table_csv, tmp_path, vae):
    for command in ("reconstruct", "denoise"):
        out = tmp_path / f"{command}.parquet"
        assert latente(command, table_run, table_csv, "-o", out).code == 0
        expected = getattr(vae, command)(str(table_csv))
        assert pyarrow.parquet.read_table(out).equals(expected)


def test_noise_is_told_for_all_columns_for_some_or_by_its_kind(latente, table_run, table_csv, vae):
    for told, noise in (["0.5"], 0.5), (["c0=0.5", "c2=1"], {"c0": 0.5, "c2": 1.0}), (["gaussian"], "gaussian"):
        options = [text for each in told for text in ("--noise", each)]
        ended = latente("denoise", table_run, table_csv, *options)
        assert ended.code == 0
        clean, _ = vae.denoise(str(table_csv), noise=noise, return_noise=True)
        np.testing.assert_allclose(as_array(READ[".csv"](io.BytesIO(ended.out.encode()))), as_array(clean), rtol=1e-6)
    assert "COLUMN=SIGMA" in latente("denoise", table_run, table_csv, "--noise", "c0=1", "--noise", "2").err


def test_anomalies_are_told_with_the_columns_that_make_them_so(latente, table_run, table_csv, tmp_path, vae):
    ended = latente("anomalies", table_run, table_csv, "-o", tmp_path / "a.csv", "--json")
    written = pyarrow.csv.read_csv(tmp_path / "a.csv")
    assert written.column_names == ["score", "anomaly", "p_value", "rank", "anomalous", "fields", "expected"]
    np.testing.assert_allclose(written["score"].to_numpy(), vae.anomalies(str(table_csv))["score"].to_numpy())
    below = int((written["p_value"].to_numpy() <= 0.05).sum())
    told = {"out": str(tmp_path / "a.csv"), "rows": 120, "columns": written.column_names, "anomalous": below}
    assert ended.json == {**told, "warnings": []}
    assert latente("anomalies", table_run, table_csv, "-o", tmp_path / "a.npz").code == 0
    assert np.load(tmp_path / "a.npz", allow_pickle=False)["fields"].dtype.kind == "U"


def test_sample_draws_as_many_as_asked_for_by_the_seed(latente, table_run):
    first, again, other = (latente("sample", table_run, "-n", "7", "--seed", seed).out for seed in (1, 1, 2))
    assert first == again != other
    lines = first.splitlines()
    assert lines[0] == "c0,c1,c2,c3"
    assert len(lines) == 8


def test_interpolate_goes_from_row_to_row(latente, table_run, table_csv, tmp_path, vae):
    assert latente("interpolate", table_run, table_csv, 3, 119, "--steps", "5", "-o", tmp_path / "way.npy").code == 0
    way, ends = np.load(tmp_path / "way.npy"), as_array(vae.reconstruct(str(table_csv)))[[3, 119]]
    assert way.shape == (5, 4)
    np.testing.assert_allclose(way[[0, -1]], ends, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("a", "b"), [(0, 120), (500, 0)])
def test_interpolate_checks_the_row_numbers(latente, table_run, table_csv, a, b):
    ended = latente("interpolate", table_run, table_csv, a, b)
    assert ended.code == 2
    assert "numbered from 0 to 119" in ended.sentence


def test_info_tells_what_a_model_is(latente, table_run):
    ended = latente("info", table_run)
    assert ended.code == 0
    for words in (
        "recipe",
        "likelihood",
        "normal (sigma=field)",
        "distortion",
        "rate",
        "epochs",
        f"Latente {lt.__version__}",
        "c3",
    ):
        assert words in ended.out
    said = latente("info", table_run / "model.safetensors", "--json").json
    assert said["parts"]["posterior"] == "diagonal-normal"
    assert [column["kind"] for column in said["columns"]] == ["real"] * 4
    assert said["rows"] + said["held_out_rows"] == 120


def test_recipes_are_listed_with_their_arguments(latente):
    said = {recipe["name"]: recipe for recipe in latente("recipes", "--json").json["recipes"]}
    assert list(said) == [recipe.name for recipe in lt.recipes()]
    assert said["beta-vae"]["arguments"] == {"beta": 4.0}
    text = latente("recipes").out
    assert all(name in text for name in said)


def test_pictures_go_to_arrays_and_to_a_folder_of_png(latente, picture_run, pictures_npz, tmp_path):
    assert latente("reconstruct", picture_run, pictures_npz, "-o", tmp_path / "r.npz").code == 0
    pixels = np.load(tmp_path / "r.npz")["x"]
    assert (pixels.shape, pixels.dtype) == ((100, 8, 8), np.uint8)
    assert latente("reconstruct", picture_run, pictures_npz, "-o", tmp_path / "png").code == 0
    files = sorted((tmp_path / "png").iterdir())
    assert [files[0].name, files[-1].name, len(files)] == ["00.png", "99.png", 100]
    assert np.array_equal(np.stack([np.asarray(Image.open(file)) for file in files]), pixels)
    codes = [latente("encode", picture_run, data).out for data in (tmp_path / "r.npz", tmp_path / "png")]
    assert codes[0] == codes[1], "a folder that was written can be read"


def test_picture_commands(latente, picture_run, pictures_npz, tmp_path):
    assert latente("info", picture_run, "--json").json["columns"][0]["height"] == 8
    assert latente("sample", picture_run, "-n", "3", "-o", tmp_path / "s", "--json").json["picture_shape"] == [8, 8]
    assert latente("interpolate", picture_run, pictures_npz, 0, 1, "-o", tmp_path / "way").code == 0
    assert latente("anomalies", picture_run, pictures_npz).out.startswith("score,anomaly,p_value,rank,anomalous\n")


@pytest.mark.parametrize("out", ["-", "x.csv", "x.parquet"])
def test_pictures_are_no_table(latente, picture_run, tmp_path, out, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ended = latente("sample", picture_run, "-o", out)
    assert ended.code == 2
    assert "the result is pictures; use a folder of PNG" in ended.sentence


def test_a_table_is_no_folder_of_pictures(latente, table_run, tmp_path):
    ended = latente("sample", table_run, "-o", tmp_path / "folder")
    assert ended.code == 2
    assert "the result is a table" in ended.sentence
    assert latente("anomalies", table_run, "no such data", "-o", tmp_path / "a.npy").code == 2


def test_a_folder_with_something_in_it_is_not_written_to(latente, picture_run, tmp_path):
    (tmp_path / "note.txt").write_text("mine")
    ended = latente("sample", picture_run, "-o", tmp_path)
    assert ended.code == 1
    assert "not empty" in ended.sentence


def test_an_unknown_suffix_is_refused_before_anything_is_read(latente, tmp_path):
    ended = latente("encode", "no such run", "no such data", "-o", tmp_path / "codes.xlsx")
    assert ended.code == 2
    assert "unknown type of file" in ended.sentence


def test_json_needs_a_file(latente, table_run):
    ended = latente("sample", table_run, "--json")
    assert ended.code == 2
    assert "--json needs -o FILE" in ended.sentence


def test_quiet_tasks_say_nothing(latente, table_run, table_csv, tmp_path):
    for command in (["encode", table_run, table_csv], ["sample", table_run]):
        ended = latente(*command, "-o", tmp_path / "out.csv", "-q")
        assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_missing_values_are_empty_cells_and_filled_in(latente, table_run, table_csv, tmp_path):
    lines = table_csv.read_text().splitlines()
    (tmp_path / "holes.csv").write_text("\n".join([lines[0], ",".join(["", *lines[1].split(",")[1:]]), *lines[2:5]]) + "\n")
    filled = latente("reconstruct", table_run, tmp_path / "holes.csv").out
    assert len(filled.splitlines()) == 5
    assert ",," not in filled


def test_what_comes_from_another_frame_library_goes_to_a_file(latente, numbers, tmp_path):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(numbers, columns=list("abcd")).assign(n=pandas.array(np.arange(120) % 5, dtype="Int64"))
    lt.VAE(max_epochs=2, random_state=0).fit(frame).save(tmp_path / "m.safetensors")
    assert latente("sample", tmp_path / "m.safetensors", "-n", 4, "-o", tmp_path / "s.parquet").code == 0
    written = pyarrow.parquet.read_table(tmp_path / "s.parquet")
    assert written.column_names == [*"abcd", "n"]
    assert str(written.schema.field("n").type) == "int64"


def test_stdout_that_is_full_and_stdout_that_nobody_reads(process, table_run, table_csv):
    with open("/dev/full", "w") as full:
        on_full_disc = process("encode", table_run, table_csv, stdout=full)
    unread = process("sample", table_run, "-n", 100_000)
    assert unread.stdout.readline() == "c0,c1,c2,c3\n"
    unread.stdout.close()
    assert unread.stderr.read() == ""
    assert unread.wait(timeout=100) == 141
    assert on_full_disc.communicate(timeout=100)[1] == "Error: can't write to standard output: No space left on device\n"
    assert on_full_disc.returncode == 1


def test_metrics_are_strict_json(table_run):
    def refuse(text):
        raise AssertionError(text)

    json.loads((table_run / "metrics.json").read_text(), parse_constant=refuse)
