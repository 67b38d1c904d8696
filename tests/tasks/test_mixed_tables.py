"""Tables of numbers and text, from end to end."""

from __future__ import annotations

import copy
import warnings
from datetime import date
from pathlib import Path
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import latente as lt
from latente.model.parts import part_class

N = 600


def people(holes: float = 0.0) -> dict[str, list[Any]]:
    """Rows in which kind, colour, size and vote follow from one another, and a name and a number that say nothing."""
    generator = np.random.default_rng(0)
    kind = generator.integers(0, 3, N)
    colour = np.where(generator.random(N) < 0.9, kind, generator.integers(0, 3, N))
    columns: dict[str, list[Any]] = {
        "number": list(range(1, N + 1)),
        "kind": [("ant", "bee", "cat")[k] for k in kind],
        "colour": [("red", "green", "blue")[c] for c in colour],
        "size": list(np.round(10.0 * kind + generator.normal(size=N), 2)),
        "vote": [("no", "yes")[int(k == 2)] for k in kind],
        "name": [f"somebody {i}" for i in range(N)],
    }
    for name in ("kind", "colour", "size"):
        columns[name] = [None if generator.random() < holes else value for value in columns[name]]
    return columns


@pytest.fixture(scope="module")
def vae() -> lt.VAE:
    return lt.VAE(max_epochs=60, random_state=0).fit(pa.table(people()))


def column(frame: Any, name: str) -> list[Any]:
    return nw.from_native(frame, eager_only=True)[name].to_list()


def test_kinds_follow_from_the_data(vae: lt.VAE) -> None:
    kinds = {field.name: field.kind for field in vae.codec_.fields}
    assert kinds == {"kind": "categorical", "colour": "categorical", "size": "real", "vote": "binary"}
    assert any("identify rows" in note and "'number'" in note and "'name'" in note for note in vae.notes_)


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table])
def test_what_comes_in_goes_out(vae: lt.VAE, kind: Any) -> None:
    source = kind(people())
    rebuilt = vae.reconstruct(source)
    assert type(rebuilt) is type(source)
    assert list(nw.from_native(rebuilt).columns) == list(people())
    agreed = np.mean([a == b for a, b in zip(column(rebuilt, "kind"), people()["kind"], strict=True)])
    assert agreed > 0.95
    assert all(list(column(rebuilt, name)) == list(people()[name]) for name in ("number", "name"))


def test_categories_come_back_as_categories() -> None:
    frame = pd.DataFrame({"c": pd.Categorical(people()["kind"]), "x": people()["size"]})
    back = lt.VAE(max_epochs=2, random_state=0).fit(frame).sample(20)
    assert back["c"].dtype == "category"
    assert set(back["c"]) <= {"ant", "bee", "cat"}


def test_encoding_and_decoding_is_the_identity(vae: lt.VAE) -> None:
    from latente.data import read

    source = pa.table(people(holes=0.2))
    rows = vae.codec_.encode(read(source))
    back = vae.codec_.decode(rows.x)
    for name in ("kind", "colour", "vote"):
        seen = [(a, b) for a, b in zip(column(source, name), column(back, name), strict=True) if a is not None]
        assert all(a == b for a, b in seen)


def test_samples_hold_what_can_be_and_how_it_hangs_together(vae: lt.VAE) -> None:
    new = vae.sample(2000)
    kind, colour, vote = (np.array(column(new, name)) for name in ("kind", "colour", "vote"))
    assert set(kind) == {"ant", "bee", "cat"} and set(vote) == {"no", "yes"}
    assert np.mean((kind == "cat") == (vote == "yes")) > 0.9
    assert np.mean(colour[kind == "ant"] == "red") > 0.75
    assert [np.mean(kind == k) for k in ("ant", "bee", "cat")] == pytest.approx([1 / 3] * 3, abs=0.08)


def test_holes_are_filled_with_what_the_rest_says() -> None:
    vae = lt.VAE(max_epochs=60, random_state=0).fit(pa.table(people(holes=0.2)))
    holes = people()
    truth, holes["kind"] = holes["kind"], [None] * N
    filled = vae.impute(pd.DataFrame(holes))
    assert np.mean(np.array(filled["kind"]) == np.array(truth)) > 0.93
    assert list(filled["size"]) == holes["size"] and list(filled["colour"]) == holes["colour"]
    plausible = vae.impute(pd.DataFrame(holes), draws=3)
    assert len(plausible) == 3
    shares = [np.mean(np.array(one["kind"]) == np.array(truth)) for one in plausible]
    assert min(shares) > 0.8
    assert not plausible[0].equals(plausible[1])
    with pytest.raises(lt.ModelError, match="draws"):
        vae.impute(pd.DataFrame(holes), draws=0)


