/**
 * Networks as operations on one vector, in double precision: latente.explorer.program writes them. Each operation is compiled
 * to a function with buffers of its own; a network's answer is valid until it is asked again.
 */

import type { Block } from "./block";
import { Cells, type CellsSpec } from "./cells";
import { PackError } from "./types";

export interface DenseSpec {
  weight: number;
  bias: number;
}

export type OpSpec =
  | ({ op: "dense" | "add-linear" } & DenseSpec)
  | { op: "relu" | "concat-input" | "concat-mask" | "flatten" }
  | { op: "picture"; shape: [number, number, number] }
  | ({ op: "conv"; stride: number; padding: number } & DenseSpec)
  | ({ op: "conv-transpose"; stride: number; padding: number; crop: [number, number] } & DenseSpec)
  | { op: "embed-cells"; cells: CellsSpec[]; vectors: number[]; unseen: number; numbers: number[] };

/** What a network is given: values, 0 where one was not seen, and for each 1 or 0; null where all were. */
export interface Given {
  x: Float64Array;
  seen: Uint8Array | null;
}

/** The vector on its way; pictures lie row by row, pixel by pixel, channel by channel (H, W, C). */
interface State {
  h: Float64Array;
  channels: number;
  height: number;
  width: number;
}

type Step = (state: State, given: Given) => void;
export type Network = (given: Given) => Float64Array;

export function network(ops: OpSpec[], block: Block): Network {
  const steps = ops.map((op) => compiled(op, block));
  return (given) => {
    const state: State = { h: given.x, channels: 0, height: 0, width: 0 };
    for (const step of steps) step(state, given);
    return state.h;
  };
}

function compiled(op: OpSpec, block: Block): Step {
  switch (op.op) {
    case "dense":
      return set(dense(op, block));
    case "add-linear":
      return addLinear(op, block);
    case "relu":
      return relu();
    case "concat-input":
      return set(joined((given) => given.x));
    case "concat-mask":
      return set(joined((given) => given.seen ?? ones(given.x.length)));
    case "picture":
      return picture(op.shape);
    case "flatten":
      return set(flatten());
    case "conv":
      return conv(op, block);
    case "conv-transpose":
      return convTranspose(op, block);
    case "embed-cells":
      return set(embedCells(op, block));
    default:
      throw new PackError("unsupported", `this page does not know the operation ${JSON.stringify((op as { op: string }).op)}`);
  }
}

type Move = (h: Float64Array, given: Given, state: State) => Float64Array;

function set(move: Move): Step {
  return (state, given) => {
    state.h = move(state.h, given, state);
  };
}

/** sum of w[at …] h[…]; four sums side by side, which takes a third of the time of one. */
export function dot(w: Float32Array, at: number, h: Float64Array, from: number, n: number): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  let i = 0;
  for (; i + 3 < n; i += 4) {
    a += w[at + i] * h[from + i];
    b += w[at + i + 1] * h[from + i + 1];
    c += w[at + i + 2] * h[from + i + 2];
    d += w[at + i + 3] * h[from + i + 3];
  }
  for (; i < n; i++) a += w[at + i] * h[from + i];
  return a + b + (c + d);
}

/** W h + b. */
export function dense(spec: DenseSpec, block: Block): (h: Float64Array) => Float64Array {
  const { shape } = block.tensor(spec.weight);
  const [outputs, inputs] = shape as [number, number];
  const weight = block.floats(spec.weight);
  const bias = block.floats(spec.bias);
  const out = new Float64Array(outputs);
  return (h) => {
    for (let o = 0; o < outputs; o++) out[o] = bias[o] + dot(weight, o * inputs, h, 0, inputs);
    return out;
  };
}

function addLinear(spec: DenseSpec, block: Block): Step {
  const linear = dense(spec, block);
  return (state, given) => {
    const more = linear(given.x);
    const h = state.h;
    for (let i = 0; i < h.length; i++) h[i] += more[i];
  };
}

/** In a buffer of its own where what comes in is the input itself. */
function relu(): Step {
  let own = new Float64Array(0);
  return (state, given) => {
    const { h } = state;
    if (h === given.x && own.length !== h.length) own = new Float64Array(h.length);
    const out = h === given.x ? own : h;
    for (let i = 0; i < h.length; i++) out[i] = h[i] > 0 ? h[i] : 0;
    state.h = out;
  };
}

function joined(behind: (given: Given) => ArrayLike<number>): Move {
  let out = new Float64Array(0);
  return (h, given) => {
    const more = behind(given);
    if (out.length !== h.length + more.length) out = new Float64Array(h.length + more.length);
    out.set(h);
    out.set(more, h.length);
    return out;
  };
}

function ones(length: number): Uint8Array {
  return new Uint8Array(length).fill(1);
}

// ------------------------------------------------------------------------------------------------------------ pictures

/** From channels first, as Python has it, to channels last: what one pixel holds lies together. */
function picture([channels, height, width]: [number, number, number]): Step {
  const out = new Float64Array(channels * height * width);
  const pixels = height * width;
  return (state) => {
    for (let p = 0; p < pixels; p++) for (let c = 0; c < channels; c++) out[p * channels + c] = state.h[c * pixels + p];
    Object.assign(state, { h: out, channels, height, width });
  };
}

function flatten(): Move {
  let out = new Float64Array(0);
  return (h, _, { channels, height, width }) => {
    const pixels = height * width;
    if (out.length !== h.length) out = new Float64Array(h.length);
    for (let p = 0; p < pixels; p++) for (let c = 0; c < channels; c++) out[c * pixels + p] = h[p * channels + c];
    return out;
  };
}

