import { along, dot, subtract, type Vector } from "../core/linear";
import type { LatentModel, Plane } from "../engine/types";
import type { Density } from "./density";

/** A plane somebody chose, which two models beside each other each resolve on their own. */
export type PlaneChoice =
  | { kind: "given"; index: number }
  | { kind: "pair"; across: number; up: number }
  | { kind: "rows"; rows: [number, number, number] };

/** A plane of one model with what is known on it. */
export class Chart {
  private readonly inverse: [number, number, number];
  readonly posterior: Density | null;
  readonly fitted: Density;

  constructor(
    readonly model: LatentModel,
    readonly plane: Plane,
  ) {
    const { across, up, side, range } = plane;
    const [aa, ab, bb] = [dot(across, across), dot(across, up), dot(up, up)];
    const determinant = aa * bb - ab * ab;
    // A code of one number has no second axis: everything lies at v = 0.
    this.inverse = determinant > 0 ? [bb / determinant, -ab / determinant, aa / determinant] : [1 / aa, 0, 0];
    this.posterior = plane.posterior && { side, range, values: plane.posterior };
    this.fitted = { side, range, values: plane.fitted };
  }

  /** The dimensions that the axes are; null where an axis is a mixture of several. */
  get dimensions(): [number, number] | null {
    return this.plane.dimensions;
  }

  /** (u, v) of the point of the plane that is nearest to z. */
  project(z: ArrayLike<number>): [number, number] {
    const { origin, across, up } = this.plane;
    let a = 0;
    let b = 0;
    for (let i = 0; i < origin.length; i++) {
      const shift = z[i] - origin[i];
      a += shift * across[i];
      b += shift * up[i];
    }
    const [p, q, r] = this.inverse;
    return [p * a + q * b, q * a + r * b];
  }

  /** (u, v) of every row, in one array. */
  projectAll(codes: Float32Array): Float32Array {
    const d = this.model.d;
    const count = codes.length / d;
    const pairs = new Float32Array(count * 2);
    // Projection is linear: a million rows cost two products of d numbers each, and no arrays.
    const base = this.project(new Float32Array(d));
    const steps = Array.from({ length: d }, (_, i) => this.project(Float32Array.from({ length: d }, (_, j) => (i === j ? 1 : 0))));
    const uOf = Float64Array.from(steps, ([u]) => u - base[0]);
    const vOf = Float64Array.from(steps, ([, v]) => v - base[1]);
    for (let row = 0, at = 0; row < count; row++) {
      let [u, v] = base;
      for (let i = 0; i < d; i++, at++) {
        u += codes[at] * uOf[i];
        v += codes[at] * vOf[i];
      }
      pairs[2 * row] = u;
      pairs[2 * row + 1] = v;
    }
    return pairs;
  }

  /** The code at (u, v), as far off the plane as `residual` says. */
  lift(u: number, v: number, residual: Vector | null = null): Vector {
    const z = along(along(this.plane.origin, this.plane.across, u), this.plane.up, v);
    return residual ? along(z, residual, 1) : z;
  }

  /** What of z the plane doesn't show: what sliders of other dimensions, or a row of its own, add to it. */
  residual(z: Vector): Vector {
    return subtract(z, this.lift(...this.project(z)));
  }
}

const cache = new WeakMap<LatentModel, Map<string, Chart>>();

/** The chosen plane in a model, built once. */
export function chartOf(model: LatentModel, choice: PlaneChoice): Chart {
  let charts = cache.get(model);
  if (!charts) cache.set(model, (charts = new Map()));
  const key = JSON.stringify(choice);
  let chart = charts.get(key);
  if (!chart) charts.set(key, (chart = new Chart(model, resolve(model, choice))));
  return chart;
}

/** A model that can't have the chosen plane (a smaller code, rows on one line) shows its own first one. */
function resolve(model: LatentModel, choice: PlaneChoice): Plane {
  const first = model.planes[0];
  if (choice.kind === "given") return model.planes[choice.index] ?? first;
  if (choice.kind === "pair")
    return Math.max(choice.across, choice.up) < model.d ? model.pair(choice.across, choice.up) : first;
  const codes = model.points?.codes;
  if (!codes) return first;
  const [a, b, c] = choice.rows.map((row) => codes.slice(row * model.d, (row + 1) * model.d));
  return model.through(a, b, c) ?? first;
}