def test_scores_and_anomalies_know_a_row_that_does_not_hang_together(vae: lt.VAE) -> None:
    strange = pa.table({"number": [1], "kind": ["ant"], "colour": ["blue"], "size": [20.0], "vote": ["yes"], "name": ["x"]})
    assert vae.score_samples(strange)[0] < np.quantile(vae.score_samples(pa.table(people())), 0.02)
    assert "(" in column(vae.anomalies(strange), "fields")[0]


def test_what_was_not_fitted_on_is_named(vae: lt.VAE) -> None:
    rows = people()
    rows["kind"][3] = "dog"
    with pytest.raises(lt.DataError, match="'kind' holds levels that the model was not fitted on: 'dog'"):
        vae.transform(pa.table(rows))
    rows = people()
    rows["size"] = ["large"] * N
    with pytest.raises(lt.DataError, match=r"columns of numbers that hold text now: 'size' \(such as 'large'\)"):
        vae.transform(pa.table(rows))


def test_levels_that_look_like_numbers_are_found_again(tmp_path: Path) -> None:
    rows = {"code": ["7", "x", "y"] * 40, "v": list(np.arange(120.0) % 7)}
    vae = lt.VAE(max_epochs=2, random_state=0).fit(pl.DataFrame(rows))
    (tmp_path / "t.csv").write_text("code,v\n7,1\n7,2\n")
    assert vae.transform(str(tmp_path / "t.csv")).shape == (2, vae.latent_dim_)


def test_a_saved_model_does_the_same(vae: lt.VAE, tmp_path: Path) -> None:
    again = lt.load(vae.save(tmp_path / "m.safetensors"))
    source = pa.table(people(holes=0.3))
    np.testing.assert_array_equal(again.transform(source), vae.transform(source))
    assert again.sample(50).equals(vae.sample(50))


@pytest.mark.parametrize("recipe", [recipe.name for recipe in lt.recipes()])
@pytest.mark.filterwarnings("ignore::latente.LatenteWarning")
def test_every_recipe_takes_text(recipe: str) -> None:
    parts = lt.recipe(recipe)
    of_numbers = parts.likelihood is not None and not part_class(parts.likelihood.name).takes_levels
    of_series = parts.decoder is not None and part_class(parts.decoder.name).__module__.endswith(".series")
    if of_numbers or of_series:
        with pytest.raises(lt.ModelError, match="levels|mixed"):
            lt.VAE(recipe, max_epochs=2, random_state=0).fit(pa.table(people()))
        return
    given = {"context": {"class": np.arange(30) % 2}} if lt.recipe(recipe).needs_context else {}
    rows = pa.table(people(holes=0.1))
    of_rows = {name: {"class": np.arange(len(rows)) % 2} for name in given}
    public = {} if parts.privacy is None else {"public": rows}
    vae = lt.VAE(recipe, max_epochs=2, random_state=0).fit(rows, **of_rows, **public)
    assert set(column(vae.sample(30, **given), "kind")) <= {"ant", "bee", "cat"}
    assert np.isfinite(vae.score_samples(rows, **of_rows)).all()


@pytest.mark.parametrize("corruption", ["masking", "salt-and-pepper", "gaussian-noise"])
def test_rows_of_text_can_be_corrupted(corruption: str) -> None:
    vae = lt.VAE(lt.recipe("denoising", corruption=corruption), max_epochs=30, random_state=0).fit(pa.table(people()))
    rebuilt = column(vae.reconstruct(pa.table(people())), "kind")
    assert np.mean([a == b for a, b in zip(rebuilt, people()["kind"], strict=True)]) > 0.9


def test_samples_keep_to_bounds_and_to_the_grid_of_the_record() -> None:
    generator = np.random.default_rng(0)
    grades = generator.integers(1, 4, 400)
    amounts = np.round(np.exp(generator.normal(grades)), 1)
    frame = pd.DataFrame({"grade": grades, "amount": amounts, "kind": np.array(["a", "b", "c"])[grades - 1]})
    new = lt.VAE(max_epochs=5, random_state=0).fit(frame).sample(1000)
    assert set(new["grade"]) <= {1, 2, 3}
    assert new["amount"].min() >= amounts.min() and new["amount"].max() <= amounts.max()
    np.testing.assert_array_equal(new["amount"], np.round(new["amount"], 1))


def test_what_was_seen_stays_to_the_bit() -> None:
    rows = people(holes=0.3)
    vae = lt.VAE(max_epochs=2, random_state=0).fit(pl.DataFrame(rows))
    filled = vae.impute(pl.DataFrame(rows))
    for name, values in rows.items():
        assert all(b == a for a, b in zip(values, filled[name], strict=True) if a is not None)
        assert filled[name].null_count() == 0
    x = np.random.default_rng(0).normal(size=(60, 4))
    holes = np.where(np.random.default_rng(1).random(x.shape) < 0.3, np.nan, x)
    with_numbers = lt.VAE(max_epochs=2, random_state=0).fit(holes).impute(holes)
    assert not np.isnan(with_numbers).any()
    np.testing.assert_array_equal(with_numbers[~np.isnan(holes)], holes[~np.isnan(holes)])


