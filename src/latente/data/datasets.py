"""Collections of rows that are neither an array nor a frame: datasets of torch, lists of tensors, records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, TensorDataset

from latente.errors import DataError


def of_other_containers(source: Any) -> Any:
    """The first tensor of a ``TensorDataset``, the tensors of a list as one, records as an Arrow table; others as they are.

    Raises:
        DataError: it is a collection that does not say which rows it holds, or whose parts do not fit each other.
    """
    if isinstance(source, TensorDataset):
        return source.tensors[0]
    if isinstance(source, (DataLoader, Dataset)):
        loader = isinstance(source, DataLoader)
        remedy = "the tensor of its rows, such as loader.dataset.tensors[0]" if loader else "its rows as one tensor"
        raise DataError(f"X is a torch {type(source).__name__}, whose rows can't be read as a table or pictures: pass {remedy}")
    if isinstance(source, (list, tuple)) and source:
        if all(isinstance(row, Tensor) for row in source):
            return _stacked(list(source))
        if all(isinstance(row, Mapping) for row in source):
            return _of_records(list(source))
    return _of_records([source]) if isinstance(source, Mapping) and _is_record(source) else source


def _stacked(rows: list[Tensor]) -> Tensor:
    shapes = {tuple(row.shape) for row in rows}
    if len(shapes) > 1:
        raise DataError(f"a list of tensors is taken for rows of one shape, and these have the shapes {sorted(shapes)[:4]}")
    return torch.stack(rows)


def _is_record(source: Mapping[Any, Any]) -> bool:
    if hasattr(source, "shape"):  # a sparse matrix may be a dictionary, too
        return False
    return bool(source) and all(isinstance(value, str) or not hasattr(value, "__len__") for value in source.values())


def _of_records(records: list[Mapping[Any, Any]]) -> Any:
    """A table with a column for each key, null where a record lacks it."""
    import pyarrow as pa

    names = list(dict.fromkeys(str(name) for record in records for name in record))
    columns = {}
    for name in names:
        values = [record.get(name) for record in records]
        try:
            columns[name] = pa.array(values, from_pandas=True)
        except (pa.ArrowException, TypeError, OverflowError) as error:
            raise DataError(f"column {name!r} of the records holds values of several kinds: {error}") from error
    return pa.table(columns)
