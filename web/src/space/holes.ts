import { cellAt, levelHolding, middleOf, type Density } from "./density";

/** Where plain draws land and no row has its code. */
export interface Holes {
  side: number;
  range: Density["range"];
  /** 1 where the cell is in a hole. */
  inside: Uint8Array;
  /** Share of the draws, on this plane, that land in holes. */
  share: number;
  /** The law of the draws. */
  law: Density;
  /** The middle of the hole that the law likes best, as (u, v); null where there is no hole. */
  deepest: [number, number] | null;
}

/** The densest part of the law that counts as "expected", and the share of codes that count as "where rows are". */
const EXPECTED = 0.95;
const OCCUPIED = 0.99;

/** Holes as the certificate has them: less dense in codes than 99% of codes are; counted where the law holds 95% of its draws. */
export function holesOf(posterior: Density, law: Density): Holes {
  const { side, range } = law;
  const empty = levelHolding(posterior.values, OCCUPIED);
  const likely = levelHolding(law.values, EXPECTED);
  const inside = new Uint8Array(side * side);
  let total = 0;
  let lost = 0;
  for (let cell = 0; cell < inside.length; cell++) {
    total += law.values[cell];
    if (law.values[cell] < likely || posterior.values[cell] >= empty) continue;
    inside[cell] = 1;
    lost += law.values[cell];
  }
  const cell = deepest(inside, law);
  return { side, range, inside, law, share: total > 0 ? lost / total : 0, deepest: cell < 0 ? null : middleOf(law, cell) };
}

export function isHole(holes: Holes, u: number, v: number): boolean {
  const cell = cellAt(holes, u, v);
  return cell >= 0 && holes.inside[cell] === 1;
}

/** The cell of the holes that is far from their borders and likely; -1 where there is no hole. */
function deepest(inside: Uint8Array, law: Density): number {
  const depth = depths(inside, law.side);
  let best = -1;
  let score = 0;
  for (let cell = 0; cell < inside.length; cell++) {
    const value = depth[cell] * law.values[cell];
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
