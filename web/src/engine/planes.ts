/** Planes through the space of codes, and the densities in them. */

import type { Block } from "./block";
import { type Mixture, type Range, along, counted } from "./mixture";
import type { Plane } from "./types";

export interface PlaneSpec {
  kind: Plane["kind"];
  dimensions: [number, number] | null;
  origin: number;
  across: number;
  up: number;
  range: Range;
  posterior: { values: number; top: number } | null;
}

const SIDE = 64;
const WIDE = 3.5; // standard deviations of the fitted prior that a plane through rows shows
const UNIT = 3.2; // how far from 0 the prior is shown

/** What planes of one model have in common. */
export interface Space {
  fitted: Mixture;
  prior: Mixture | null;
  /** Codes of real rows, [count, d], where there are any. */
  codes: Float32Array | null;
  d: number;
}

/** The densities of both priors are computed when they are first needed. */
class Mapped implements Plane {
  readonly side: number;
  private ofFitted: Float32Array | undefined;
  private ofPrior: Float32Array | undefined;
  private ofCodes: Float32Array | null | undefined;

  constructor(
    private readonly space: Space,
    readonly kind: Plane["kind"],
    readonly dimensions: [number, number] | null,
    readonly origin: Float32Array,
    readonly across: Float32Array,
    readonly up: Float32Array,
    readonly range: Range,
    posterior?: Float32Array,
  ) {
    this.side = posterior ? Math.round(Math.sqrt(posterior.length)) : SIDE;
    this.ofCodes = posterior;
  }

  get posterior(): Float32Array | null {
    if (this.ofCodes === undefined) this.ofCodes = this.counted();
    return this.ofCodes;
  }

  get fitted(): Float32Array {
    this.ofFitted ??= this.space.fitted.grid(this.origin, this.across, this.up, this.range, this.side);
    return this.ofFitted;
  }

  get prior(): Float32Array | null {
    this.ofPrior ??= this.space.prior?.grid(this.origin, this.across, this.up, this.range, this.side);
    return this.ofPrior ?? null;
  }

  private counted(): Float32Array | null {
    const { codes, d } = this.space;
    if (!codes?.length) return null;
    const n = codes.length / d;
    const project = (way: Float32Array) => Float64Array.from({ length: n }, (_, i) => along(way, codes.subarray(i * d, (i + 1) * d), this.origin));
    return counted(project(this.across), project(this.up), this.range, this.side);
  }
}

export function plane(spec: PlaneSpec, space: Space, block: Block): Plane {
  const [origin, across, up] = [spec.origin, spec.across, spec.up].map((place) => block.floats(place));
  return new Mapped(space, spec.kind, spec.dimensions, origin, across, up, spec.range, spec.posterior ? density(spec.posterior, block) : undefined);
}

function density({ values, top }: { values: number; top: number }, block: Block): Float32Array {
  return Float32Array.from(block.tensor(values).values, (root) => top * (root / 65535) ** 2);
}

/** The plane of two dimensions, through the codes' centre. */
export function pairOf(i: number, j: number, centre: Float32Array, space: Space): Plane {
  const origin = centre.slice();
  origin[i] = origin[j] = 0;
  const across = new Float32Array(space.d);
  const up = new Float32Array(space.d);
  across[i] = up[j] = 1;
  return new Mapped(space, "pair", [i, j], origin, across, up, shown(origin, across, up, space, space.prior ? UNIT : 0));
}

/** The plane through three codes; null where they are on one line. */
export function planeThrough(a: Float32Array, b: Float32Array, c: Float32Array, space: Space): Plane | null {
  const across = unit(b.map((value, i) => value - a[i]));
  if (!across) return null;
  const way = c.map((value, i) => value - a[i]);
  const shared = along(way, across);
  const up = unit(way.map((value, i) => value - shared * across[i]));
  if (!up) return null;
  const range = shown(a, across, up, space, 0);
  for (const point of [a, b, c]) {
    const [u, v] = [along(across, point, a), along(up, point, a)];
    range[0] = Math.min(range[0], u - 0.5);
    range[1] = Math.max(range[1], u + 0.5);
    range[2] = Math.min(range[2], v - 0.5);
    range[3] = Math.max(range[3], v + 0.5);
  }
  return new Mapped(space, "own", null, a.slice(), across, up, range);
}

function unit(way: Float32Array): Float32Array | null {
  const length = Math.sqrt(along(way, way));
  return length > 1e-6 ? way.map((value) => value / length) : null;
}

function shown(origin: Float32Array, across: Float32Array, up: Float32Array, space: Space, least: number): Range {
  const { mean, sd } = space.fitted.moments(origin, across, up);
  const [left, right] = [mean[0] - WIDE * sd[0], mean[0] + WIDE * sd[0]];
  const [bottom, top] = [mean[1] - WIDE * sd[1], mean[1] + WIDE * sd[1]];
  return [Math.min(left, -least || left), Math.max(right, least || right), Math.min(bottom, -least || bottom), Math.max(top, least || top)];
}
