import type { Vector } from "../core/linear";
import type { DecodedField, DecodedRow, EncodeInput, LatentModel, Pack, Points } from "../engine/types";
import { spreadOver } from "./neighbourhood";

/** Rows that a decoded one is compared with, and rows that say what is near. */
const COMPARED = 2000;
const JUDGED = 400;
/** As near as this share of rows that the model has not been trained on, or of rows to the other rows. */
const USUAL = 0.95;

/** A row drawn from the decoded distribution of each column: means are nearer to real rows than rows with their noise. */
function sampledRow(decoded: DecodedRow, random: () => number): DecodedRow {
  return { type: "row", fields: decoded.fields.map((field) => drawnField(field, random)) };
}

function drawnField(field: DecodedField, random: () => number): DecodedField {
  const { probability, low, high, labels } = field.distribution;
  let left = random();
  const bin = Math.max(0, probability.findIndex((share) => (left -= share) <= 0));
  if (labels) return { ...field, text: labels[bin] };
  return { ...field, value: low[bin] + random() * (high[bin] - low[bin]) };
}

/** Whether decoded rows are like real ones: as near to one of them as 95% of real rows are to another one. */
export class Nearness {
  private readonly rows: Float64Array[];
  private readonly usual: Float64Array;
  /** The squared distance of a hit. */
  private readonly limit: number;
  private readonly channels: number;
  private readonly scale: ((value: number | string | null) => number[])[];

  constructor(pack: Pack, points: Points) {
    const inputs = spreadOver(points.count, COMPARED)
      .map((row) => points.input(row))
      .filter((input): input is EncodeInput => input !== null);
    this.scale = pack.input.type === "row" ? pack.input.fields.map((field, i) => (field.labels ? indicator(field.labels) : standard(column(inputs, i)))) : [];
    this.channels = pack.input.type === "image" ? pack.input.channels : 1;
    this.rows = inputs.map((input) => this.features(input));
    this.usual = Float64Array.from(spreadOver(this.rows.length, JUDGED), (row) => this.nearest(this.rows[row], row)).sort();
    this.limit = pack.near === null ? this.usual[Math.min(this.usual.length - 1, Math.floor(USUAL * this.usual.length))] : pack.near ** 2;
  }

  /** Whether a code decodes to a row that counts as near to real ones; of a table it is drawn from the decoded distributions. */
  isNear(model: LatentModel, z: Vector, random: () => number): boolean {
    return this.nearest(this.decoded(model, z, random), -1) <= this.limit;
  }

  /** Share of real rows that are at least as far from every other real row as the row decoded from a code. */
  share(model: LatentModel, z: Vector): number {
    const here = this.nearest(this.decoded(model, z, null), -1);
    return this.usual.reduce((count, value) => count + Number(value >= here), 0) / this.usual.length;
  }

  /** Squared distance to the nearest row. */
  private nearest(point: Float64Array, self: number): number {
    let best = Infinity;
    this.rows.forEach((row, place) => {
      if (place === self) return;
      let sum = 0;
      for (let i = 0; i < point.length && sum < best; i++) sum += (row[i] - point[i]) ** 2;
      if (sum < best) best = sum;
    });
    return best;
  }

  /** Of pictures the means themselves, beyond black and white too, as in the report. */
  private decoded(model: LatentModel, z: Vector, random: (() => number) | null): Float64Array {
    if (!this.scale.length) return model.means(z);
    const row = model.decode(z) as DecodedRow;
    const { fields } = random ? sampledRow(row, random) : row;
    return this.features({ type: "row", values: fields.map((field) => field.value ?? field.text) });
  }

  private features(input: EncodeInput): Float64Array {
    if (input.type === "row") return Float64Array.from(input.values.flatMap((value, i) => this.scale[i](value)));
    const area = input.pixels.length / this.channels;
    // One channel after the other, as the decoder's means.
    return Float64Array.from(input.pixels, (_, i) => input.pixels[(i % area) * this.channels + Math.floor(i / area)]);
  }
}

function column(inputs: EncodeInput[], i: number): number[] {
  return inputs.flatMap((input) => (input.type === "row" && typeof input.values[i] === "number" ? [input.values[i]] : []));
}

/** A number in standard deviations from its mean; a missing one is at the mean. */
function standard(values: number[]): (value: number | string | null) => number[] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length || 0;
  const sd = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length) || 1;
  return (value) => [typeof value === "number" ? (value - mean) / sd : 0];
}

/** Two different levels are at a distance of 1. */
function indicator(labels: string[]): (value: number | string | null) => number[] {
  return (value) => labels.map((label) => (label === value ? Math.SQRT1_2 : 0));
}

const known = new WeakMap<Pack, Nearness | null>();

/** Measured once for a pack; null without rows to compare with. */
export function nearness(pack: Pack): Nearness | null {
  const points = pack.models[0].points;
  if (!known.has(pack)) known.set(pack, points?.input(0) ? new Nearness(pack, points) : null);
  return known.get(pack)!;
}
