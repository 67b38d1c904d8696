/** A column cut into cells: latente.model.cells. */

import type { Block } from "./block";

export interface CellsSpec {
  edges: number;
  middle: number;
  /** [cells, rank]: what neighbours have in common; null where each is by itself. */
  basis: number | null;
}

export class Cells {
  readonly edges: Float32Array;
  readonly middle: Float32Array;
  readonly count: number;
  /** How many numbers describe something of each cell. */
  readonly rank: number;
  private readonly basis: Float32Array | null;

  constructor(spec: CellsSpec, block: Block) {
    this.edges = block.floats(spec.edges);
    this.middle = block.floats(spec.middle);
    this.count = this.middle.length;
    this.basis = spec.basis === null ? null : block.floats(spec.basis);
    this.rank = this.basis === null ? this.count : this.basis.length / this.count;
  }

  /** In which cell a value is: how many edges are not above it. */
  index(value: number): number {
    let low = 0;
    let high = this.edges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.edges[middle] <= value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** What one cell has, by the coefficients that stand in row `row` of [rows, rank]. */
  spreadAt(cell: number, coefficients: ArrayLike<number>, row: number): number {
    if (this.basis === null) return coefficients[row * this.rank + cell];
    let sum = 0;
    for (let r = 0; r < this.rank; r++) {
      const share = this.basis[cell * this.rank + r];
      if (share) sum += share * coefficients[row * this.rank + r];
    }
    return sum;
  }

  /** Probabilities of the cells from coefficients of their logits, and those of independent columns. */
  probabilities(coefficients: ArrayLike<number>, base: ArrayLike<number>): Float64Array {
    const p = new Float64Array(this.count);
    for (let cell = 0; cell < this.count; cell++) p[cell] = this.spreadAt(cell, coefficients, 0) + base[cell];
    return softmax(p);
  }

  /** Mean of the cells' middles. */
  mean(probability: Float64Array): number {
    let sum = 0;
    for (let cell = 0; cell < this.count; cell++) sum += probability[cell] * this.middle[cell];
    return sum;
  }
}

/** In place. */
export function softmax(p: Float64Array): Float64Array {
  let most = Number.NEGATIVE_INFINITY;
  for (const value of p) most = Math.max(most, value);
  let sum = 0;
  for (let i = 0; i < p.length; i++) sum += p[i] = Math.exp(p[i] - most);
  for (let i = 0; i < p.length; i++) p[i] /= sum;
  return p;
}

/** The place of the largest; the first of several. */
export function argmax(p: Float64Array): number {
  let best = 0;
  for (let i = 1; i < p.length; i++) if (p[i] > p[best]) best = i;
  return best;
}
