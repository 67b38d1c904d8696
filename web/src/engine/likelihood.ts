/** p(x | z) from the decoder's output: latente.model.likelihoods, .cells and .autoregressive. */

import type { Block } from "./block";
import { Cells, type CellsSpec, argmax } from "./cells";
import { type HeterogeneousSpec, heterogeneous } from "./heterogeneous";
import { type DenseSpec, Embedding, dense, dot } from "./network";
import { normalCdf, studentCdf } from "./special";
import { PackError } from "./types";

/** The law of one field, in encoded units. */
export interface Fielded {
  /** Of a level, the place of the most likely one. */
  mean: number;
  /** Probabilities of the column's cells or levels; null where the law is continuous. */
  probability: Float64Array | null;
  /** Whether the cells are levels, of which no two are neighbours. */
  nominal: boolean;
  /** Probability of a value not above x. */
  cdf(x: number): number;
}

export interface Likelihood {
  /** Means in encoded units, [F]; in place of a level's its probabilities. Valid until asked again. */
  means(theta: Float64Array): Float64Array;
  fields(theta: Float64Array): Fielded[];
}

export type LikelihoodSpec =
  | { type: "normal"; sigma: number }
  | { type: "student-t"; sigma: number; df: number }
  | { type: "bernoulli" | "continuous-bernoulli" }
  | CellsLikelihoodSpec
  | HeterogeneousSpec
  | AutoregressiveSpec;

interface CellsLikelihoodSpec {
  type: "cells";
  cells: CellsSpec[];
  nominal: boolean[];
  base: number[];
  /** Where in the decoder's output each column's numbers begin. */
  theta: number[];
}

interface AutoregressiveSpec {
  type: "autoregressive";
  cells: CellsSpec[];
  nominal: boolean[];
  vectors: number[];
  unseen: number;
  place: number;
  blocks: DenseSpec[][];
  heads: number[];
  base: number[];
}

export function likelihood(spec: LikelihoodSpec, block: Block): Likelihood {
  switch (spec.type) {
    case "normal": {
      const sigma = block.floats(spec.sigma);
      return continuous((t) => t, (f, mean, _, x) => normalCdf((x - mean) / sigma[f]));
    }
    case "student-t": {
      const sigma = block.floats(spec.sigma);
      const df = block.floats(spec.df);
      return continuous((t) => t, (f, mean, _, x) => studentCdf((x - mean) / sigma[f], df[f]));
    }
    case "bernoulli":
      return continuous(sigmoid, (_, mean, __, x) => (x < 0 ? 0 : x < 1 ? 1 - mean : 1));
    case "continuous-bernoulli":
      return continuous(meanWithinOne, (_, __, t, x) => cdfWithinOne(t, x));
    case "cells":
      return ofCells(spec, block);
    case "heterogeneous":
      return heterogeneous(spec, block);
    case "autoregressive":
      return autoregressive(spec, block);
    default:
      throw new PackError("unsupported", `this page does not know the likelihood ${JSON.stringify((spec as { type: string }).type)}`);
  }
}

function continuous(mean: (t: number) => number, cdf: (f: number, mean: number, t: number, x: number) => number): Likelihood {
  return {
    means: (theta) => theta.map(mean),
    fields: (theta) =>
      Array.from(theta, (t, f) => {
        const centre = mean(t);
        return { mean: centre, probability: null, nominal: false, cdf: (x: number) => cdf(f, centre, t, x) };
      }),
  };
}

export function sigmoid(t: number): number {
  return t >= 0 ? 1 / (1 + Math.exp(-t)) : Math.exp(t) / (1 + Math.exp(t));
}

const NEAR = 0.05;

/** E x = 1 / (1 - exp(-t)) - 1 / t in the logit t; its series near 0. */
function meanWithinOne(t: number): number {
  return Math.abs(t) < NEAR ? 0.5 + t / 12 : 1 / -Math.expm1(-t) - 1 / t;
}

/** (e^(t x) - 1) / (e^t - 1), written so that it can't overflow. */
function cdfWithinOne(t: number, x: number): number {
  const within = Math.min(1, Math.max(0, x));
  if (Math.abs(t) < 1e-6) return within;
  return t > 0 ? 1 - cdfWithinOne(-t, 1 - within) : Math.expm1(t * within) / Math.expm1(t);
}

// --------------------------------------------------------------------------------------------------------------- cells

function ofColumn(cells: Cells, nominal: boolean, probability: Float64Array): Fielded {
  const cdf = (x: number) => probability.subarray(0, cells.index(x) + 1).reduce((a, b) => a + b, 0);
  return { mean: nominal ? argmax(probability) : cells.mean(probability), probability, nominal, cdf };
}

export function expanded(fields: Fielded[]): Float64Array {
  return Float64Array.from(fields.flatMap((field) => (field.nominal && field.probability ? [...field.probability] : [field.mean])));
}

function ofCells(spec: CellsLikelihoodSpec, block: Block): Likelihood {
  const columns = spec.cells.map((cells) => new Cells(cells, block));
  const base = spec.base.map((at) => block.floats(at));
  const fields = (theta: Float64Array) =>
    columns.map((cells, f) => {
      const at = spec.theta[f];
      const p = cells.probabilities(theta.subarray(at, at + cells.rank), base[f]);
      return ofColumn(cells, spec.nominal[f], p);
    });
  return { fields, means: (theta) => expanded(fields(theta)) };
}

/** Each column's mean, or most likely level, given those of the columns before it. */
function autoregressive(spec: AutoregressiveSpec, block: Block): Likelihood {
  const columns = spec.cells.map((cells) => new Cells(cells, block));
  const embedding = new Embedding(columns, spec.vectors, spec.unseen, block);
  const place = block.floats(spec.place);
  const base = spec.base.map((at) => block.floats(at));
  const heads = spec.heads.map((at) => block.floats(at));
  const blocks = spec.blocks.map(([first, second]) => [dense(first, block), dense(second, block)] as const);
  const { width } = embedding;

  const features = (f: number, context: Float64Array) => {
    const h = context.map((value, w) => value + place[f * width + w]);
    for (const [first, second] of blocks) {
      const more = second(first(h.map(positive)).map(positive));
      for (let w = 0; w < width; w++) h[w] += more[w];
    }
    return h.map(positive);
  };
  const fields = (theta: Float64Array) => {
    const context = theta.slice();
    return columns.map((cells, f) => {
      const h = features(f, context);
      const coefficients = Float64Array.from({ length: cells.rank }, (_, r) => dot(heads[f], r * width, h, 0, width));
      const field = ofColumn(cells, spec.nominal[f], cells.probabilities(coefficients, base[f]));
      embedding.add(f, cells.index(field.mean), context);
      return field;
    });
  };
  return { fields, means: (theta) => expanded(fields(theta)) };
}

function positive(value: number): number {
  return value > 0 ? value : 0;
}
