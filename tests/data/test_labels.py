"""Labels: columns that are shown and not modelled."""

import numpy as np
import pandas as pd
import pytest

import latente as lt
from latente.data import read, split_labels


def test_labels_are_taken_out_of_a_table() -> None:
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0], "kind": ["x", None, "y"], "b": [4.0, 5.0, 6.0]})
    rest, labels = split_labels(read(frame), ["kind"])
    assert rest.names == ("a", "b") and rest.values.tolist() == [[1, 4], [2, 5], [3, 6]]
    assert labels["kind"].tolist() == ["x", None, "y"]
    same, none = split_labels(read(frame), ())
    assert len(same.names) == 3 and not none


def test_labels_that_are_not_there_are_named() -> None:
    table = read(pd.DataFrame({"a": [1.0, 2.0]}))
    with pytest.raises(lt.DataError, match="labels: there is no column 'kind'; there are 'a'"):
        split_labels(table, ["kind"])
    with pytest.raises(lt.DataError, match="labels: all columns are labels"):
        split_labels(table, ["a"])
    with pytest.raises(lt.DataError, match="labels are columns of a table"):
        split_labels(read(np.zeros((3, 8, 8))), ["kind"])
