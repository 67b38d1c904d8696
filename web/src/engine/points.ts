/** Codes of real rows, and the rows, where they are in the pack. */

import type { Block } from "./block";
import type { EncodeInput, Points } from "./types";
import type { Units } from "./model";
import type { Column } from "./units";

export interface PointsSpec {
  count: number;
  codes: number;
  low: number;
  high: number;
  columns: { name: string; labels: string[] | null; values: number; low: number; high: number }[];
  rows: { pixels: number } | { values: number } | null;
}

const UNSEEN = 255;

export function points(spec: PointsSpec, units: Units, block: Block): Points {
  const { rows } = spec;
  const pixels = rows && "pixels" in rows ? block.tensor(rows.pixels) : null;
  const values = rows && "values" in rows ? block.doubles(rows.values) : null;
  const columns = units as Column[];
  const of = (index: number) => columns.map((column, f) => [column, (values as Float64Array)[index * columns.length + f]] as const);
  return {
    count: spec.count,
    codes: codes(spec, block),
    columns: spec.columns.map(({ name, labels, values, low, high }) => ({
      name,
      labels,
      values: Float32Array.from(block.tensor(values).values, (step) => (step === UNSEEN ? Number.NaN : low + ((high - low) * step) / (UNSEEN - 1))),
    })),
    row: (index) => {
      if (!values) return null;
      return of(index).map(([column, value]) => ({ name: column.spec.name, text: Number.isNaN(value) ? "" : given(column, value) }));
    },
    input: (index): EncodeInput | null => {
      if (pixels) {
        const size = pixels.values.length / spec.count;
        return { type: "image", pixels: Float32Array.from(pixels.values.subarray(index * size, (index + 1) * size), (p) => p / 255) };
      }
      if (!values) return null;
      return { type: "row", values: of(index).map(([column, value]) => (Number.isNaN(value) ? null : recorded(column, value))) };
    },
  };
}

/** A value as it was recorded, without what encoding in single precision added. */
function recorded(column: Column, value: number): number | string {
  return column.spec.labels?.[value] ?? column.possible(value);
}

/** Texts of what was recorded are those of what is decoded. */
function given(column: Column, value: number): string {
  return column.text((value - column.spec.center) / column.spec.scale);
}

function codes(spec: PointsSpec, block: Block): Float32Array {
  const steps = block.tensor(spec.codes).values;
  const [low, high] = [block.doubles(spec.low), block.doubles(spec.high)];
  const d = low.length;
  const out = new Float32Array(steps.length);
  for (let i = 0; i < out.length; i++) out[i] = low[i % d] + ((high[i % d] - low[i % d]) * steps[i]) / 65535;
  return out;
}
