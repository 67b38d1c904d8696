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
