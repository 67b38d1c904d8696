/** A model of a pack: codes to rows and rows to codes, in the user's units. */

import type { Block } from "./block";
import { type Draw, type LawSpec, Mixture, type MixtureSpec, draws } from "./law";
import { type Likelihood, type LikelihoodSpec, likelihood } from "./likelihood";
import { type DenseSpec, type Given, type Network, type OpSpec, dense, network } from "./network";
import { type PlaneSpec, type Space, pairOf, plane, planeThrough } from "./planes";
import { type PointsSpec, points } from "./points";
import type { Remote } from "./remote";
import { normalDraw } from "./special";
import { type Decoded, type EncodeInput, type LatentModel, PackError, type Plane, type Points } from "./types";
import { Column, type ColumnSpec } from "./units";

type PosteriorSpec = { type: "point"; head: DenseSpec } | { type: "normal"; head: DenseSpec; middle: number; reach: number };
export type UnitsSpec = { type: "image"; shape: [number, number, number] } | { type: "row"; columns: ColumnSpec[] };

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
  law: LawSpec;
  /** Null for a model without one, and where the page does not know it. */
  prior: MixtureSpec | null;
  units: UnitsSpec;
  multiply_adds: number;
  computed: {
    encoder: OpSpec[] | null;
    decoder: OpSpec[] | null;
    masked: boolean;
    posterior: PosteriorSpec | null;
    likelihood: LikelihoodSpec | null;
  };
  points: PointsSpec | null;
  certificate: LatentModel["certificate"];
  figures: Record<string, number | null>;
}

