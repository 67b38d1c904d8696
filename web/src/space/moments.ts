import { cholesky, multiplyLower, solveLower, type Vector } from "../core/linear";
import { seeded } from "../core/random";
import type { LatentModel } from "../engine/types";

/** Mean and covariance (its Cholesky factor) of the law of a model's codes, by draws from it. */
interface Moments {
  mean: Vector;
  factor: Float64Array;
}

const DRAWS = 2048;
const known = new WeakMap<LatentModel, Moments>();

export function moments(model: LatentModel): Moments {
  let found = known.get(model);
  if (!found) known.set(model, (found = measure(model)));
  return found;
}

function measure(model: LatentModel): Moments {
  const d = model.d;
  const random = seeded(7);
  const draws = Array.from({ length: DRAWS }, () => model.sample("law", random));
  const mean = new Float32Array(d);
  for (const z of draws) for (let i = 0; i < d; i++) mean[i] += z[i] / DRAWS;
  const covariance = new Float64Array(d * d);
  for (const z of draws)
    for (let i = 0; i < d; i++)
      for (let j = 0; j <= i; j++) covariance[i * d + j] += ((z[i] - mean[i]) * (z[j] - mean[j])) / (DRAWS - 1);
  return { mean, factor: cholesky(covariance, d) };
}

/** How far `z` is from the middle of the law in each direction, in standard deviations that know of correlations. */
export function whiten(model: LatentModel, z: Vector): Vector {
  const { mean, factor } = moments(model);
  return solveLower(factor, z.map((value, i) => value - mean[i]));
}

/** The code that is `white` standard deviations from the middle of the law. */
export function colour(model: LatentModel, white: Vector): Vector {
  const { mean, factor } = moments(model);
  return multiplyLower(factor, white).map((value, i) => value + mean[i]);
}

/**
 * The code of another model that is the same draw of its law as `z` is of the first one's. Codes of two models share no axes,
 * but both laws are fitted to the codes of the same rows, so "one gesture" is one draw. Where d differs, what is missing is 0.
 */
export function transport(from: LatentModel, to: LatentModel, z: Vector): Vector {
  if (from === to) return z;
  const white = whiten(from, z);
  return colour(to, Float32Array.from({ length: to.d }, (_, i) => white[i] ?? 0));
}