@pytest.mark.filterwarnings("ignore::latente.LatenteWarning")
def test_columns_that_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("name,x\n" + "Ada,1\nBob,2\n" * 20)
    new = lt.VAE(max_epochs=10, random_state=0).fit(str(tmp_path / "t.csv")).sample(20)
    assert set(column(new, "name")) <= {"Ada", "Bob"} and set(column(new, "x")) <= {1, 2}


# -- kinds of column --------------------------------------------------------------------------------------------------


def test_every_column_has_a_kind_and_a_reason() -> None:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "score": generator.integers(1, 6, N),
            "visits": generator.poisson(40, N),
            "balance": generator.integers(-500, 500, N),
            "price": np.round(generator.lognormal(size=N), 2),
            "gain": np.where(generator.random(N) < 0.7, 0.0, generator.normal(size=N)),
            "one": 1,
            "story": [f"once upon a time there was a number {i}" for i in range(N)],
            "key": [f"k{i}" for i in range(N)],
            "half": generator.choice(["left", "right"], N),
            "nothing": np.full(N, np.nan),
        }
    )
    vae = lt.VAE(max_epochs=1, random_state=0).fit(frame)
    kinds = {field["name"]: field["kind"] for field in vae.fields_}
    assert kinds == {
        "score": "ordinal", "visits": "count", "balance": "integer", "price": "positive", "gain": "real", "one": "constant",
        "story": "text", "key": "identifier", "half": "binary", "nothing": "empty",
    }  # fmt: skip
    reasons = {field["name"]: field["reason"] for field in vae.fields_}
    assert "0 in 7" in reasons["gain"] and reasons["one"] == "always 1" and "5 different whole numbers" in reasons["score"]


def test_numbers_that_are_codes_are_levels_when_told_so() -> None:
    generator = np.random.default_rng(0)
    ward = generator.choice([3, 17, 204], N)
    frame = pd.DataFrame({"ward": ward, "age": ward % 7 + generator.normal(size=N), "visit": generator.permutation(N)})
    vae = lt.VAE(max_epochs=3, random_state=0, kinds={"ward": "categorical", "visit": "identifier"}).fit(frame)
    assert vae.fields_[0] == {"name": "ward", "kind": "categorical", "reason": "set by the user"}
    drawn = vae.sample(50)
    assert drawn["ward"].dtype == frame["ward"].dtype and set(drawn["ward"]) <= {3, 17, 204}
    assert drawn["visit"].isna().all()
    again = vae.codec_.decode(vae.codec_.encode(_read(frame)).x)
    assert (again["ward"] == frame["ward"]).all()
    with pytest.raises(lt.DataError, match="not fitted on: '5'"):
        vae.transform(frame.assign(ward=5))


@pytest.mark.parametrize(
    ("kinds", "match"),
    [
        ({"kind": "count"}, "column 'kind' holds text and can't be 'count'"),
        ({"size": "tall"}, "'tall' is no kind of column; there are 'real'"),
        ({"sise": "real"}, "columns that are not there: 'sise'"),
    ],
)
def test_kinds_that_can_not_be(kinds: dict[str, str], match: str) -> None:
    with pytest.raises(lt.DataError, match=match):
        lt.VAE(max_epochs=1, kinds=kinds).fit(pa.table(people()))


def _read(frame: Any) -> Any:
    from latente.data import read

    return read(frame)


# -- new rows ---------------------------------------------------------------------------------------------------------


def test_new_rows_keep_what_columns_have_to_do_with_each_other(vae: lt.VAE) -> None:
    drawn = vae.sample(500)
    pairs = set(zip(column(drawn, "kind"), column(drawn, "vote"), strict=True))
    likely = [(k, v) for k, v in zip(column(drawn, "kind"), column(drawn, "vote"), strict=True) if (k == "cat") == (v == "yes")]
    assert len(likely) > 475 and pairs <= {(k, v) for k in ("ant", "bee", "cat") for v in ("no", "yes")}
    sizes = {kind: np.median([s for k, s in zip(column(drawn, "kind"), column(drawn, "size"), strict=True) if k == kind])
             for kind in ("ant", "bee", "cat")}  # fmt: skip
    assert sizes["ant"] < 3 < sizes["bee"] - 3 < 12 < sizes["cat"]


@pytest.mark.parametrize("law", ["auto", "fitted"])
def test_rows_given_some_of_their_columns(vae: lt.VAE, law: str) -> None:
    drawn = vae.sample(60, given={"kind": ["bee", "cat"], "size": (9.0, None)}, prior=law)
    assert len(column(drawn, "size")) == 60
    assert set(column(drawn, "kind")) <= {"bee", "cat"} and min(column(drawn, "size")) >= 9.0
    votes = column(vae.sample(100, given={"vote": "yes"}, prior=law), "kind")
    assert votes.count("cat") > 80


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"kind": "dog"}, "'kind' is never 'dog'; it is one of 'ant', 'bee', 'cat'"),
        ({"age": 3}, "there is no column 'age'"),
        ({"kind": []}, "there is no value for 'kind'"),
        ({"size": (5, 1)}, "can't be from 5 to 1"),
        ({"size": (100, 200)}, "was only ever from"),
        ({"size": "tall"}, "holds numbers, and 'tall' is none: ask for one"),
        ({"name": "somebody 1"}, "is not part of the model"),
    ],
)
def test_what_can_not_be_given(vae: lt.VAE, given: dict[str, Any], match: str) -> None:
    with pytest.raises(lt.DataError, match=match):
        vae.sample(5, given=given)


