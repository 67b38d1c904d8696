import { along, type Vector } from "../core/linear";
import type { Chart } from "./plane";

/** The step of the finite differences, as a share of the plane's width. */
const STEP = 1 / 400;

/**
 * Sensitivity of the decoder at (u, v): the largest singular value of the Jacobian of its means along the plane,
 * by finite differences. For two directions that is the larger eigenvalue of a 2 × 2 matrix of products.
 */
export function sensitivityAt(chart: Chart, u: number, v: number, residual: Vector | null): number {
  const { model, plane } = chart;
  const step = (plane.range[1] - plane.range[0]) * STEP;
  const z = chart.lift(u, v, residual);
  return largest(model.means(z), model.means(along(z, plane.across, step)), model.means(along(z, plane.up, step))) / step;
}

function largest(here: Float64Array, across: Float64Array, up: Float64Array): number {
  let aa = 0;
  let ab = 0;
  let bb = 0;
  for (let i = 0; i < here.length; i++) {
    const a = across[i] - here[i];
    const b = up[i] - here[i];
    aa += a * a;
    ab += a * b;
    bb += b * b;
  }
  return Math.sqrt((aa + bb) / 2 + Math.sqrt(((aa - bb) / 2) ** 2 + ab * ab));
}

/** Negative gradient of an error at z, by central differences; steps are proportional to each dimension's standard deviation. */
export function descent(error: (z: Vector) => number, z: Vector, spread: Vector): Vector {
  return Float32Array.from(z, (_, i) => {
    const step = Math.max(spread[i] * 1e-2, 1e-5);
    const shifted = (sign: number) => {
      const moved = z.slice();
      moved[i] += sign * step;
      return error(moved);
    };
    return -(shifted(1) - shifted(-1)) / (2 * step);
  });
}
