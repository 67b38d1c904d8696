import { inSlices } from "../core/slices";
import { cellAt, middleOf, type Density } from "./density";

/** Cells across of the first, coarse answer; each further pass halves them. */
const STRIDES = [8, 4, 2, 1];

/**
 * A function of (u, v) on a grid, filled from coarse to fine without blocking the page: each pass paints its cell's whole block,
 * so that there is an answer everywhere after the first one.
 */
export class Progressive {
  readonly values: Float32Array;
  done = false;
  /** Grows with what is known, so that a drawing of it can be kept. */
  version = 0;
  private readonly halt: () => void;

  constructor(
    readonly side: number,
    readonly range: Density["range"],
    evaluate: (u: number, v: number) => number,
    changed: () => void,
  ) {
    this.values = new Float32Array(side * side).fill(NaN);
    const cells = order(side);
    let next = 0;
    this.halt = inSlices(() => {
      const { row, column, stride } = cells[next++];
      const value = evaluate(...middleOf(this, row * side + column));
      for (let r = row; r < Math.min(row + stride, side); r++)
        for (let c = column; c < Math.min(column + stride, side); c++) this.values[r * side + c] = value;
      this.done = next === cells.length;
      if (this.done || next % side === 0) {
        this.version++;
        changed();
      }
      return !this.done;
    });
  }

  at(u: number, v: number): number {
    const cell = cellAt(this, u, v);
    return cell < 0 ? NaN : this.values[cell];
  }

  stop(): void {
    this.halt();
  }
}

/** Every cell once, those of the coarse grids first. */
export function order(side: number): { row: number; column: number; stride: number }[] {
  const cells = [];
  for (const [pass, stride] of STRIDES.entries())
    for (let row = 0; row < side; row += stride)
      for (let column = 0; column < side; column += stride) {
        const before = STRIDES[pass - 1];
        if (before && row % before === 0 && column % before === 0) continue;
        cells.push({ row, column, stride });
      }
  return cells;
}
