"""One codec for each kind of column: what tells it, its values in and out, its field, its conditions. Open in :data:`KINDS`."""

from latente.data.columns.column import FLAG, Column, Facts, Intervals, Kind, is_matrix
from latente.data.columns.kinds import CHOICES, KINDS, as_asked, class_of, kind_of_column, refuse_kinds
from latente.data.columns.names import TIMESTAMP, Name
from latente.data.columns.numbers import Number
from latente.data.columns.single import Flag, only_label

__all__ = [
    "CHOICES",
    "FLAG",
    "KINDS",
    "TIMESTAMP",
    "Column",
    "Facts",
    "Flag",
    "Intervals",
    "Kind",
    "Name",
    "Number",
    "as_asked",
    "class_of",
    "is_matrix",
    "kind_of_column",
    "only_label",
    "refuse_kinds",
]
