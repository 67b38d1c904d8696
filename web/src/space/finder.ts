/** Finds the point of the map that is under the pointer, among a million: a grid of cells, filled by counting. */
export class Finder {
  private readonly starts: Uint32Array;
  private readonly members: Uint32Array;
  private readonly side: number;
  private readonly low: [number, number];
  private readonly cell: [number, number];

  constructor(private readonly pairs: Float32Array) {
    const count = pairs.length / 2;
    this.side = Math.max(1, Math.min(512, Math.ceil(Math.sqrt(count / 4))));
    const bounds = [Infinity, -Infinity, Infinity, -Infinity];
    for (let i = 0; i < pairs.length; i += 2) {
      if (pairs[i] < bounds[0]) bounds[0] = pairs[i];
      if (pairs[i] > bounds[1]) bounds[1] = pairs[i];
      if (pairs[i + 1] < bounds[2]) bounds[2] = pairs[i + 1];
      if (pairs[i + 1] > bounds[3]) bounds[3] = pairs[i + 1];
    }
    this.low = [bounds[0], bounds[2]];
    this.cell = [(bounds[1] - bounds[0]) / this.side || 1, (bounds[3] - bounds[2]) / this.side || 1];
    this.starts = new Uint32Array(this.side * this.side + 1);
    this.members = new Uint32Array(count);
    const cells = new Uint32Array(count);
    for (let i = 0; i < count; i++) {
      cells[i] = this.clamp(pairs[2 * i], 0) + this.side * this.clamp(pairs[2 * i + 1], 1);
      this.starts[cells[i] + 1]++;
    }
    for (let i = 0; i < this.side * this.side; i++) this.starts[i + 1] += this.starts[i];
    const next = this.starts.slice();
    for (let i = 0; i < count; i++) this.members[next[cells[i]]++] = i;
  }

  /** The nearest point within `reach` of (u, v); -1 where there is none. */
  nearest(u: number, v: number, reach: number): number {
    let best = -1;
    let least = reach * reach;
    for (let row = this.clamp(v - reach, 1); row <= this.clamp(v + reach, 1); row++)
      for (let column = this.clamp(u - reach, 0); column <= this.clamp(u + reach, 0); column++) {
        const cell = row * this.side + column;
        for (let k = this.starts[cell]; k < this.starts[cell + 1]; k++) {
          const i = this.members[k];
          const square = (this.pairs[2 * i] - u) ** 2 + (this.pairs[2 * i + 1] - v) ** 2;
          if (square < least) [least, best] = [square, i];
        }
      }
    return best;
  }

  private clamp(value: number, axis: 0 | 1): number {
    const index = Math.floor((value - this.low[axis]) / this.cell[axis]);
    return Math.max(0, Math.min(this.side - 1, index));
  }
}
