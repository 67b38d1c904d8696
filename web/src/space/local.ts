import { distance, type Vector } from "../core/linear";
import { normal, seeded } from "../core/random";
import { type Decoded, type EncodeInput, type LatentModel, PackError } from "../engine/types";
import { colour, whiten } from "./moments";

const DRAWS = 24;
const NEIGHBOURS = 8;
/** How alike a code and its neighbour are, as in the certificate's continuity. */
const RHO = 0.9;

const scales = new WeakMap<LatentModel, Float64Array[]>();

/** Rows decoded from codes of the fitted prior: what a random code decodes to. */
function others(model: LatentModel): Float64Array[] {
  let found = scales.get(model);
  if (!found) {
    const random = seeded(3);
    scales.set(model, (found = Array.from({ length: DRAWS }, () => model.means(model.sample("fitted", random)))));
  }
  return found;
}

/**
 * Continuity at one code: how much nearer the rows decoded from its neighbours are than those of random codes. 1 where nothing
 * changes, 0 where a neighbour is as different as any other code. Neighbours are those of the certificate's K.
 */
export function continuityAt(model: LatentModel, z: Vector): number {
  const random = seeded(5);
  const here = model.means(z);
  const white = whiten(model, z);
  const neighbour = () => colour(model, white.map((value) => RHO * value + Math.sqrt(1 - RHO * RHO) * normal(random)));
  const near = mean(Array.from({ length: NEIGHBOURS }, () => distance(here, model.means(neighbour())) ** 2));
  const far = mean(others(model).map((other) => distance(here, other) ** 2));
  return far > 0 ? Math.max(0, 1 - near / far) : 0;
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** A decoded row as input of the encoder. */
export function asInput(decoded: Decoded): EncodeInput {
  if (decoded.type === "image") return { type: "image", pixels: decoded.pixels };
  if (decoded.type === "series") throw new PackError("input", "the page encodes no series");
  return { type: "row", values: decoded.fields.map((field) => field.value ?? field.text) };
}
