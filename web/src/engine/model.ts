/** A model of a pack: codes to rows and rows to codes, in the user's units. */

import type { Block } from "./block";
import { type Graph, type GraphSpec, graph } from "./graph";
import { type Draw, type FittedSpec, Mixture, type MixtureSpec, draws } from "./mixture";
import { type PlaneSpec, type Space, pairOf, plane, planeThrough } from "./planes";
import { type PointsSpec, points } from "./points";
import type { Remote } from "./remote";
import { normalDraw } from "./special";
import { type Decoded, type EncodeInput, type LatentModel, PackError, type Plane, type Points } from "./types";
import { Column, type ColumnSpec } from "./units";

export interface SeriesSpec {
  type: "series";
  steps: number;
  /** Each value is x * scale + center; nearly all lie between low and high. */
  channels: { name: string; center: number; scale: number; low: number; high: number }[];
}

export type UnitsSpec = { type: "image"; shape: [number, number, number] } | { type: "row"; columns: ColumnSpec[] } | SeriesSpec;

export type Units = Column[] | [number, number, number] | SeriesSpec;

export interface ModelSpec {
  recipe: string;
  beta: number | null;
  stochastic: boolean;
  d: number;
  names: string[];
  active: number[];
  centre: number;
  spread: number;
  planes: PlaneSpec[];
  fitted: FittedSpec;
  /** Null for a model without one, and where the page does not know it. */
  prior: MixtureSpec | null;
  units: UnitsSpec;
  multiply_adds: number;
  /** From a row (and which of its values were seen) to mean and standard deviation of q(z|x), and from a code to each column's mean, then its bins. */
  computed: { encoder: GraphSpec | null; decoder: GraphSpec | null };
  points: PointsSpec | null;
  certificate: LatentModel["certificate"];
  verdicts: LatentModel["verdicts"];
  figures: Record<string, number | null>;
}

const CHECKED = 1e30;

export class Model implements LatentModel {
  readonly recipe: string;
  readonly beta: number | null;
  readonly stochastic: boolean;
  readonly d: number;
  readonly dimensionNames: string[];
  readonly active: number[];
  readonly centre: Float32Array;
  readonly spread: Float32Array;
  readonly planes: Plane[];
  points: Points | null;
  readonly certificate: LatentModel["certificate"];
  readonly verdicts: LatentModel["verdicts"];
  readonly figures: Record<string, number | null>;
  readonly multiplyAdds: number;
  readonly inPage: boolean;
  readonly units: Units;
  private readonly space: Space;
  private readonly drawn: Draw;
  private readonly decoder: Graph | null;
  private readonly encoder: Graph | null;

  constructor(
    spec: ModelSpec,
    block: Block,
    private readonly place: number,
    private readonly remote: Remote | null,
  ) {
    const { computed } = spec;
    this.recipe = spec.recipe;
    this.beta = spec.beta;
    this.stochastic = spec.stochastic;
    this.d = spec.d;
    this.dimensionNames = spec.names;
    this.active = spec.active;
    this.centre = block.floats(spec.centre);
    this.spread = block.floats(spec.spread);
    this.certificate = spec.certificate;
    this.verdicts = spec.verdicts ?? null;
    this.figures = spec.figures;
    this.multiplyAdds = spec.multiply_adds;
    this.units = unitsOf(spec.units, block);
    this.decoder = computed.decoder && graph(computed.decoder, block);
    this.encoder = computed.encoder && graph(computed.encoder, block);
    this.inPage = this.decoder !== null;
    this.drawn = draws(spec.fitted.draws, block);
    this.points = spec.points && points(spec.points, this.units, block);
    const prior = spec.prior && new Mixture(spec.prior, block);
    this.space = { fitted: new Mixture(spec.fitted.density, block), prior, codes: this.points?.codes ?? null, d: spec.d };
    this.planes = spec.planes.map((each) => plane(each, this.space, block));
  }

  decode(z: Float32Array): Decoded {
    return this.inUnits(this.decoded(z));
  }

  async decodeSoon(z: Float32Array): Promise<Decoded | null> {
    if (this.inPage) return this.decode(z);
    const out = await this.remote?.ask(this.place, "decoder", z, null);
    return out ? this.inUnits(out) : null;
  }

  means(z: Float32Array): Float64Array {
    const out = this.decoded(z);
    if (isPicture(this.units) || isSeries(this.units)) return out.slice();
    const bins = this.bins(out);
    return Float64Array.from(this.units.flatMap(({ spec }, f) => (spec.form === "level" && spec.kind !== "binary" ? [...bins[f]] : [out[f]])));
  }

  encode(input: EncodeInput): { mean: Float32Array; sd: Float32Array } {
    if (!this.encoder) throw new PackError("too-large", "the encoder of this model is not in the page");
    return this.moments(this.encoder(this.given(input)));
  }

