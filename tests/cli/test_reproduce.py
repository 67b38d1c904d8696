"""``latente reproduce``."""

from __future__ import annotations

from dataclasses import replace

from latente.studies.reproductions import REPRODUCTIONS, Scale


def test_without_a_name_it_lists_what_there_is(latente) -> None:
    ended = latente("reproduce")
    assert ended.code == 0 and all(name in ended.out for name in REPRODUCTIONS)
    assert {each["name"] for each in latente("reproduce", "--json").json["reproductions"]} == set(REPRODUCTIONS)


def test_the_exit_code_says_whether_all_claims_are_reached(latente, monkeypatch) -> None:
    each = REPRODUCTIONS["beta-tcvae"]
    entries = {name: lambda setting, value=value: [value] for value, name in enumerate(each.entries)}
    monkeypatch.setitem(REPRODUCTIONS, "beta-tcvae", replace(each, entries=entries, quick=Scale(20, 1, 10)))
    ended = latente("reproduce", "beta-tcvae", "--quick")
    assert ended.code == 0 and "Passed" in ended.out and "beta-TCVAE better than VAE" in ended.out, ended.err
    monkeypatch.setitem(REPRODUCTIONS, "beta-tcvae", replace(REPRODUCTIONS["beta-tcvae"], smaller=True))
    found = latente("reproduce", "beta-tcvae", "--quick", "--json")
    assert found.code == 1 and found.json["passed"] is False and found.json["claims"][0]["difference"] == -2.0


def test_bad_input_is_one_sentence(latente, tmp_path, monkeypatch) -> None:
    assert "is 'iwae' meant" in (ended := latente("reproduce", "iwea")).sentence or "there are iwae" in ended.sentence
    monkeypatch.setenv("LATENTE_DATA", str(tmp_path))
    assert "MNIST does not come with Latente" in latente("reproduce", "iwae", "--quick").sentence
