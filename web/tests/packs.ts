/** Small packs made by hand, as latente.explorer.block writes them. */

type Kind = "f4" | "f8" | "u1" | "u2";

const TYPES = { f4: Float32Array, f8: Float64Array, u1: Uint8Array, u2: Uint16Array };

export class Writer {
  readonly tensors: { type: Kind; shape: number[]; at: number }[] = [];
  private readonly parts: Uint8Array[] = [];
  private size = 0;

  add(values: number[], shape = [values.length], type: Kind = "f4"): number {
    const bytes = new Uint8Array(TYPES[type].from(values).buffer);
    const padded = new Uint8Array(Math.ceil(bytes.length / 8) * 8);
    padded.set(bytes);
    this.tensors.push({ type, shape, at: this.size });
    this.parts.push(padded);
    this.size += padded.length;
    return this.tensors.length - 1;
  }

  bytes(header: object, version = 2): Uint8Array {
    const text = JSON.stringify({ ...header, tensors: this.tensors });
    const head = new TextEncoder().encode(text.padEnd(Math.ceil(new TextEncoder().encode(text).length / 8) * 8));
    const out = new Uint8Array(16 + head.length + this.size);
    out.set(new TextEncoder().encode("LATENTE\0"));
    new DataView(out.buffer).setUint32(8, version, true);
    new DataView(out.buffer).setUint32(12, head.length, true);
    out.set(head, 16);
    let at = 16 + head.length;
    for (const part of this.parts) {
      out.set(part, at);
      at += part.length;
    }
    return out;
  }
}

const COLUMN = { zone: null, labels: null, center: 0, scale: 1, low: -10, high: 10, step: 0, decimals: 2 };

export interface Options {
  column?: object;
  served?: boolean;
  /** Another operation in place of the decoder's product. */
  product?: string;
  decoder?: boolean;
  ends?: [number[], number[]];
}

/** A linear model of one column: x = 2 z1 - z2 + 1, z = (x, -x), fitted N(0, diag(1, 4)). */
export function linear(options: Options = {}): Uint8Array {
  const w = new Writer();
  const [low, high] = options.ends ?? [[-3, -1, 1], [-1, 1, 3]];
  const column = { name: "a", kind: "real", form: "number", ...COLUMN, ...options.column };
  const fitted = { type: "mixture", weights: w.add([1], [1], "f8"), means: w.add([0, 0], [1, 2], "f8"), cholesky: w.add([1, 0, 0, 2], [1, 2, 2], "f8") };
  const given = (size: number, place = 0) => ({ op: "input", size, place });
  const constant = (...values: number[]) => ({ op: "constant", tensor: w.add(values, undefined, "f8") });
  const inner = high.length - 1;
  const decoder = [
    given(2),
    constant(2, -1),
    { op: options.product ?? "matmul", in: [0, 1], size: 1, rows: 1, inner: 2, columns: 1 },
    { op: "constant", value: 1 },
    { op: "add", in: [2, 3], size: 1 },
    constant(...high.slice(0, inner)),
    { op: "sub", in: [5, 4], size: inner },
    { op: "constant", value: 0.5 },
    { op: "div", in: [6, 7], size: inner },
    { op: "special_ndtr", in: [8], size: inner },
    { op: "concat", in: [9, 3], size: high.length, outer: 1 },
    { op: "constant", value: 0 },
    { op: "concat", in: [11, 9], size: high.length, outer: 1 },
    { op: "sub", in: [10, 12], size: high.length },
    { op: "concat", in: [4, 13], size: 1 + high.length, outer: 1 },
  ];
  const encoder = [given(1), given(1, 1), { op: "neg", in: [0], size: 1 }, constant(Math.exp(-2), Math.exp(-2)), { op: "concat", in: [0, 2, 3], size: 4, outer: 1 }];
  const graph = (steps: object[]) => (options.decoder === false ? null : { steps, output: steps.length - 1 });
  const model = {
    recipe: "vae",
    beta: 1,
    stochastic: true,
    d: 2,
    names: ["z1", "z2"],
    active: [0, 1],
    centre: w.add([0, 0]),
    spread: w.add([1, 2]),
    planes: [{ kind: "whole", dimensions: [0, 1], origin: w.add([0, 0]), across: w.add([1, 0]), up: w.add([0, 1]), range: [-4, 4, -8, 8], posterior: null }],
    fitted: { draws: fitted, density: fitted },
    prior: { ...fitted, cholesky: w.add([1, 0, 0, 1], [1, 2, 2], "f8") },
    units: { type: "row", columns: [{ ...column, often: w.add([], [0], "f8"), low_ends: w.add(low, undefined, "f8"), high_ends: w.add(high, undefined, "f8") }] },
    multiply_adds: 2,
    computed: { encoder: graph(encoder), decoder: graph(decoder) },
    points: null,
    certificate: {},
    figures: {},
  };
  return w.bytes({ title: "linear", rows: 10, served: options.served ?? false, models: [model], lesson: null, population: [w.add([0.2, 0.6, 0.2], undefined, "f8")], notes: [] });
}