  async encodeSoon(input: EncodeInput): Promise<{ mean: Float32Array; sd: Float32Array } | null> {
    if (this.encoder) return this.encode(input);
    if (!this.remote) return null;
    const [x, seen] = this.given(input);
    const moments = await this.remote.ask(this.place, "encoder", x, seen ?? null);
    return moments && this.moments(moments);
  }

  sample(from: "fitted" | "prior", random: () => number): Float32Array {
    if (from === "fitted") return this.drawn(random);
    return this.space.prior?.draw(random) ?? Float32Array.from({ length: this.d }, () => normalDraw(random));
  }

  logDensity(z: Float32Array): number {
    return this.space.fitted.logDensity(z);
  }

  pair(i: number, j: number): Plane {
    const exported = this.planes.find(({ dimensions }) => dimensions?.[0] === i && dimensions[1] === j);
    return exported ?? pairOf(i, j, this.centre, this.space);
  }

  through(a: Float32Array, b: Float32Array, c: Float32Array): Plane | null {
    return planeThrough(a, b, c, this.space);
  }

  private decoded(z: Float32Array): Float64Array {
    if (!this.decoder) throw new PackError("too-large", "the decoder of this model is not in the page");
    if (z.length !== this.d) throw new PackError("input", `a code of this model has ${this.d} numbers, not ${z.length}`);
    return this.decoder([Float64Array.from(z, finite)]);
  }

  /** How probable each column's bins are: they stand behind the means. */
  private bins(out: Float64Array): Float64Array[] {
    let end = (this.units as Column[]).length;
    return (this.units as Column[]).map(({ low }) => out.slice(end, (end += low.length)));
  }

  private inUnits(out: Float64Array): Decoded {
    if (isPicture(this.units)) return pictured(out, this.units);
    if (isSeries(this.units)) return lines(out, this.units);
    const bins = this.bins(out);
    const fields = this.units.map((column, f) => {
      const { name, kind, form } = column.spec;
      const value = form === "level" ? null : column.value(out[f]);
      return { name, kind, text: column.text(out[f]), value, distribution: column.histogram(bins[f]) };
    });
    return { type: "row", fields };
  }

  /** Encoded, 0 where a value was not seen, and of columns which were. */
  private given(input: EncodeInput): ArrayLike<number>[] {
    if (isPicture(this.units)) {
      if (input.type !== "image" || input.pixels.length !== this.units.reduce((a, b) => a * b))
        throw new PackError("input", "this model was fitted on pictures of another size");
      return [channelsFirst(input.pixels, this.units)];
    }
    if (isSeries(this.units)) throw new PackError("input", "the page encodes no series");
    const columns = this.units;
    if (input.type !== "row" || input.values.length !== columns.length)
      throw new PackError("input", `a row of this model has ${columns.length} values`);
    const values = columns.map((column, f) => column.encoded(input.values[f]));
    return [values.map((value) => value ?? 0), values.map((value) => Number(value !== null))];
  }

  private moments(out: Float64Array): { mean: Float32Array; sd: Float32Array } {
    return { mean: Float32Array.from(out.subarray(0, this.d)), sd: Float32Array.from(out.subarray(this.d)) };
  }
}

function unitsOf(spec: UnitsSpec, block: Block): Units {
  if (spec.type === "image") return spec.shape;
  return spec.type === "series" ? spec : spec.columns.map((column) => new Column(column, block));
}

export function isPicture(units: Units): units is [number, number, number] {
  return Array.isArray(units) && typeof units[0] === "number";
}

export function isSeries(units: Units): units is SeriesSpec {
  return !Array.isArray(units);
}

function lines(means: Float64Array, { channels, steps }: SeriesSpec): Decoded {
  return {
    type: "series",
    channels: channels.map(({ name, center, scale, low, high }, c) => ({
      name,
      low,
      high,
      values: means.slice(c * steps, (c + 1) * steps).map((x) => x * scale + center),
    })),
  };
}

/** A code far outside any space, or none at all, is not let near the networks. */
function finite(value: number): number {
  return Number.isFinite(value) ? Math.min(CHECKED, Math.max(-CHECKED, value)) : 0;
}

function pictured(means: Float64Array, [channels, height, width]: [number, number, number]): Decoded {
  const pixels = new Float32Array(means.length);
  const area = height * width;
  for (let c = 0; c < channels; c++)
    for (let p = 0; p < area; p++) pixels[p * channels + c] = Math.min(1, Math.max(0, means[c * area + p]));
  return { type: "image", channels, height, width, pixels };
}

function channelsFirst(pixels: Float32Array, [channels, height, width]: [number, number, number]): Float64Array {
  const x = new Float64Array(pixels.length);
  const area = height * width;
  for (let c = 0; c < channels; c++) for (let p = 0; p < area; p++) x[c * area + p] = pixels[p * channels + c];
  return x;
}