function conv(spec: Extract<OpSpec, { op: "conv" }>, block: Block): Step {
  const [outputs, inputs, side] = block.tensor(spec.weight).shape as [number, number, number, number];
  const weight = reordered(block.floats(spec.weight), outputs, inputs, side * side, (o, i, tap) => (o * side * side + tap) * inputs + i);
  const bias = block.floats(spec.bias);
  const patch = new Float64Array(side * side * inputs);
  let out = new Float64Array(0);
  return (state) => {
    const height = Math.floor((state.height + 2 * spec.padding - side) / spec.stride) + 1;
    const width = Math.floor((state.width + 2 * spec.padding - side) / spec.stride) + 1;
    if (out.length !== height * width * outputs) out = new Float64Array(height * width * outputs);
    for (let y = 0, at = 0; y < height; y++)
      for (let x = 0; x < width; x++, at += outputs) {
        cut(state, y * spec.stride - spec.padding, x * spec.stride - spec.padding, side, patch);
        for (let o = 0; o < outputs; o++) out[at + o] = bias[o] + dot(weight, o * patch.length, patch, 0, patch.length);
      }
    Object.assign(state, { h: out, channels: outputs, height, width });
  };
}

/** A square of a picture, with 0 beyond its edges. */
function cut({ h, channels, height, width }: State, top: number, left: number, side: number, patch: Float64Array): void {
  for (let ky = 0, at = 0; ky < side; ky++)
    for (let kx = 0; kx < side; kx++, at += channels) {
      const y = top + ky;
      const x = left + kx;
      const from = (y * width + x) * channels;
      if (y >= 0 && y < height && x >= 0 && x < width) for (let c = 0; c < channels; c++) patch[at + c] = h[from + c];
      else patch.fill(0, at, at + channels);
    }
}

/** For each pixel that goes out, over the taps that meet one that came in. Weights come as [in, out, side, side]. */
function convTranspose(spec: Extract<OpSpec, { op: "conv-transpose" }>, block: Block): Step {
  const [inputs, outputs, side] = block.tensor(spec.weight).shape as [number, number, number, number];
  const weight = reordered(block.floats(spec.weight), inputs, outputs, side * side, (i, o, tap) => (tap * outputs + o) * inputs + i);
  const bias = block.floats(spec.bias);
  const [height, width] = spec.crop;
  const out = new Float64Array(height * width * outputs);
  let rows: Tap[][] = [];
  let columns: Tap[][] = [];
  return (state) => {
    if (!rows.length) {
      rows = taps(height, side, spec.stride, spec.padding, state.height);
      columns = taps(width, side, spec.stride, spec.padding, state.width);
    }
    for (let y = 0, at = 0; y < height; y++)
      for (let x = 0; x < width; x++, at += outputs) {
        for (let o = 0; o < outputs; o++) out[at + o] = bias[o];
        for (const row of rows[y])
          for (const column of columns[x]) {
            const tap = (row.k * side + column.k) * outputs * inputs;
            const from = (row.from * state.width + column.from) * inputs;
            for (let o = 0; o < outputs; o++) out[at + o] += dot(weight, tap + o * inputs, state.h, from, inputs);
          }
      }
    Object.assign(state, { h: out, channels: outputs, height, width });
  };
}

interface Tap {
  /** Which weight meets the place `from` that came in. */
  k: number;
  from: number;
}

/** For each place that goes out along one side. */
function taps(places: number, side: number, stride: number, padding: number, size: number): Tap[][] {
  const all = Array.from({ length: side }, (_, k) => k);
  return Array.from({ length: places }, (_, place) =>
    all.map((k) => ({ k, from: (place + padding - k) / stride })).filter(({ from }) => Number.isInteger(from) && from >= 0 && from < size),
  );
}

function reordered(w: Float32Array, a: number, b: number, taps: number, to: (a: number, b: number, tap: number) => number): Float32Array {
  const out = new Float32Array(w.length);
  for (let i = 0, at = 0; i < a; i++) for (let j = 0; j < b; j++) for (let t = 0; t < taps; t++, at++) out[to(i, j, t)] = w[at];
  return out;
}

// --------------------------------------------------------------------------------------------------------------- cells

/** An embedding for the cell of each column, 0-th vectors first, and behind them the numbers themselves. */
function embedCells(spec: Extract<OpSpec, { op: "embed-cells" }>, block: Block): Move {
  const columns = spec.cells.map((cells) => new Cells(cells, block));
  const embedding = new Embedding(columns, spec.vectors, spec.unseen, block);
  const out = new Float64Array(columns.length * embedding.width + spec.numbers.length);
  return (_, { x, seen }) => {
    columns.forEach((cells, f) => {
      const cell = seen && !seen[f] ? -1 : cells.index(x[f]);
      embedding.write(f, cell, out, f * embedding.width);
    });
    spec.numbers.forEach((f, i) => {
      out[columns.length * embedding.width + i] = x[f];
    });
    return out;
  };
}

/** A vector for each cell of each column, and one for "not seen" (cell -1). */
export class Embedding {
  readonly width: number;
  private readonly vectors: Float32Array[];
  private readonly unseen: Float32Array;

  constructor(
    private readonly columns: Cells[],
    vectors: number[],
    unseen: number,
    block: Block,
  ) {
    this.width = block.tensor(unseen).shape[1];
    this.vectors = vectors.map((place) => block.floats(place));
    this.unseen = block.floats(unseen);
  }

  write(f: number, cell: number, out: Float64Array, at: number): void {
    for (let w = 0; w < this.width; w++)
      out[at + w] = cell < 0 ? this.unseen[f * this.width + w] : this.columns[f].spreadAt(cell, this.vectors[f], w);
  }

  add(f: number, cell: number, out: Float64Array): void {
    for (let w = 0; w < this.width; w++) out[w] += this.columns[f].spreadAt(cell, this.vectors[f], w);
  }
}
