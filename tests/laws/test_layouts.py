"""Each layout of rows has its entry in the table of every room."""

import pytest

from latente.blueprint import NETWORKS
from latente.certificate.features import RAW
from latente.explorer.views import VIEWS
from latente.rows import LAYOUTS, Field, layout_of

TABLES = {"networks": NETWORKS, "features": RAW, "views": VIEWS}


@pytest.mark.parametrize("room", TABLES)
def test_every_layout_has_an_entry(room: str) -> None:
    assert set(TABLES[room]) == set(LAYOUTS)


def test_a_field_has_the_layout_of_its_axes() -> None:
    assert {Field("x").layout, layout_of((Field("image", shape=(3, 8, 8)),))} == set(LAYOUTS)
