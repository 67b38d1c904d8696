"""The anomalies of series in a report: one series with its band, and the strongest events of all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import narwhals as nw
import numpy as np
from matplotlib.axes import Axes

from latente.report import figures
from latente.report.drawing.style import Array
from latente.report.report_data import ReportData
from latente.words import number

MAX_STEPS = 1500  # that are drawn
MAX_EVENTS = 8


@dataclass(frozen=True)
class Steps:
    """Scores of the steps of series.

    Attributes:
        columns: of :meth:`latente.VAE.anomalies`, in order of time. place: the step of each, counted over all series.
        starts: the first step of each series. values: of channels, by name.
    """

    columns: dict[str, Array]
    place: Array
    starts: Array
    values: dict[str, Array]
    time: str
    entity: str

    @classmethod
    def of(cls, shown: ReportData) -> Steps:
        """Of all rows of a report."""
        series: Any = shown.every
        codec: Any = shown.vae.codec_
        found = nw.from_native(shown.vae.anomalies(series), eager_only=True)
        order = np.argsort(series.grid.places, kind="stable")
        columns = {name: np.asarray(found[name].to_list(), _kind(found[name].dtype))[order] for name in found.columns}
        names = [name.removesuffix("_expected") for name in found.columns if name.endswith("_expected")]
        table = series.table
        values = {name: table.values[order, table.names.index(name)].astype(float) for name in names if name in table.names}
        return cls(columns, series.grid.places[order], series.grid.starts, values, codec.time, codec.entity)

    @property
    def total(self) -> int:
        """Number of steps."""
        return len(self.place)

    @property
    def count(self) -> int:
        """Number of events."""
        return int(self.columns["event"].max(initial=0))

    def drawn(self) -> list[Axes]:
        """The series with the strongest step, around it."""
        anomaly = self.columns["anomaly"]
        peak = int(np.nanargmax(anomaly))
        series = np.searchsorted(self.starts, self.place, side="right")
        own = np.flatnonzero(series == series[peak])
        begin = int(np.clip(np.searchsorted(own, peak) - MAX_STEPS // 2, 0, max(0, len(own) - MAX_STEPS)))
        some = own[begin : begin + MAX_STEPS]
        ends = tuple(np.stack([self.columns[f"{name}_{end}"][some] for name in self.values], 1) for end in ("low", "high"))
        values = np.stack([column[some] for column in self.values.values()], 1)
        times = self._times()[some]
        return figures.timeline(
            times, values, (ends[0], ends[1]), anomaly[some], self.columns["anomalous"][some].astype(bool), [*self.values]
        )

    def _times(self) -> Array:
        times = self.columns[self.time] if self.time else self.place
        return times.astype("datetime64[us]") if times.dtype == object and len(times) and hasattr(times[0], "year") else times

    def strongest(self) -> Iterator[tuple[str, ...]]:
        """Events with the largest anomaly: number, begin, end, largest anomaly and channels."""
        event, anomaly = self.columns["event"], self.columns["anomaly"]
        peaks = {k: float(np.nanmax(anomaly[event == k])) for k in np.unique(event[event > 0]).tolist()}
        for k in sorted(peaks, key=lambda k: -peaks[k])[:MAX_EVENTS]:
            rows = np.flatnonzero(event == k)
            ends = [self._said(row) for row in (rows[0], rows[-1])]
            worst = rows[np.nanargmax(anomaly[rows])]
            yield (str(k), *ends, number(peaks[k], ".2f"), str(self.columns["fields"][worst]))

    def _said(self, row: int) -> str:
        time: Any = self.columns[self.time][row] if self.time else self.place[row]
        return f"{self.columns[self.entity][row]}: {time}" if self.entity else str(time)


def _kind(dtype: Any) -> Any:
    return float if dtype.is_float() else int if dtype.is_integer() else object
