import { cholesky, multiplyLower, solveLower, type Vector } from "../core/linear";
import { seeded } from "../core/random";
import type { LatentModel } from "../engine/types";

/** Mean and covariance (as Cholesky factor) of a model's fitted prior, from samples. */
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
  const draws = Array.from({ length: DRAWS }, () => model.sample("fitted", random));
  const mean = new Float32Array(d);
  for (const z of draws) for (let i = 0; i < d; i++) mean[i] += z[i] / DRAWS;
  const covariance = new Float64Array(d * d);
  for (const z of draws)
    for (let i = 0; i < d; i++)
      for (let j = 0; j <= i; j++) covariance[i * d + j] += ((z[i] - mean[i]) * (z[j] - mean[j])) / (DRAWS - 1);
  return { mean, factor: cholesky(covariance, d) };
}

/** `z` whitened: the distance to the mean of the fitted prior in each direction. */
export function whiten(model: LatentModel, z: Vector): Vector {
  const { mean, factor } = moments(model);
  return solveLower(factor, z.map((value, i) => value - mean[i]));
}

/** The inverse: the code that is `white` standard deviations from the mean of the fitted prior. */
export function colour(model: LatentModel, white: Vector): Vector {
  const { mean, factor } = moments(model);
  return multiplyLower(factor, white).map((value, i) => value + mean[i]);
}

/**
 * The code of another model with the same whitened value as `z`. The codes of two models share no axes, but both priors are
 * fitted to the codes of the same rows. If d differs, the additional dimensions are 0.
 */
export function transport(from: LatentModel, to: LatentModel, z: Vector): Vector {
  if (from === to) return z;
  const white = whiten(from, z);
  return colour(to, Float32Array.from({ length: to.d }, (_, i) => white[i] ?? 0));
}
