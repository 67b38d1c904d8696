/** A density on a plane: [side, side] row by row from vMin over `range`. Its unit is the map's own: only shares count. */
export interface Density {
  side: number;
  range: [number, number, number, number];
  values: Float32Array;
}

/** The cell that (u, v) lies in; -1 outside. */
export function cellAt({ side, range }: Pick<Density, "side" | "range">, u: number, v: number): number {
  const [uMin, uMax, vMin, vMax] = range;
  const column = Math.floor(((u - uMin) / (uMax - uMin)) * side);
  const row = Math.floor(((v - vMin) / (vMax - vMin)) * side);
  return column >= 0 && column < side && row >= 0 && row < side ? row * side + column : -1;
}

/** The middle of a cell as (u, v). */
export function middleOf({ side, range }: Pick<Density, "side" | "range">, cell: number): [number, number] {
  const [uMin, uMax, vMin, vMax] = range;
  const column = cell % side;
  const row = Math.floor(cell / side);
  return [uMin + ((column + 0.5) / side) * (uMax - uMin), vMin + ((row + 0.5) / side) * (vMax - vMin)];
}

/** The normal density with the moments of a density: random codes that are the same for every kind of model. */
export function bellOf({ side, range, values }: Density): Density {
  let [total, u, v, uu, uv, vv] = [0, 0, 0, 0, 0, 0];
  values.forEach((weight, cell) => {
    const [a, b] = middleOf({ side, range }, cell);
    total += weight;
    u += weight * a;
    v += weight * b;
    uu += weight * a * a;
    uv += weight * a * b;
    vv += weight * b * b;
  });
  [u, v] = [u / total, v / total];
  [uu, uv, vv] = [uu / total - u * u, uv / total - u * v, vv / total - v * v];
  const determinant = Math.max(uu * vv - uv * uv, 1e-12);
  const bell = Float32Array.from(values, (_, cell) => {
    const [a, b] = middleOf({ side, range }, cell);
    const [du, dv] = [a - u, b - v];
    return Math.exp(-(vv * du * du - 2 * uv * du * dv + uu * dv * dv) / (2 * determinant));
  });
  return { side, range, values: bell };
}

/** The level above which the densest cells hold `share` of all. */
export function levelHolding(values: Float32Array, share: number): number {
  const sorted = values.slice().sort();
  const total = sorted.reduce((sum, value) => sum + value, 0);
  let sum = 0;
  for (let i = sorted.length - 1; i >= 0; i--) {
    sum += sorted[i];
    if (sum >= share * total) return sorted[i];
  }
  return 0;
}

/** Share of the mass with a lower density than at (u, v), from 0 (outside) to 1 (the peak). */
export function commonness(density: Density, u: number, v: number): number {
  const cell = cellAt(density, u, v);
  const here = cell < 0 ? 0 : density.values[cell];
  let below = 0;
  let total = 0;
  for (const value of density.values) {
    total += value;
    if (value <= here) below += value;
  }
  return total > 0 && here > 0 ? below / total : 0;
}
