import type { Vector } from "../core/linear";
import { normal, seeded } from "../core/random";
import type { LatentModel } from "../engine/types";
import { colour, whiten } from "./moments";

/** How many rows there are around a code. */
export type Crowd = "many" | "some" | "few" | "none" | "hole";

const NEIGHBOURS = 5;
/** Rows that a code is compared with, and rows or draws that say what is usual: all in the page would take longer than a frame. */
const COMPARED = 1500;
const JUDGED = 400;
/** Multiplications and additions that may be spent on clouds at once. */
const AFFORDED = 2e8;
/** Shares of rows that are farther from other rows than a code that has many, some or few around it. */
const [MANY, SOME, FEW] = [0.4, 0.05, 0.01];
/** The share of random codes among which a code without rows is a hole, and not just far away. */
const EXPECTED = 1.645;
const DRAWS = 400;

/**
 * Where rows are, in all d dimensions: the one rule for the sentence at the point, the layer of holes and the lesson.
 *
 * With rows in the page, by the distance to the fifth nearest code of a row, with each dimension divided by its standard
 * deviation. A row has a cloud of codes in a VAE: one code is sampled from it, as in the certificate's holes. Without rows, by
 * the density of the fitted prior.
 */
export class Neighbourhood {
  /** Standard deviation of the sampled codes in each dimension: of an inactive dimension that of the clouds. */
  readonly scale: Float64Array;
  private readonly codes: Float32Array | null;
  private readonly usual: Float64Array;
  private share: number | undefined;

  constructor(private readonly model: LatentModel) {
    this.codes = sampledCodes(model);
    this.scale = this.codes ? deviations(this.codes, model.d) : Float64Array.from(model.spread);
    this.usual = (this.codes ? this.ofRows(this.codes) : this.ofDraws()).sort();
  }

  /** Share of rows that lie at least as lonely as z, from 0 (nothing near) to 1. */
  commonness(z: Vector): number {
    const here = this.loneliness(z, -1);
    let [low, high] = [0, this.usual.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.usual[middle] < here) low = middle + 1;
      else high = middle;
    }
    return 1 - low / this.usual.length;
  }

  at(z: Vector): Crowd {
    const common = this.commonness(z);
    if (common > MANY) return "many";
    if (common > SOME) return "some";
    if (common > FEW) return "few";
    return this.isExpected(z) ? "hole" : "none";
  }

  /** Share of random codes, from the normal distribution with the moments of the codes, that fall into holes. */
  get holes(): number {
    if (this.share === undefined) {
      const random = seeded(23);
      const draw = () => colour(this.model, Float32Array.from({ length: this.model.d }, () => normal(random)));
      this.share = Array.from({ length: DRAWS }, draw).filter((z) => this.commonness(z) <= FEW).length / DRAWS;
    }
    return this.share;
  }

  /** Whether it lies within the ellipsoid of 95% of random codes (Wilson and Hilferty's quantile of chi-squared). */
  private isExpected(z: Vector): boolean {
    const { d } = this.model;
    const reach = d * (1 - 2 / (9 * d) + EXPECTED * Math.sqrt(2 / (9 * d))) ** 3;
    return whiten(this.model, z).reduce((sum, value) => sum + value * value, 0) <= reach;
  }

  private ofRows(codes: Float32Array): Float64Array {
    const d = this.model.d;
    return Float64Array.from(spreadOver(codes.length / d, JUDGED), (row) => this.loneliness(codes.subarray(row * d, (row + 1) * d), row));
  }

  private ofDraws(): Float64Array {
    const random = seeded(29);
    return Float64Array.from({ length: JUDGED }, () => this.loneliness(this.model.sample("fitted", random), -1));
  }

  /** Larger where there is less around z; `self` is a row that does not count as its own neighbour. */
  private loneliness(z: Vector, self: number): number {
    return this.codes ? this.toNeighbours(this.codes, z, self) : -this.model.logDensity(z);
  }

  /** Squared distance to the fifth nearest code. */
  private toNeighbours(codes: Float32Array, z: Vector, self: number): number {
    const { d } = this.model;
    const count = codes.length / d;
    const weight = this.scale.map((value) => 1 / Math.max(value, 1e-6) ** 2);
    const nearest = new Float64Array(Math.max(1, Math.min(NEIGHBOURS, count - 1))).fill(Infinity);
    const last = nearest.length - 1;
    for (let row = 0; row < count; row++) {
      if (row === self) continue;
      let sum = 0;
      for (let i = 0, at = row * d; i < d && sum < nearest[last]; i++, at++) sum += (codes[at] - z[i]) ** 2 * weight[i];
      if (sum >= nearest[last]) continue;
      let place = last;
      for (; place > 0 && nearest[place - 1] > sum; place--) nearest[place] = nearest[place - 1];
      nearest[place] = sum;
    }
    return nearest[last];
  }
}

/** A code of each of some rows, sampled from its cloud where the page can compute that; null without rows. */
function sampledCodes(model: LatentModel): Float32Array | null {
  const { points, d } = model;
  if (!points) return null;
  const random = seeded(31);
  const rows = spreadOver(points.count, COMPARED);
  const out = new Float32Array(rows.length * d);
  const clouds = cloudsOf(model, rows);
  rows.forEach((row, k) => {
    const sd = clouds[k % clouds.length];
    for (let i = 0; i < d; i++) out[k * d + i] = points.codes[row * d + i] + (sd ? sd[i] * normal(random) : 0);
  });
  return out;
}

/** The standard deviations of the clouds of as many rows as are encoded at once; none where a row is a point. */
function cloudsOf(model: LatentModel, rows: number[]): Vector[] {
  if (!model.stochastic || !model.inPage) return [];
  const some = rows.slice(0, Math.max(8, Math.floor(AFFORDED / model.multiplyAdds)));
  return some.flatMap((row) => {
    const input = model.points!.input(row);
    return input ? [model.encode(input).sd] : [];
  });
}

function deviations(codes: Float32Array, d: number): Float64Array {
  const n = codes.length / d;
  return Float64Array.from({ length: d }, (_, i) => {
    let [sum, squares] = [0, 0];
    for (let at = i; at < codes.length; at += d) {
      sum += codes[at];
      squares += codes[at] ** 2;
    }
    return Math.sqrt(Math.max(0, squares / n - (sum / n) ** 2));
  });
}

/** At most `most` row numbers, all over the table. */
export function spreadOver(count: number, most: number): number[] {
  const shown = Math.min(most, count);
  return Array.from({ length: shown }, (_, i) => Math.floor(((i + 0.5) * count) / shown));
}

const known = new WeakMap<LatentModel, { points: LatentModel["points"]; found: Neighbourhood }>();

/** The neighbourhood of a model, measured once for the points that it has. */
export function neighbourhood(model: LatentModel): Neighbourhood {
  const kept = known.get(model);
  if (kept && kept.points === model.points) return kept.found;
  const found = new Neighbourhood(model);
  known.set(model, { points: model.points, found });
  return found;
}
