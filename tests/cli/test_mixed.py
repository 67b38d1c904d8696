"""Tables of mixed columns on the command line."""

from __future__ import annotations

import csv
import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import latente as lt
from tests.cli.helpers import QUICK


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    generator = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("people") / "people.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["zip", "sex", "age", "seen"])
        for _ in range(300):
            sex = generator.choice(["Female", "Male"])
            age = int(generator.normal(40 if sex == "Female" else 60, 5))
            writer.writerow([generator.choice([10115, 28001]), sex, age if generator.random() > 0.1 else "", "2024-05-17"])
    return path


@pytest.fixture(scope="module")
def run(latente, people: Path) -> Path:
    folder = people.with_name("run")
    ended = latente("fit", people, "-o", folder, "--max-epochs", "15", "--kinds", "zip=categorical", "--no-figures")
    assert ended.code == 0, ended.err
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_info_says_what_each_column_is_and_why(latente, run: Path) -> None:
    columns = {column["name"]: column for column in json.loads(latente("info", run, "--json").out)["columns"]}
    assert [columns[name]["kind"] for name in ("zip", "sex", "age", "seen")] == ["categorical", "binary", "count", "constant"]
    assert columns["zip"]["because"] == "set by the user" and columns["age"]["missing"]


def test_sample_holds_what_is_given_and_says_what_it_gives_away(latente, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "some.csv"
    ended = latente("sample", run, "-n", "40", "--given", "sex=Female", "--given", "age=35..45", "-o", out)
    assert ended.code == 0, ended.err
    assert "exact copies" in ended.err
    drawn = rows(out)
    assert len(drawn) == 40 and {row["sex"] for row in drawn} == {"Female"}
    assert all(35 <= int(row["age"]) <= 45 and row["zip"] in ("10115", "28001") for row in drawn)
    assert {row["seen"] for row in drawn} == {"2024-05-17"}


def test_sample_leaves_holes_on_request(latente, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "holes.csv"
    assert latente("sample", run, "-n", "400", "--with-missing", "-o", out).code == 0
    assert 5 < sum(not row["age"] for row in rows(out)) < 120


def test_impute_fills_the_holes_and_nothing_else(latente, run: Path, people: Path, tmp_path: Path) -> None:
    out = tmp_path / "whole.csv"
    assert latente("impute", run, people, "-o", out).code == 0
    for before, after in zip(rows(people), rows(out), strict=True):
        assert after["age"] and (not before["age"] or before["age"] == after["age"])


def test_a_column_that_is_left_out_of_the_model_may_be_missing(latente, run: Path, people: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.csv"
    bare.write_text("\n".join(line.rpartition(",")[0] for line in people.read_text().splitlines()) + "\n")
    for command in ("encode", "impute", "anomalies", "reconstruct"):
        assert latente(command, run, bare).out.splitlines() == latente(command, run, people).out.splitlines(), command


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ("sex", 2, "not of the form COLUMN=VALUE"),
        ("sex=Other", 1, "'sex' is never 'Other'"),
        ("height=3", 1, "no column 'height'"),
    ],
)
def test_what_can_not_be_given(latente, run: Path, given: str, code: int, words: str) -> None:
    ended = latente("sample", run, "--given", given)
    assert ended.code == code and words in " ".join(ended.err.split()) and not ended.out


def test_levels_that_nobody_saw(latente, run: Path, tmp_path: Path) -> None:
    data = tmp_path / "new.csv"
    data.write_text("zip,sex,age,seen\n10115,Female,,2024-05-17\n28001,Other,40,2024-05-17\n")
    ended = latente("encode", run, data)
    assert ended.code == 1 and "'sex' holds levels that the model was not fitted on: 'Other'" in ended.sentence
    ended = latente("impute", run, data, "--unknown", "missing", "-o", tmp_path / "out.csv")
    assert ended.code == 0 and "warning: levels" in ended.err and "'sex': 'Other' (1)" in ended.err
    assert latente("impute", run, data, "--unknown", "drop").code == 2


def test_codes_that_are_mostly_numbers_are_read_alike_by_all(latente, tmp_path: Path) -> None:
    data = tmp_path / "codes.csv"
    data.write_text("code,x\n" + "".join(f"{'B' if i % 50 == 7 else i % 4},{i % 7}.5\n" for i in range(200)))
    folder = tmp_path / "codes"
    ended = latente("fit", data, "-o", folder, "--max-epochs", "1", "--kinds", "code=categorical")
    assert ended.code == 0 and "could not be" not in ended.err, ended.err
    for command in (("encode",), ("interpolate", "0", "7"), ("impute",), ("certify",)):
        ended = latente(command[0], folder, data, *command[1:])
        assert ended.code == 0, ended.err
    few = ("--kinds", "code=categorical", "--max-epochs", "1", "-o")
    assert latente("compare", data, "--recipes", "vae", *few, tmp_path / "compare").code == 0
    assert latente("tradeoff", data, "--dims", "1", "--betas", "1", *few, tmp_path / "tradeoff").code == 0


@pytest.mark.parametrize("more", [(), ("--prior", "all")], ids=["the certificate", "all laws"])
def test_held_out_rows_with_levels_that_nobody_saw(latente, run: Path, people: Path, tmp_path: Path, more: tuple[str]) -> None:
    other = tmp_path / "other.csv"
    other.write_text("".join(people.read_text().splitlines(keepends=True)[:60]) + "10115,Other,40,2024-05-17\n")
    command = ("certify", run, people, "--held-out", other, *more, "--json")
    ended = latente(*command)
    assert ended.code == 1 and "'Other'; leave them empty (= missing), treat them as missing with" in ended.sentence
    assert "(--unknown missing)" in ended.sentence
    ended = latente(*command, "--unknown", "missing")
    assert ended.code == 0 and ended.json and "'sex': 'Other' (1)" in ended.err


def test_new_rows_have_names_on_request(latente, tmp_path: Path) -> None:
    data, out = tmp_path / "t.csv", tmp_path / "new.csv"
    data.write_text("id,key,kind\n" + "".join(f"{i},AB-{i:04d},{'xyz'[i % 3]}\n" for i in range(1, 121)))
    assert latente("fit", data, "-o", tmp_path / "run", "--max-epochs", "1", "--no-figures", "--no-certificate").code == 0
    assert latente("sample", tmp_path / "run", "-n", "2", "--identifiers", "-o", out).code == 0
    assert [(row["id"], row["key"]) for row in rows(out)] == [("121", "AB-0121"), ("122", "AB-0122")]


def test_levels_with_signs_of_the_syntax_and_unknown_ones_as_the_fit_was_told(latente, tmp_path):
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"genre": generator.choice(["Drama|War", "Comedy", "1..2"], 200), "size": generator.normal(size=200)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lt.LatenteWarning)
        lt.VAE(max_epochs=1, random_state=0, unknown="missing").fit(frame).save(tmp_path / "m.safetensors")
    for level in ("Drama|War", "1..2"):
        ended = latente("sample", tmp_path / "m.safetensors", "-n", 5, "--given", f"genre={level}", "-o", tmp_path / "new.csv")
        assert ended.code == 0, ended.err
        assert set(pd.read_csv(tmp_path / "new.csv")["genre"]) == {level}
        assert "given: under the model one row in " in ended.err + ended.out and "privacy: " in ended.err + ended.out
    frame.assign(genre="Noir").to_csv(tmp_path / "other.csv", index=False)
    encode = "encode", tmp_path / "m.safetensors", tmp_path / "other.csv", "-o", tmp_path / "codes.csv"
    assert latente(*encode).code == 0
    assert "Noir" in latente(*encode, "--unknown", "error").sentence


