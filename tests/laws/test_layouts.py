"""Each layout of rows has its entry in the table of every room."""

import pytest

from latente.blueprint import NETWORKS
from latente.certificate.features import RAW
from latente.cli.tasks import FORMS
from latente.data.plain import PLAIN
from latente.explorer.views import VIEWS
from latente.report.report import REPORTS
from latente.report.report_data import SHOWN
from latente.report.scenes import ROWS
from latente.report.side_by_side import SIDES
from latente.report.study_pages import PLACES
from latente.rows import LAYOUTS, Field, layout_of
from latente.studies.comparison import EMITTED
from latente.tasks.new_rows import NOISE

TABLES = {
    "networks": NETWORKS,
    "features": RAW,
    "views": VIEWS,
    "plain rows": PLAIN,
    "noise of new rows": NOISE,
    "sampled rows": EMITTED,
    "reports": REPORTS,
    "rows of a report": SHOWN,
    "figures of rows": ROWS,
    "models side by side": SIDES,
    "pages of comparisons": PLACES,
    "results of commands": FORMS,
}


@pytest.mark.parametrize("room", TABLES)
def test_every_layout_has_an_entry(room: str) -> None:
    assert set(TABLES[room]) == set(LAYOUTS)


def test_a_field_has_the_layout_of_its_axes() -> None:
    window = Field("window", shape=(2, 24))
    assert {Field("x").layout, window.layout, layout_of((Field("image", shape=(3, 8, 8)),))} == set(LAYOUTS)
