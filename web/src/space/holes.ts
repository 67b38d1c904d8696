import { cellAt, levelHolding, middleOf, type Density } from "./density";

/** Where random codes fall but no row has its code. */
export interface Holes {
  side: number;
  range: Density["range"];
  /** 1 if the cell is in a hole. */
  inside: Uint8Array;
  /** Share of the random codes, on this plane, that fall into holes. */
  share: number;
  /** The density of the random codes. */
  sampling: Density;
  /** The middle of the hole with the highest sampling density, as (u, v); null if there is no hole. */
  deepest: [number, number] | null;
}

/** The densest part of the sampling density that is considered, and the share of codes that define where rows are. */
const EXPECTED = 0.95;
const OCCUPIED = 0.99;

/** Holes as in the certificate: fewer codes than around 99% of the codes; only where 95% of the random codes are. */
export function holesOf(posterior: Density, sampling: Density): Holes {
  const { side, range } = sampling;
  const empty = levelHolding(posterior.values, OCCUPIED);
  const likely = levelHolding(sampling.values, EXPECTED);
  const inside = new Uint8Array(side * side);
  let total = 0;
  let lost = 0;
  for (let cell = 0; cell < inside.length; cell++) {
    total += sampling.values[cell];
    if (sampling.values[cell] < likely || posterior.values[cell] >= empty) continue;
    inside[cell] = 1;
    lost += sampling.values[cell];
  }
  const cell = deepest(inside, sampling);
  return { side, range, inside, sampling, share: total > 0 ? lost / total : 0, deepest: cell < 0 ? null : middleOf(sampling, cell) };
}

export function isHole(holes: Holes, u: number, v: number): boolean {
  const cell = cellAt(holes, u, v);
  return cell >= 0 && holes.inside[cell] === 1;
}

/** The cell of a hole that is far from its border and has a high sampling density; -1 if there is no hole. */
function deepest(inside: Uint8Array, sampling: Density): number {
  const depth = depths(inside, sampling.side);
  let best = -1;
  let score = 0;
  for (let cell = 0; cell < inside.length; cell++) {
    const value = depth[cell] * sampling.values[cell];
    if (value > score) [score, best] = [value, cell];
  }
  return best;
}

/** Steps (of a king on a board) from each cell to the nearest one outside, by two sweeps. */
function depths(inside: Uint8Array, side: number): Uint16Array {
  const depth = new Uint16Array(inside.length);
  const read = (row: number, column: number) =>
    row < 0 || column < 0 || row >= side || column >= side ? 0 : depth[row * side + column];
  for (let cell = 0; cell < inside.length; cell++) {
    if (!inside[cell]) continue;
    const [row, column] = [Math.floor(cell / side), cell % side];
    const above = Math.min(read(row - 1, column - 1), read(row - 1, column), read(row - 1, column + 1));
    depth[cell] = 1 + Math.min(read(row, column - 1), above);
  }
  for (let cell = inside.length - 1; cell >= 0; cell--) {
    if (!inside[cell]) continue;
    const [row, column] = [Math.floor(cell / side), cell % side];
    const below = Math.min(read(row + 1, column - 1), read(row + 1, column), read(row + 1, column + 1));
    depth[cell] = Math.min(depth[cell], 1 + Math.min(read(row, column + 1), below));
  }
  return depth;
}