def test_new_rows_have_holes_on_request() -> None:
    vae = lt.VAE(random_state=0).fit(pd.DataFrame(people(holes=0.3)))
    whole, holed = vae.sample(400), vae.sample(4000, missing=True)
    assert not whole[["kind", "colour", "size", "vote"]].isna().any().any()
    assert holed["kind"].isna().mean() == pytest.approx(0.3, abs=0.1) and not holed["vote"].isna().any()


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.table])
def test_columns_of_one_value_have_holes_on_request_too(kind: Any) -> None:
    """Of columns that are asked to be constant the model knows nothing, but they were not always observed."""
    some = {"five": [5, None, None] * 100, "word": ["x", "x", None] * 100, "day": [None, date(2024, 5, 17)] * 150}
    source = kind({**some, "whole": [1] * 300, "size": [i % 7 + 0.5 for i in range(300)], "c": ["a", "b"] * 150})
    vae = lt.VAE(max_epochs=1, random_state=0, kinds=dict.fromkeys(some, "constant")).fit(source)
    holed, again, whole = (nw.from_native(vae.sample(2000, missing=each), eager_only=True) for each in (True, True, False))
    shares = {name: holed[name].null_count() / 2000 for name in (*some, "whole", "size")}
    assert shares == pytest.approx({"five": 2 / 3, "word": 1 / 3, "day": 1 / 2, "whole": 0, "size": 0}, abs=0.05)
    assert set(holed["five"].drop_nulls().to_list()) == {5} and not any(column.null_count() for column in whole.iter_columns())
    assert holed["five"].is_null().to_list() == again["five"].is_null().to_list()


def test_a_number_that_repeats_beside_a_continuous_rest_keeps_its_share() -> None:
    generator = np.random.default_rng(0)
    gain = np.where(generator.random(N) < 0.8, 0.0, generator.lognormal(8, 1, N))
    frame = pd.DataFrame({"gain": gain, "rich": np.where(gain > 0, "yes", "no")})
    drawn = lt.VAE(max_epochs=30, random_state=0).fit(frame).sample(10_000)
    assert (drawn["gain"] == 0).mean() == pytest.approx(0.8, abs=0.06)
    assert ((drawn["gain"] > 0) == (drawn["rich"] == "yes")).mean() > 0.95
    assert drawn["gain"].max() <= gain.max()


def test_what_generated_rows_give_away_is_measured(vae: lt.VAE) -> None:
    privacy = vae.figures_["privacy"]
    assert set(privacy) == {"exact_copies", "exact_copies_held_out", "nearer_to_training", "membership"}
    assert all(0 <= value <= 1 for value in privacy.values())


# -- scores and holes -------------------------------------------------------------------------------------------------


def test_intervals_hold_the_values_that_were_hidden() -> None:
    rows = pd.DataFrame(people())
    hidden = np.random.default_rng(1).random(N) < 0.3
    holed = rows.assign(size=rows["size"].mask(hidden))
    low, high = lt.VAE(random_state=0).fit(holed).impute(holed, intervals=0.9)
    inside = (low["size"] <= rows["size"]) & (rows["size"] <= high["size"])
    assert inside[hidden].mean() == pytest.approx(0.9, abs=0.08)
    assert (low["size"] == high["size"])[~hidden].all()
    with pytest.raises(lt.ModelError, match="intervals"):
        lt.VAE(max_epochs=1).fit(holed).impute(holed, intervals=2)


def test_a_score_is_in_the_units_of_the_data() -> None:
    """Twice the unit, half the density: of a continuous column, and of no probability."""
    generator = np.random.default_rng(0)
    size = generator.normal(size=N)
    frames = [pd.DataFrame({"size": size * unit, "kind": np.where(size > 0, "a", "b")}) for unit in (1.0, 2.0)]
    scores = [lt.VAE(max_epochs=3, random_state=0).fit(frame).score_samples(frame) for frame in frames]
    np.testing.assert_allclose(scores[0] - scores[1], np.log(2), atol=1e-3)


def test_a_thousand_levels() -> None:
    generator = np.random.default_rng(0)
    shop = generator.integers(0, 1500, 6000)
    frame = pd.DataFrame({"shop": [f"shop {s}" for s in shop], "region": [f"r{s % 7}" for s in shop]})
    vae = lt.VAE(max_epochs=2, random_state=0).fit(frame)
    assert set(vae.sample(100)["shop"]) <= set(frame["shop"])
    assert vae.fields_[0]["kind"] == "categorical"


