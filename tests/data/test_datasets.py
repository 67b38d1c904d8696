"""Rows in containers of torch, and as records."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import DataLoader, Subset, TensorDataset

from latente.data import Images, Table, read
from latente.errors import DataError

X = torch.arange(12.0).reshape(4, 3)


def test_of_a_tensor_dataset_the_first_tensor_is_read() -> None:
    found = read(TensorDataset(X, torch.zeros(4)))
    assert isinstance(found, Table) and found.container == "torch"
    assert (found.values == X.numpy()).all()
    assert isinstance(read(TensorDataset(torch.rand(4, 1, 8, 8))), Images)


@pytest.mark.parametrize("kind", [list, tuple])
def test_a_list_of_tensors_is_one_tensor(kind: type) -> None:
    found = read(kind(X))
    assert isinstance(found, Table) and (found.values == X.numpy()).all()
    pictures = read(kind(torch.rand(4, 8, 8)))
    assert isinstance(pictures, Images) and pictures.layout == "NHW"


@pytest.mark.parametrize(
    ("source", "match"),
    [
        (DataLoader(TensorDataset(X)), r"X is a torch DataLoader.*loader.dataset.tensors\[0\]"),
        (Subset(TensorDataset(X), [0, 1]), "X is a torch Subset.*one tensor"),
        ([X[0], X[1][:2]], r"these have the shapes \[\(2,\), \(3,\)\]"),
        ([{"a": 1}, {"a": "one"}], "column 'a' of the records holds values of several kinds"),
    ],
    ids=["loader", "dataset", "ragged", "mixed"],
)
def test_what_holds_no_rows_is_refused_by_name(source: object, match: str) -> None:
    with pytest.raises(DataError, match=match):
        read(source)


def test_records_are_rows_and_what_a_record_lacks_is_missing() -> None:
    found = read([{"a": 1.5, "k": "x"}, {"k": "y", "b": 2}])
    assert isinstance(found, Table) and found.names == ("a", "k", "b") and found.container == "pyarrow"
    assert np.isnan(found.values).tolist() == [[False, False, True], [True, False, False]]
    one = read({"a": 1.5, "k": "x"})
    assert isinstance(one, Table) and len(one) == 1
    frame = read(pd.DataFrame([{"a": 1.5, "k": "x"}, {"k": "y", "b": 2}]))
    assert isinstance(frame, Table) and frame.levels == found.levels
