"""The context of a model: columns of a table, as one vector for each row."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from numbers import Real
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from latente.data.containers import Array
from latente.data.files import KINDS, quoted
from latente.data.plain import column_of
from latente.data.sources import Images, Table, read
from latente.data.table import TableCodec
from latente.errors import DataError
from latente.rows import BINARY, Rows, expanded, levels_of

LABELS = "context"  # name of the column for labels without a name
MAX_LABELS = 100  # of a model that classifies


@dataclass(frozen=True)
class ContextCodec:
    """Converts columns to context: numbers standardised, an indicator for each level, and one for missing values of columns
    that had some in the fit.

    Attributes:
        codec: of the columns.
    """

    codec: TableCodec

    @classmethod
    def fit(cls, table: Table, kinds: Mapping[str, str]) -> Self:
        """The codec of some columns; errors as of :meth:`of`."""
        return cls.of(TableCodec.fit(table, kinds))

    @classmethod
    def of(cls, codec: TableCodec) -> Self:
        """From a codec of the columns.

        Raises:
            DataError: a column can't be used: it has a single value, identifies rows, or is free text.
        """
        used = {field.name for field in codec.fields}
        useless = [f"{name!r} ({kind})" for name, kind in zip(codec.names, codec.kinds, strict=True) if name not in used]
        if useless:
            raise DataError(
                f"context: a model can't depend on {', '.join(useless)}: leave it out, or set its kind with kinds=…, such as "
                "'categorical'"
            )
        return cls(codec)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the columns."""
        return self.codec.names

    @cached_property
    def marked(self) -> list[int]:
        """Indices of the columns with an indicator of missing values."""
        return [place for place, field in enumerate(self.codec.fields) if field.missing > 0]

    @cached_property
    def size(self) -> int:
        """Number of values of a row's context."""
        return sum(max(1, field.levels) for field in self.codec.fields) + len(self.marked)

    @property
    def labels(self) -> Tensor:
        """If the context is one column of levels: that of each level and, last, of a missing one, [L + 1, C]; else [0, C]."""
        field, *others = self.codec.fields
        count = field.levels or 2 * (field.kind == BINARY)
        if others or not count:
            return torch.zeros(0, self.size)
        if count > MAX_LABELS:
            raise DataError(
                f"{field.name!r} has {count:,} labels, and a step computes each: merge some, to at most {MAX_LABELS}"
            )
        each = self.vectors(Rows(torch.arange(float(count)).unsqueeze(1)))
        missing = torch.zeros(1, self.size)
        missing[:, -1] = float(bool(self.marked))
        return torch.cat([each, missing])

    def encode(self, table: Table | Images | None, unknown: str = "error") -> Tensor:
        """Context of each row, float32 [N, size].

        Raises:
            DataError: columns or values of the fit are missing, or a level did not occur in the fit.
        """
        missing = self.names if table is None else [name for name in self.names if name not in getattr(table, "names", ())]
        if table is None or (self.codec.named and missing):
            first = self.names[0]
            raise DataError(
                f"the model was fitted with the context {quoted(self.names)}, but {quoted(missing)} is missing: pass "
                f"rows with it, or context={{{first!r}: …}} (--context {first}=…), or a frame with a row for each row"
            )
        return self.vectors(self.codec.encode(table, unknown))

    def vectors(self, rows: Rows) -> Tensor:
        """Encoded columns as context."""
        fields, x = self.codec.fields, rows.x
        if rows.mask is None:
            return torch.cat([expanded(x, levels_of(fields)), x.new_zeros(len(x), len(self.marked))], 1)
        self._check_observed(rows.mask)
        nominal = torch.tensor([field.levels > 0 for field in fields])
        x = torch.where(rows.mask, x, torch.where(nominal, -1.0, 0.0))
        return torch.cat([expanded(x, levels_of(fields)), (~rows.mask[:, self.marked]).float()], 1)

    def _check_observed(self, mask: Tensor) -> None:
        complete = [place for place in range(mask.shape[1]) if place not in self.marked]
        for place in complete:
            if not bool(mask[:, place].all()):
                row, name = int((~mask[:, place]).nonzero()[0]), self.codec.fields[place].name
                raise DataError(
                    f"context: {name!r} is missing in row {row} (counted from 0), but never in the fit: pass a value"
                )


