import { distance, type Vector } from "../core/linear";
import { normal, seeded } from "../core/random";
import type { Decoded, EncodeInput, LatentModel } from "../engine/types";
import { colour, whiten } from "./moments";

/** Continuity and completeness at the pointer. */
export interface LocalFigures {
  /** Change for a small step, divided by the distance between two random samples. 0 is flat. */
  change: number;
  /** Distance (in standard deviations of the fitted prior) after decoding and encoding again; 0 is the same code. */
  returns: number;
}

const PAIRS = 48;
const NEIGHBOURS = 6;

/** A step of this many standard deviations of the fitted prior, the same in every model. */
export const SMALL_STEP = 0.1;

const scales = new WeakMap<LatentModel, number>();

/** Root mean square distance between two decoded samples of the fitted prior. */
export function usualDistance(model: LatentModel): number {
  let scale = scales.get(model);
  if (scale === undefined) {
    const random = seeded(3);
    let sum = 0;
    for (let i = 0; i < PAIRS; i++) {
      const [a, b] = [model.sample("fitted", random), model.sample("fitted", random)];
      sum += distance(model.means(a), model.means(b)) ** 2;
    }
    scales.set(model, (scale = Math.sqrt(sum / PAIRS)));
  }
  return scale;
}

/** Change for a small step from z, over several directions, divided by the distance between two random samples. */
export function changeAround(model: LatentModel, z: Vector): number {
  const random = seeded(5);
  const here = model.means(z);
  const white = whiten(model, z);
  let sum = 0;
  for (let i = 0; i < NEIGHBOURS; i++) {
    const direction = Float32Array.from({ length: model.d }, () => normal(random));
    const scale = SMALL_STEP / (Math.hypot(...direction) || 1);
    const beside = colour(model, white.map((value, j) => value + direction[j] * scale));
    sum += distance(here, model.means(beside)) ** 2;
  }
  const usual = usualDistance(model);
  return usual > 0 ? Math.sqrt(sum / NEIGHBOURS) / usual : 0;
}

export function localFigures(model: LatentModel, z: Vector): LocalFigures {
  const back = model.encode(asInput(model.decode(z))).mean;
  return {
    change: changeAround(model, z),
    returns: distance(whiten(model, z), whiten(model, back)) / Math.sqrt(model.d),
  };
}

/** A decoded row as input of the encoder. */
export function asInput(decoded: Decoded): EncodeInput {
  if (decoded.type === "image") return { type: "image", pixels: decoded.pixels };
  return { type: "row", values: decoded.fields.map((field) => field.value ?? field.text) };
}