# -- dates ------------------------------------------------------------------------------------------------------------


def _visits() -> dict[str, list[Any]]:
    generator = np.random.default_rng(0)
    days = generator.integers(0, 700, N)
    late = np.array(["2020-01-01"], "datetime64[D]") + days
    times = late.astype("datetime64[s]") + 3600 * generator.integers(8, 18, N)
    return {
        "day": late.astype("datetime64[us]").tolist(),
        "time": times.astype("datetime64[us]").tolist(),
        "year": [f"y{day.astype(object).year}" for day in late],
    }


@pytest.mark.parametrize("zone", [None, "Europe/Madrid", "America/Mexico_City"])
@pytest.mark.parametrize("container", ["pandas", "polars", "pyarrow"])
def test_dates_come_back_as_dates(container: str, zone: str | None) -> None:
    frame = pl.DataFrame(_visits()).with_columns(pl.col("day").cast(pl.Date), pl.col("time").dt.cast_time_unit("ms"))
    frame = (
        frame.with_columns(pl.col("time").dt.replace_time_zone(zone, ambiguous="earliest", non_existent="null"))
        if zone
        else frame
    )
    source: Any = {"pandas": frame.to_pandas, "polars": frame.clone, "pyarrow": frame.to_arrow}[container]()
    vae = lt.VAE(max_epochs=40, random_state=0).fit(source)
    assert {field["name"]: field["kind"] for field in vae.fields_}["time"] == "calendar"
    drawn = nw.from_native(vae.sample(200), eager_only=True)
    assert drawn.schema == nw.from_native(source, eager_only=True).schema
    back = nw.from_native(vae.codec_.decode(vae.codec_.encode(_read(source)).x, possible=True), eager_only=True)
    assert back["day"].to_list() == nw.from_native(source, eager_only=True)["day"].to_list()
    agreed = [f"y{day.year}" == year for day, year in zip(drawn["day"].to_list(), drawn["year"].to_list(), strict=True)]
    assert np.mean(agreed) > 0.9
    assert min(column(drawn, "day")) >= min(column(source, "day"))


def test_dates_in_a_file_and_given(tmp_path: Path) -> None:
    pd.DataFrame(_visits()).to_csv(tmp_path / "visits.csv", index=False)
    vae = lt.VAE(max_epochs=20, random_state=0).fit(tmp_path / "visits.csv")
    assert [field["kind"] for field in vae.fields_] == ["calendar", "calendar", "binary"]
    drawn = vae.sample(30, given={"day": ("2021-03-01", None)})
    assert min(column(drawn, "day")).isoformat() >= "2021-03-01" and set(column(drawn, "year")) == {"y2021"}
    with pytest.raises(lt.DataError, match="'day' holds dates, such as 2021-03-01, and 'soon' is none: ask for one"):
        vae.sample(5, given={"day": "soon"})


def test_dates_far_away_and_dates_that_are_none() -> None:
    days = np.array(["9999-12-31", "1500-01-01", "2020-01-02"] * 40, "datetime64[D]")
    source = pa.table({"end": pa.array(days), "c": ["a", "b", "a"] * 40})
    vae = lt.VAE(max_epochs=2, random_state=0).fit(source)
    assert vae.impute(source).column("end").to_pylist() == days.tolist()
    with pytest.raises(lt.DataError, match="'end' held dates when the model was fitted"):
        vae.transform(pa.table({"end": [5], "c": ["a"]}))


# -- what a second pair of eyes found ---------------------------------------------------------------------------------


def test_whole_rows_are_like_all_rows_where_holes_follow_from_another_column() -> None:
    """Missing at random: rows without holes are not like the others, and new rows without holes are to be."""
    generator = np.random.default_rng(0)
    a = generator.choice(list("abcd"), 2000)
    c = pd.Series(generator.choice(["x", "y"], 2000), dtype=object)
    c[(a == "a") & (generator.random(2000) < 0.8)] = None
    drawn = lt.VAE(random_state=0).fit(pd.DataFrame({"c": c, "a": a})).sample(4000)
    assert (drawn["a"] == "a").mean() == pytest.approx(0.25, abs=0.06)
    assert not drawn["c"].isna().any()


def test_what_people_record_by_is_kept() -> None:
    generator = np.random.default_rng(0)
    hours = pd.Timestamp("2020-01-01") + pd.to_timedelta(generator.integers(0, 20000, 150), unit="h")
    whole, cents = generator.integers(0, 100_000, 150).astype(float), np.round(generator.uniform(0, 1000, 150), 2)
    frame = pd.DataFrame({"whole": whole, "cents": cents, "time": hours, "c": generator.choice(["a", "b"], 150)})
    drawn = lt.VAE(max_epochs=2, random_state=0).fit(frame).sample(200)
    assert (drawn["whole"] % 1 == 0).all() and np.allclose(drawn["cents"], drawn["cents"].round(2), atol=1e-9)
    assert (drawn["time"].dt.floor("h") == drawn["time"]).all()


