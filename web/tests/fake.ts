import type { LatentModel, Pack, Plane } from "../src/engine/types";
import { normal } from "../src/core/random";

const SIDE = 32;
const REACH = 4;

/** A density over the whole of two dimensions. */
export function grid(value: (u: number, v: number) => number): Float32Array {
  const at = (index: number) => -REACH + ((index + 0.5) / SIDE) * 2 * REACH;
  return Float32Array.from({ length: SIDE * SIDE }, (_, cell) => value(at(cell % SIDE), at(Math.floor(cell / SIDE))));
}

export const bell = (u: number, v: number) => Math.exp(-(u * u + v * v) / 2);

export function plane(posterior: Float32Array | null = grid(bell), d = 2): Plane {
  const axis = (index: number) => Float32Array.from({ length: d }, (_, i) => (i === index ? 1 : 0));
  return {
    kind: d === 2 ? "whole" : "pair",
    dimensions: [0, 1],
    origin: new Float32Array(d),
    across: axis(0),
    up: d > 1 ? axis(1) : new Float32Array(1),
    range: [-REACH, REACH, -REACH, REACH],
    side: SIDE,
    posterior,
    fitted: grid(bell),
    prior: null,
  };
}

/** A model whose fitted is N(centre, spread²) and whose decoder is linear, unless a test says otherwise. */
export function model(over: Partial<LatentModel> = {}): LatentModel {
  const d = over.d ?? 2;
  const centre = over.centre ?? new Float32Array(d);
  const spread = over.spread ?? new Float32Array(d).fill(1);
  const picture = (z: Float32Array) => ({ type: "image" as const, channels: 1, height: 1, width: d, pixels: z.slice() });
  return {
    recipe: "vae",
    beta: 1,
    stochastic: true,
    d,
    dimensionNames: Array.from({ length: d }, (_, i) => `z${i + 1}`),
    active: [...Array(d).keys()],
    centre,
    spread,
    planes: [plane(undefined, d)],
    points: null,
    certificate: {},
    verdicts: null,
    figures: {},
    multiplyAdds: d,
    inPage: true,
    decode: picture,
    decodeSoon: async (z) => picture(z),
    means: (z) => Float64Array.from(z),
    encode: (input) => ({ mean: input.type === "image" ? input.pixels.slice() : new Float32Array(d), sd: new Float32Array(d).fill(0.1) }),
    encodeSoon: async () => null,
    sample: (_, random) => Float32Array.from({ length: d }, (_, i) => centre[i] + spread[i] * normal(random)),
    logDensity: (z) => -z.reduce((sum, value, i) => sum + ((value - centre[i]) / spread[i]) ** 2, 0) / 2,
    pair: () => plane(undefined, d),
    through: () => plane(undefined, d),
    ...over,
  };
}

export function pack(over: Partial<Pack> = {}): Pack {
  return {
    title: "fake",
    rows: 100,
    served: false,
    holdsRows: false,
    notes: [],
    input: { type: "image", channels: 1, height: 1, width: 2 },
    population: [],
    models: [model()],
    near: null,
    lesson: null,
    ...over,
  };
}
