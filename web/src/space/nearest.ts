import type { Vector } from "../core/linear";
import type { LatentModel } from "../engine/types";
import { neighbourhood } from "./neighbourhood";

export interface Neighbour {
  row: number;
  /** In standard deviations of the codes, dimension by dimension. */
  distance: number;
}

/** The rows whose codes are nearest to z. Each dimension is divided by its standard deviation, so that inactive ones do not dominate. */
export function nearestRows(model: LatentModel, z: Vector, count: number): Neighbour[] {
  const points = model.points;
  if (!points) return [];
  const d = model.d;
  const weight = neighbourhood(model).scale.map((value) => 1 / Math.max(value, 1e-6) ** 2);
  const found: Neighbour[] = [];
  let worst = Infinity;
  for (let row = 0; row < points.count; row++) {
    let sum = 0;
    for (let i = 0, at = row * d; i < d && sum < worst; i++, at++) sum += (points.codes[at] - z[i]) ** 2 * weight[i];
    if (sum >= worst) continue;
    const place = found.findIndex((other) => other.distance > sum);
    found.splice(place < 0 ? found.length : place, 0, { row, distance: sum });
    if (found.length > count) found.pop();
    if (found.length === count) worst = found[count - 1].distance;
  }
  return found.map(({ row, distance }) => ({ row, distance: Math.sqrt(distance) }));
}