def test_probabilities_of_all_values_of_a_grid_add_up_to_one() -> None:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"k": generator.integers(0, 2000, 300), "s": generator.choice(["a", "b"], 300)})
    vae = lt.VAE(max_epochs=5, random_state=0).fit(frame)
    every = pd.DataFrame([(k, s) for k in range(frame.k.min(), frame.k.max() + 1) for s in "ab"], columns=["k", "s"])
    assert np.exp(vae.score_samples(every)).sum() == pytest.approx(1.0, abs=0.1)
    assert vae.sample(20_000)["k"].nunique() > 0.9 * (frame.k.max() - frame.k.min())


def test_what_is_given_is_understood_or_refused() -> None:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"code": generator.choice([1, 2, 4], 300), "sex": generator.choice(["F", "M"], 300)})
    frame["flag"] = generator.random(300) < 0.4
    vae = lt.VAE(max_epochs=3, random_state=0, kinds={"code": "categorical"}).fit(frame)
    assert set(vae.sample(9, given={"code": 4.0, "flag": "yes"})["code"]) == {4}
    assert vae.sample(9, given={"flag": True})["flag"].all()
    with pytest.raises(lt.DataError, match="'code' has levels without an order"):
        vae.sample(9, given={"code": (1, 4)})
    with pytest.raises(lt.ModelError, match="given must map columns"):
        vae.sample(9, given="sex")
    with pytest.raises(lt.ModelError, match="either given or missing"):
        vae.sample(9, given={"sex": "F"}, missing=True)
    assert vae.interpolate(frame.iloc[0], frame.iloc[1], 3).shape == (3, 3)
    values = [1, 2, 4]
    drawn = vae.sample(200, given={"code": values})
    assert set(drawn["code"]) == set(values)


def test_each_of_several_numbers_may_come() -> None:
    """Also where they are neighbours, and in one cell."""
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({"k": generator.integers(0, 20_000, 3000), "s": generator.choice(["a", "b"], 3000)})
    drawn = lt.VAE(max_epochs=1, random_state=0).fit(frame).sample(300, given={"k": [500, 501, 502, 15_000]})
    assert set(drawn["k"]) == {500, 501, 502, 15_000}


def test_a_table_of_very_many_columns_has_one_model() -> None:
    generator = np.random.default_rng(0)
    kind = generator.integers(0, 3, 200)
    frame = pd.DataFrame(
        {f"n{i}": kind + generator.integers(0, 3, 200) for i in range(260)} | {"kind": list("abc" * 66 + "ab")}
    )
    vae = lt.VAE(max_epochs=2, random_state=0).fit(frame)
    assert vae.row_model_ is vae.model_
    assert set(vae.sample(20)["kind"]) <= set("abc")


def test_the_time_of_both_stages_counts_and_is_limited() -> None:
    frame = pd.DataFrame(people())
    vae = lt.VAE(time_limit=2.0, random_state=0).fit(frame)
    assert vae.row_model_ is not vae.model_
    assert 0.0 < vae.figures_["seconds"] < 5.0


# -- new levels, and parts of scores ----------------------------------------------------------------------------------


def test_levels_that_nobody_saw_count_as_not_seen_where_that_is_asked_for(vae: lt.VAE) -> None:
    rows = people()
    rows["kind"][3] = rows["kind"][5] = "dog"
    rows["colour"][3] = "pink"
    holed = people()
    for name, places in (("kind", (3, 5)), ("colour", (3,))):
        for place in places:
            holed[name][place] = None
    lenient = copy.deepcopy(vae).set_params(unknown="missing")
    with pytest.warns(lt.LatenteWarning, match=r"treated as missing .*'kind': 'dog' \(2\); 'colour': 'pink' \(1\)"):
        codes = lenient.transform(pa.table(rows))
    np.testing.assert_array_equal(codes, vae.transform(pa.table(holed)))
    with pytest.warns(lt.LatenteWarning, match="'dog'"):
        whole = lenient.impute(pa.table(rows))
    assert set(column(whole, "kind")) <= {"ant", "bee", "cat"} and set(column(whole, "colour")) == {"red", "green", "blue"}
    known = [place for place in range(N) if place not in (3, 5)]
    assert [column(whole, "kind")[place] for place in known] == [rows["kind"][place] for place in known]
    with pytest.raises(lt.ModelError, match="unknown is 'ignore'; it must be 'error' or 'missing'"):
        lt.VAE(unknown="ignore").fit(pa.table(rows))


