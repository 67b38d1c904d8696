/** Priors of the codes: samples, and densities in a plane. */

import type { Block } from "./block";
import { type GraphSpec, graph } from "./graph";
import { normalDraw } from "./special";

export interface MixtureSpec {
  type: "mixture";
  weights: number;
  means: number;
  cholesky: number;
}

export interface FittedSpec {
  draws: MixtureSpec | ({ type: "graph" } & GraphSpec);
  density: MixtureSpec;
}

export type Direction = ArrayLike<number>;
export type Range = [number, number, number, number];
export type Draw = (random: () => number) => Float32Array;

export function draws(spec: FittedSpec["draws"], block: Block): Draw {
  if (spec.type === "mixture") return new Mixture(spec, block).draw;
  const drawn = graph(spec, block);
  return (random) => Float32Array.from(drawn([], random));
}

/** L u + c for a lower triangle. */
function lower(cholesky: Float64Array, u: Float64Array, centre: Float64Array): Float32Array {
  const d = u.length;
  return Float32Array.from(centre, (c, i) => {
    let sum = c;
    for (let j = 0; j <= i; j++) sum += cholesky[i * d + j] * u[j];
    return sum;
  });
}

/** log N(z; mean, L L'). */
function logNormal(z: ArrayLike<number>, mean: Float64Array, factor: Float64Array): number {
  const d = mean.length;
  const white = new Float64Array(d);
  let sum = (-d / 2) * Math.log(2 * Math.PI);
  for (let i = 0; i < d; i++) {
    let left = z[i] - mean[i];
    for (let j = 0; j < i; j++) left -= factor[i * d + j] * white[j];
    white[i] = left / factor[i * d + i];
    sum -= white[i] ** 2 / 2 + Math.log(factor[i * d + i]);
  }
  return sum;
}

/** A normal in a plane. */
interface Flat {
  weight: number;
  u: number;
  v: number;
  uu: number;
  uv: number;
  vv: number;
}

export class Mixture {
  private readonly weights: Float64Array;
  private readonly means: Float64Array[];
  private readonly factors: Float64Array[];

  constructor(spec: MixtureSpec, block: Block) {
    this.weights = block.doubles(spec.weights);
    const d = block.tensor(spec.means).shape[1];
    const means = block.doubles(spec.means);
    const cholesky = block.doubles(spec.cholesky);
    this.means = Array.from(this.weights, (_, k) => means.subarray(k * d, (k + 1) * d));
    this.factors = Array.from(this.weights, (_, k) => cholesky.subarray(k * d * d, (k + 1) * d * d));
  }

  readonly draw: Draw = (random) => {
    let left = random();
    let k = 0;
    while (k < this.weights.length - 1 && (left -= this.weights[k]) > 0) k++;
    return lower(this.factors[k], this.means[k].map(() => normalDraw(random)), this.means[k]);
  };

  /** log p(z) in all dimensions. */
  logDensity(z: ArrayLike<number>): number {
    const parts = this.means.map((mean, k) => Math.log(this.weights[k]) + logNormal(z, mean, this.factors[k]));
    const top = Math.max(...parts);
    return top + Math.log(parts.reduce((sum, part) => sum + Math.exp(part - top), 0));
  }

  /** The components, projected. */
  private flat(origin: Direction, across: Direction, up: Direction): Flat[] {
    return this.means.map((mean, k) => {
      const left = pulled(this.factors[k], across);
      const right = pulled(this.factors[k], up);
      return {
        weight: this.weights[k],
        u: along(across, mean, origin),
        v: along(up, mean, origin),
        uu: along(left, left),
        uv: along(left, right),
        vv: along(right, right),
      };
    });
  }

  /** Density at the middles of a grid's cells. */
  grid(origin: Direction, across: Direction, up: Direction, range: Range, side: number): Float32Array {
    const flat = this.flat(origin, across, up);
    const single = along(up, up) === 0;
    return onGrid(range, side, (u, v) => {
      let sum = 0;
      for (const c of flat) sum += c.weight * (single ? normal1(u - c.u, c.uu) : normal2(u - c.u, v - c.v, c));
      return sum;
    });
  }