def split_context(data: Table | Images, context: Any, kinds: Mapping[str, str]) -> tuple[Table | Images, Table, dict[str, str]]:
    """Rows to fit on, their separate context, and the kinds of its columns.

    Args:
        data: what was read. kinds: of columns, by name.
        context: names of columns of ``data``, or data of its own with a row for each row.

    Raises:
        DataError: there are no such columns, or no others; or the context has another number of rows.
    """
    names = [context] if isinstance(context, str) else context
    named = isinstance(data, Table) and data.named
    if named and isinstance(names, (list, tuple)) and names and all(isinstance(name, str) for name in names):
        assert isinstance(data, Table)
        rest, table = _apart(data, names)
        return rest, table, {name: kind for name, kind in kinds.items() if name in names}
    if isinstance(context, str) and not named and not _is_path(context):
        raise DataError(f"context: X has no named columns, so {context!r} is none: pass the values, one for each row of X")
    table = read_context(context)
    if len(table) != len(data):
        raise DataError(f"context has {len(table):,} rows, and X has {len(data):,}: pass one for each row of X")
    own = {name: kind for name, kind in kinds.items() if name in table.names}
    return data, table, own if table.names != (LABELS,) or table.dtypes[0].startswith("float") else {LABELS: "categorical"}


def names_of_context(context: Any, there: Sequence[str]) -> list[str]:
    """The columns that are context, where rows are in pieces.

    Raises:
        DataError: there are no such columns, or no others, or the context is not named by columns.
    """
    names = [context] if isinstance(context, str) else context
    if not (isinstance(names, (list, tuple)) and names and all(isinstance(name, str) for name in names)):
        raise DataError("context: rows that do not fit into memory have it in columns of their own: pass the names of these")
    _refuse_unknown(names, there, "context")
    return list(names)


def read_context(context: Any, columns: Collection[str] | None = None, texts: Collection[str] = (), **how: Any) -> Table:
    """Separate context: a value or labels of the one column, a mapping from columns to a value or values, or a table."""
    import pyarrow as pa

    if isinstance(context, Mapping):
        columns_of = {str(name): _values(value) for name, value in context.items()}
        if len({len(column) for column in columns_of.values()}) > 1:
            lengths = ", ".join(f"{name!r} has {len(column):,}" for name, column in columns_of.items())
            raise DataError(f"columns differ in their number of values: {lengths}")
        context = pa.table(columns_of)
    elif _is_value(context) or isinstance(context, (list, tuple)) or getattr(context, "ndim", 0) == 1:
        context = pa.table({str(getattr(context, "name", None) or LABELS): _values(context)})
    table = read(context, columns, texts, **how)
    if not isinstance(table, Table):
        raise DataError("context must be columns of numbers, levels or dates, and these are pictures")
    return table


def _is_path(text: str) -> bool:
    return text.lower().endswith(KINDS) or os.path.exists(text)


def _is_value(context: Any) -> bool:
    """Whether this is one number, level or date, not a name of a file."""
    if isinstance(context, str):
        return not _is_path(context)
    return isinstance(context, (Real, date, np.generic)) or getattr(context, "ndim", None) == 0


def _values(value: Any) -> Any:
    """One value or several as an array of Arrow, in which NaN is missing, also among texts."""
    import pyarrow as pa

    if isinstance(value, str) or not hasattr(value, "__len__") or getattr(value, "ndim", 1) == 0:
        return pa.array([value], from_pandas=True)
    return pa.array(value.tolist() if hasattr(value, "tolist") else list(value), from_pandas=True)


def split_labels(data: Any, names: Sequence[str]) -> tuple[Any, dict[str, Array]]:
    """Rows to fit on, and columns that are only shown: labels by name.

    Raises:
        DataError: there are no such columns, or no others.
    """
    if not names:
        return data, {}
    if not isinstance(data, Table):
        raise DataError("labels are columns of a table that fits into memory")
    rest, table = _apart(data, names, "labels")
    return rest, {name: column_of(table, place) for place, name in enumerate(table.names)}


def _apart(table: Table, names: Collection[str], what: str = "context") -> tuple[Table, Table]:
    """A table without some columns, and these columns; ``what`` they are."""
    _refuse_unknown(names, table.names, what)
    own = [place for place, name in enumerate(table.names) if name in names]
    rest = [place for place in range(len(table.names)) if place not in own]
    return _columns(table, rest), _columns(table, own)


def _refuse_unknown(names: Collection[str], there: Sequence[str], what: str) -> None:
    unknown = [name for name in names if name not in there]
    if unknown:
        raise DataError(f"{what}: there is no column {quoted(unknown)}; there are {quoted(there)}")
    if {*there} <= {*names}:
        raise DataError(f"{what}: all columns are {what}, so no column is left to model: name fewer")


def _columns(table: Table, places: list[int]) -> Table:
    def kept(values: Mapping[int, Any]) -> dict[int, Any]:
        return {new: values[old] for new, old in enumerate(places) if old in values}

    names, dtypes = (tuple(values[place] for place in places) for values in (table.names, table.dtypes))
    values, levels, exact = np.asarray(table.values[:, places]), kept(table.levels), kept(table.exact)
    return replace(table, names=names, dtypes=dtypes, values=values, levels=levels, exact=exact)