@pytest.mark.parametrize("recipe", ["auto", "autoencoder", "iwae"])
def test_parts_of_a_score_add_up_to_it(recipe: str) -> None:
    rows = pd.DataFrame(people(holes=0.2), index=range(5, 5 + N))
    vae = lt.VAE(recipe, max_epochs=3, random_state=0).fit(rows)
    parts = vae.score_parts(rows)
    assert (
        list(parts.columns) == ["kind", "colour", "size", "vote"] + ["(code)"] * (recipe == "iwae")
        and (parts.index == rows.index).all()
    )
    np.testing.assert_allclose(parts.sum(axis=1), vae.score_samples(rows), rtol=1e-9)
    assert (parts["colour"][rows["colour"].isna()] == 0).all() and (parts["vote"] < 0).all()


def test_parts_of_a_score_of_a_code_have_one_for_the_code() -> None:
    rows = pd.DataFrame(np.random.default_rng(0).normal(size=(300, 2)) @ [[1, 2, 3], [0, 1, -1]], columns=list("abc"))
    vae = lt.VAE(max_epochs=20, random_state=0).fit(rows)
    parts = vae.score_parts(rows)
    assert list(parts.columns) == ["a", "b", "c", "(code)"] and (parts["(code)"] < 0).mean() > 0.9
    np.testing.assert_allclose(parts.sum(axis=1), vae.score_samples(rows), rtol=1e-9)
    pictures = lt.VAE(max_epochs=1, random_state=0).fit(np.random.default_rng(0).random((30, 4, 4)))
    with pytest.raises(lt.ModelError, match="columns of a table"):
        pictures.score_parts(np.zeros((1, 4, 4)))


def test_a_value_that_repeats_beside_measures_is_one_of_its_own() -> None:
    generator = np.random.default_rng(0)
    gain = np.where(generator.random(1500) < 0.9, 0.0, generator.lognormal(6, 1, 1500))
    step = generator.choice([1.5, 2.0, 3.25], 1500)
    vae = lt.VAE(max_epochs=10, random_state=0).fit(
        pd.DataFrame({"a": generator.normal(size=1500), "gain": gain, "step": step})
    )
    drawn = vae.sample(2000)
    assert (drawn["gain"] == 0).mean() == pytest.approx(0.9, abs=0.03)
    assert set(drawn["step"]) == {1.5, 2.0, 3.25}
    assert (vae.sample(5, given={"gain": 0})["gain"] == 0).all()


@pytest.mark.slow
def test_columns_that_are_missing_together_are_so_in_new_rows() -> None:
    generator = np.random.default_rng(0)
    missing = generator.random(2000) < 0.4
    columns = {name: np.where(missing, np.nan, generator.normal(size=2000)) for name in "abc"}
    vae = lt.VAE(random_state=0).fit(pd.DataFrame({**columns, "k": generator.choice(list("xy"), 2000)}))
    holes = vae.sample(4000, missing=True)[list("abc")].isna()
    np.testing.assert_allclose(holes.mean(), 0.4, atol=0.05)
    assert holes.sum(axis=1).isin([0, 3]).mean() > 0.95


@pytest.fixture(scope="module")
def related() -> lt.VAE:
    """A place that follows from its country, a date, an amount in cents, a large whole number and an order."""
    generator = np.random.default_rng(0)
    place = generator.integers(0, 4, 1200)
    days = pd.Timestamp("2020-01-01") + pd.to_timedelta(generator.integers(0, 1000, 1200), "D")
    frame = pd.DataFrame({
        "place": [("Lima", "Cusco", "Quito", "Loja")[p] for p in place],
        "country": np.where(place < 2, "Peru", "Ecuador"),
        "when": days,
        "amount": np.round(generator.normal(50, 10, 1200), 2),
        "count": generator.integers(0, 50_000, 1200),
        "size": pd.Categorical([("S", "M", "L")[p] for p in generator.integers(0, 3, 1200)], ["S", "M", "L"], ordered=True),
    })  # fmt: skip
    return lt.VAE(max_epochs=30, random_state=0).fit(frame)


def test_what_does_not_go_together_is_an_error_that_names_it(related: lt.VAE) -> None:
    with pytest.raises(lt.DataError, match="under the model place='Lima' and country='Ecuador' exclude one another"):
        related.sample(20, given={"amount": (40, 60), "place": "Lima", "country": "Ecuador"})
    assert (related.sample(20, given={"place": "Lima", "country": "Peru"})["place"] == "Lima").all()
    assert related.given_["probability"] == pytest.approx(0.25, abs=0.06)
    assert related.given_["effective_sample_size"] >= 20


def test_a_narrow_range_is_rare_and_no_contradiction(related: lt.VAE) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        drawn = related.sample(50, given={"amount": (50.0, 50.01), "count": (20_000.4, 20_010.4), "place": ["Loja", "Lima"]})
    assert set(drawn["amount"]) <= {50.0, 50.01} and drawn["count"].between(20_001, 20_010).all()
    assert related.given_["probability"] < 1e-6


