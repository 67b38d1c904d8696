import type { Decoded, DecodedField, EncodeInput, Pack, Points } from "../engine/types";
import { spreadOver } from "./neighbourhood";

/** Rows that a decoded one is compared with, and rows that say what is near. */
const COMPARED = 2000;
const JUDGED = 300;
/** As near as this share of rows that the model has not been trained on, or of rows to the other rows. */
const USUAL = 0.95;

/** A row drawn from the decoded distribution of each column: means are nearer to real rows than rows with their noise. */
export function sampledRow(decoded: Decoded, random: () => number): Decoded {
  if (decoded.type === "image") return decoded;
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
  private readonly scale: ((value: number | string | null) => number[])[];

  constructor(pack: Pack, points: Points) {
    const inputs = spreadOver(points.count, COMPARED)
      .map((row) => points.input(row))
      .filter((input): input is EncodeInput => input !== null);
    this.scale = pack.input.type === "row" ? pack.input.fields.map((field, i) => (field.labels ? indicator(field.labels) : standard(column(inputs, i)))) : [];
    this.rows = inputs.map((input) => this.features(input));
    this.usual = Float64Array.from(spreadOver(this.rows.length, JUDGED), (row) => this.nearest(this.rows[row], row)).sort();
  }

  /** Whether a decoded row counts as near to real ones. */
  isNear(decoded: Decoded): boolean {
    return this.nearest(this.ofDecoded(decoded), -1) <= this.usual[Math.min(this.usual.length - 1, Math.floor(USUAL * this.usual.length))];
  }

  /** Share of real rows that are at least as far from every other real row. */
  share(decoded: Decoded): number {
    const here = this.nearest(this.ofDecoded(decoded), -1);
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

  private ofDecoded(decoded: Decoded): Float64Array {
    if (decoded.type === "image") return Float64Array.from(decoded.pixels);
    return this.features({ type: "row", values: decoded.fields.map((field) => field.value ?? field.text) });
  }

  private features(input: EncodeInput): Float64Array {
    return Float64Array.from(input.type === "image" ? input.pixels : input.values.flatMap((value, i) => this.scale[i](value)));
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