@pytest.fixture(scope="module")
def of_people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("people")
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"kind": generator.choice(["ant", "bee"], 200), "size": generator.normal(size=200).round(2)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", lt.LatenteWarning)
        lt.VAE(max_epochs=1, random_state=0).fit(frame).save(folder / "m.safetensors")
    frame.loc[:19, "size"] = np.nan
    frame.to_csv(folder / "holes.csv", index=False)
    return folder


def test_imputation_says_how_sure_it_is(latente, of_people, tmp_path):
    impute = "impute", of_people / "m.safetensors", of_people / "holes.csv", "-o", tmp_path / "whole.csv"
    ended = latente(*impute, "--intervals", ".9")
    assert ended.code == 0, ended.err
    whole, low, high = (pd.read_csv(tmp_path / f"whole{mark}.csv")["size"] for mark in ("", "-low", "-high"))
    assert (low <= whole).all() and (whole <= high).all() and (low < high)[:20].all() and (low == high)[20:].all()
    assert latente(*impute, "--draws", 3, "--seed", 1).code == 0
    draws = [pd.read_csv(tmp_path / f"whole-{k}.csv")["size"] for k in (1, 2, 3)]
    assert len({tuple(draw[:20]) for draw in draws}) == 3 and all((draw[20:] == whole[20:]).all() for draw in draws)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--draws", 2, "--intervals", ".5"), "use one of them"),
        (("--intervals", 90), "a share between 0 and 1"),
        (("--draws", 2), "use -o with a file"),
    ],
)
def test_imputation_refuses_what_can_not_be(latente, of_people, options, told):
    ended = latente("impute", of_people / "m.safetensors", of_people / "holes.csv", *options)
    assert ended.code == 2 and told in ended.sentence


def test_how_a_file_is_read_can_be_said_and_is_kept_for_later_ones(latente, tmp_path):
    rows = "".join(f"{k % 9},{(k * 7) % 11 if k % 10 else -999},{'ab'[k % 2]}\n" for k in range(80))
    (tmp_path / "t.csv").write_text("made by a logger\nsite 7, north\n" + rows)
    run = tmp_path / "run"
    fitted = latente("fit", tmp_path / "t.csv", "-o", run, "--skip-rows", 2, "--no-header", "--missing", -999, *QUICK, "--json")
    assert fitted.code == 0, fitted.sentence
    columns = latente("info", run, "--json").json["columns"]
    assert [column["name"] for column in columns] == ["column0", "column1", "column2"]
    whole = latente("impute", run, tmp_path / "t.csv", "-o", tmp_path / "out.csv")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert whole.code == 0 and len(lines) == 82 and lines[:2] == ["made by a logger", "site 7, north"]
    assert not any("-999" in line for line in lines) and lines[3] == "1,7,b"
    assert latente("encode", run, tmp_path / "t.csv", "--skip-rows", 900).sentence.endswith("it has fewer")