@pytest.mark.parametrize(
    ("given", "low", "high"),
    [
        ({"when": 2021}, "2021-01-01", "2021-12-31"),
        ({"when": "2021-02"}, "2021-02-01", "2021-02-28"),
        ({"when": ("2021-03", "2021-05")}, "2021-03-01", "2021-05-31"),
        ({"when": [("2020-02-03", "2020-02-04"), "2020-02-05"]}, "2020-02-03", "2020-02-05"),
    ],
)
def test_dates_are_given_by_years_months_and_ranges(related: lt.VAE, given: dict[str, Any], low: str, high: str) -> None:
    drawn = related.sample(300, given=given)["when"]
    assert drawn.between(low, high).all() and drawn.nunique() > 2


def test_ranges_lists_and_orders_that_are_given(related: lt.VAE) -> None:
    count = related.sample(200, given={"count": [(0, 99), (40_000, 40_099)]})["count"]
    assert (count.between(0, 99) | count.between(40_000, 40_099)).all() and count.lt(100).any() and count.gt(100).any()
    assert set(related.sample(50, given={"size": ("M", None)})["size"]) == {"M", "L"}
    assert set(related.sample(50, given={"place": np.array(["Loja", "Lima"])})["place"]) == {"Loja", "Lima"}
    assert related.sample(50, given={"count": range(100, 103)})["count"].isin([100, 101, 102]).all()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"amount": (42.341, 42.344)}, "steps of 0.01, and no value that it can have is from 42.341"),
        ({"count": True}, "'count' holds numbers, and True is none"),
        ({"place": ("Lima", "Loja")}, "'place' has levels without an order"),
        ({"size": ("L", "S")}, "from 'L' to 'S': the first is the higher one"),
    ],
)
def test_what_is_given_amiss_is_told(related: lt.VAE, given: dict[str, Any], told: str) -> None:
    with pytest.raises(lt.DataError, match=told):
        related.sample(5, given=given)


def test_what_was_never_seen_is_told_though_nothing_speaks_against_it() -> None:
    generator = np.random.default_rng(0)
    rare = {name: generator.choice(["often", "seldom"], 600, p=[0.98, 0.02]) for name in "ab"}
    vae = lt.VAE(max_epochs=10, random_state=0).fit(pd.DataFrame({**rare, "x": generator.normal(size=600)}))
    with pytest.warns(lt.LatenteWarning, match="rarer than one row in the 540 .* are an extrapolation") as heard:
        vae.sample(5, given={"a": "seldom", "b": "seldom"})
    assert heard[0].filename == __file__, "it points at who asked"
    assert vae.given_["probability"] < 1 / 540
    vae.sample(5)
    assert vae.given_ == {}


@pytest.mark.parametrize("recipe", ["vae", "autoencoder"])
@pytest.mark.parametrize("kind", ["reals", "binary"])
def test_privacy_is_measured_of_every_table(recipe: str, kind: str) -> None:
    generator = np.random.default_rng(0)
    rows = generator.normal(size=(400, 3)) @ generator.normal(size=(3, 6))
    vae = lt.VAE(recipe, max_epochs=3, random_state=0).fit(pd.DataFrame(rows > 0 if kind == "binary" else rows).add_prefix("c"))
    privacy = vae.figures_["privacy"]
    assert set(privacy) == {"exact_copies", "exact_copies_held_out", "nearer_to_training", "membership"}
    assert kind == "reals" or privacy["exact_copies"] > 0.5, "of 64 possible rows most were seen"


def test_kinds_of_shares_and_of_two_values_and_what_can_not_be_asked() -> None:
    generator = np.random.default_rng(0)
    frame = pd.DataFrame({
        "share": generator.beta(0.5, 0.5, 400).round(3),
        "side": generator.choice([1, 2], 400),
        "when": pd.Timestamp("2020-01-01") + pd.to_timedelta(generator.integers(0, 99, 400), "D"),
        "level": generator.choice(["a", "b", "c"], 400),
    })  # fmt: skip
    vae = lt.VAE(max_epochs=2, random_state=0, kinds={"side": "binary", "when": "calendar"}).fit(frame)
    fields = {field["name"]: field for field in vae.fields_}
    assert {name: field["kind"] for name, field in fields.items()} == {
        "share": "bounded",
        "side": "binary",
        "when": "calendar",
        "level": "categorical",
    }
    assert fields["share"]["reason"].startswith("shares from 0 to 1")
    drawn = vae.sample(300)
    assert drawn["share"].between(0, 1).all() and set(drawn["side"]) == {1, 2} and drawn["side"].dtype == frame["side"].dtype
    for kinds, told in (
        ({"level": "binary"}, "can't be 'binary': it holds 3 different values"),
        ({"side": "bounded"}, "2 in row . .counted from 0. is no share from 0 to 1"),
        ({"level": "calendar"}, "was not read as dates, and can't be 'calendar': write them as dates, such as 2021-03-01"),
    ):
        with pytest.raises(lt.DataError, match=told):
            lt.VAE(max_epochs=1, kinds=kinds).fit(frame)