const FILLING_TURNS = 10;
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
  readonly points: Points | null;
  readonly certificate: LatentModel["certificate"];
  readonly figures: Record<string, number | null>;
  readonly multiplyAdds: number;
  readonly inPage: boolean;
  readonly units: Column[] | [number, number, number];
  private readonly space: Space;
  private readonly drawn: Draw;
  private readonly decoder: Network | null;
  private readonly encoder: Network | null;
  private readonly head: ((h: Float64Array) => Float64Array) | null;
  private readonly likelihood: Likelihood | null;

  constructor(
    private readonly spec: ModelSpec,
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
    this.figures = spec.figures;
    this.multiplyAdds = spec.multiply_adds;
    this.units = spec.units.type === "image" ? spec.units.shape : spec.units.columns.map((column) => new Column(column, block));
    this.likelihood = computed.likelihood && likelihood(computed.likelihood, block);
    this.decoder = computed.decoder && network(computed.decoder, block);
    this.encoder = computed.encoder && network(computed.encoder, block);
    this.head = computed.posterior && dense(computed.posterior.head, block);
    this.inPage = this.decoder !== null && this.likelihood !== null;
    this.drawn = draws(spec.law.draws, block);
    this.points = spec.points && points(spec.points, this.units, block);
    const prior = spec.prior && new Mixture(spec.prior, block);
    this.space = { law: new Mixture(spec.law.density, block), prior, codes: this.points?.codes ?? null, d: spec.d };
    this.planes = spec.planes.map((each) => plane(each, this.space, block));
  }

  decode(z: Float32Array): Decoded {
    return this.inUnits(this.theta(z));
  }

  async decodeSoon(z: Float32Array): Promise<Decoded | null> {
    if (this.inPage) return this.decode(z);
    if (!this.remote || !this.likelihood) return null;
    const theta = await this.remote.ask(this.place, "decoder", z, null);
    return theta && this.inUnits(theta);
  }

  means(z: Float32Array): Float64Array {
    const theta = this.theta(z);
    return (this.likelihood as Likelihood).means(theta).slice();
  }

  encode(input: EncodeInput): { mean: Float32Array; sd: Float32Array } {
    if (!this.encoder) throw new PackError("too-large", "the encoder of this model is not in the page");
    const given = this.given(input);
    if (!given.seen || this.spec.computed.masked) return this.posterior(this.encoder(given), 1);
    const share = given.seen.reduce((a, b) => a + b, 0) / given.seen.length;
    return this.posterior(this.encoder({ x: this.filled(given.x, given.seen), seen: null }), share);
  }

  async encodeSoon(input: EncodeInput): Promise<{ mean: Float32Array; sd: Float32Array } | null> {
    if (this.encoder) return this.encode(input);
    if (!this.remote) return null;
    const { x, seen } = this.given(input);
    const moments = await this.remote.ask(this.place, "encoder", x, seen);
    return moments && { mean: Float32Array.from(moments.subarray(0, this.d)), sd: Float32Array.from(moments.subarray(this.d)) };
  }

  sample(law: "law" | "prior", random: () => number): Float32Array {
    if (law === "law") return this.drawn(random);
    return this.space.prior?.draw(random) ?? Float32Array.from({ length: this.d }, () => normalDraw(random));
  }

  pair(i: number, j: number): Plane {
    const exported = this.planes.find(({ dimensions }) => dimensions?.[0] === i && dimensions[1] === j);
    return exported ?? pairOf(i, j, this.centre, this.space);
  }

  through(a: Float32Array, b: Float32Array, c: Float32Array): Plane | null {
    return planeThrough(a, b, c, this.space);
  }

  private theta(z: Float32Array): Float64Array {
    if (!this.decoder || !this.likelihood) throw new PackError("too-large", "the decoder of this model is not in the page");
    if (z.length !== this.d) throw new PackError("input", `a code of this model has ${this.d} numbers, not ${z.length}`);
    return this.decoder({ x: Float64Array.from(z, finite), seen: null });
  }

  private inUnits(theta: Float64Array): Decoded {
    const law = this.likelihood as Likelihood;
    if (isPicture(this.units)) return pictured(law.means(theta), this.units);
    const columns = this.units;
    const fields = law.fields(theta).map((field, f) => {
      const column = columns[f];
      const { name, kind, form } = column.spec;
      const value = form === "level" ? null : column.value(field.mean);
      return { name, kind, text: column.text(field.mean), value, law: column.law(field) };
    });
    return { type: "row", fields };
  }

  /** Encoded, 0 where a value was not seen. */
  private given(input: EncodeInput): Given {
    if (isPicture(this.units)) {
      if (input.type !== "image" || input.pixels.length !== this.units.reduce((a, b) => a * b))
        throw new PackError("input", "this model was fitted on pictures of another size");
      return { x: channelsFirst(input.pixels, this.units), seen: null };
    }
    const columns = this.units;
    if (input.type !== "row" || input.values.length !== columns.length)
      throw new PackError("input", `a row of this model has ${columns.length} values`);
    const values = columns.map((column, f) => column.encoded(input.values[f]));
    const whole = values.every((value) => value !== null);
    return { x: Float64Array.from(values, (value) => value ?? 0), seen: whole ? null : Uint8Array.from(values, (value) => Number(value !== null)) };
  }

  /** What was not seen, as the decoder has it from the rest, in turns: latente.model.latent_model.LatentModel._filled. */
  private filled(x: Float64Array, seen: Uint8Array): Float64Array {
    let full = x;
    for (let turn = 0; turn < FILLING_TURNS; turn++) {
      const { mean } = this.posterior((this.encoder as Network)({ x: full, seen: null }), 1);
      const fields = (this.likelihood as Likelihood).fields(this.theta(mean));
      full = x.map((value, f) => (seen[f] ? value : fields[f].mean));
    }
    return full;
  }

  private posterior(h: Float64Array, share: number): { mean: Float32Array; sd: Float32Array } {
    const spec = this.spec.computed.posterior as PosteriorSpec;
    const out = (this.head as (h: Float64Array) => Float64Array)(h);
    const mean = Float32Array.from(out.subarray(0, this.d));
    if (spec.type === "point") return { mean, sd: new Float32Array(this.d) };
    const raw = out.subarray(this.d);
    return { mean, sd: Float32Array.from(raw, (r) => Math.exp(0.5 * share * (spec.middle + spec.reach * Math.tanh(r)))) };
  }
}

export function isPicture(units: Column[] | [number, number, number]): units is [number, number, number] {
  return typeof units[0] === "number";
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