  /** Mean and standard deviation along both directions. */
  moments(origin: Direction, across: Direction, up: Direction): { mean: [number, number]; sd: [number, number] } {
    const flat = this.flat(origin, across, up);
    const mean = (of: (c: Flat) => number) => flat.reduce((sum, c) => sum + c.weight * of(c), 0);
    const [u, v] = [mean((c) => c.u), mean((c) => c.v)];
    return { mean: [u, v], sd: [Math.sqrt(mean((c) => c.uu + (c.u - u) ** 2)), Math.sqrt(mean((c) => c.vv + (c.v - v) ** 2))] };
  }
}

/** L' a. */
function pulled(factor: Float64Array, a: Direction): Float64Array {
  const d = a.length;
  const out = new Float64Array(d);
  for (let i = 0; i < d; i++) for (let j = 0; j <= i; j++) out[j] += factor[i * d + j] * a[i];
  return out;
}

/** a · (b - from). */
export function along(a: Direction, b: Direction, from?: Direction): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * (b[i] - (from ? from[i] : 0));
  return sum;
}

function normal1(x: number, variance: number): number {
  return Math.exp((-0.5 * x * x) / variance) / Math.sqrt(2 * Math.PI * variance);
}

function normal2(x: number, y: number, { uu, uv, vv }: Flat): number {
  const det = uu * vv - uv * uv;
  return Math.exp((-0.5 * (vv * x * x - 2 * uv * x * y + uu * y * y)) / det) / (2 * Math.PI * Math.sqrt(det));
}

function onGrid([left, right, bottom, top]: Range, side: number, density: (u: number, v: number) => number): Float32Array {
  const out = new Float32Array(side * side);
  for (let row = 0, at = 0; row < side; row++)
    for (let column = 0; column < side; column++, at++)
      out[at] = density(left + ((right - left) * (column + 0.5)) / side, bottom + ((top - bottom) * (row + 0.5)) / side);
  return out;
}

/** Density of points in a plane: counted, and smoothed by a normal of half of Scott's bandwidth, a cell at least. */
export function counted(us: Float64Array, vs: Float64Array, range: Range, side: number): Float32Array {
  const [left, right, bottom, top] = range;
  const cell = ((right - left) * (top - bottom)) / side ** 2;
  const grid = new Float32Array(side * side);
  for (let i = 0; i < us.length; i++) {
    const column = Math.floor(((us[i] - left) / (right - left)) * side);
    const row = Math.floor(((vs[i] - bottom) / (top - bottom)) * side);
    if (column >= 0 && column < side && row >= 0 && row < side) grid[row * side + column] += 1 / (us.length * cell);
  }
  const width = (values: Float64Array, span: number) => Math.max(1, (0.5 * deviation(values) * values.length ** (-1 / 6) * side) / span);
  return blurred(blurred(grid, side, width(us, right - left), 1, side), side, width(vs, top - bottom), side, 1);
}

function deviation(values: Float64Array): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  return Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
}

/** Lines of a grid, each place `step` from the next, smoothed by a normal of so many cells. */
function blurred(grid: Float32Array, side: number, sd: number, step: number, nextLine: number): Float32Array {
  const reach = Math.ceil(3 * sd);
  const kernel = Float64Array.from({ length: 2 * reach + 1 }, (_, k) => normal1(k - reach, sd * sd));
  const out = new Float32Array(grid.length);
  for (let line = 0; line < side; line++)
    for (let i = 0; i < side; i++) {
      let sum = 0;
      for (let k = Math.max(-reach, -i); k <= Math.min(reach, side - 1 - i); k++)
        sum += kernel[k + reach] * grid[line * nextLine + (i + k) * step];
      out[line * nextLine + i * step] = sum;
    }
  return out;
}
