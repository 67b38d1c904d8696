/** Columns of several kinds, each with the law of its kind: latente.model.heterogeneous. */

import type { Block } from "./block";
import { argmax, softmax } from "./cells";
import { expanded, type Fielded, type Likelihood, sigmoid } from "./likelihood";
import { incompleteBeta, normalCdf } from "./special";

interface Recorded {
  theta: number;
  zero: number;
  unit: number;
  step: number;
  low: number | null;
  high: number | null;
  /** A value that often repeats, and the logit of its probability; null where there is none. */
  atom: { value: number; base: number; theta: number } | null;
}

type NormalSpec = Recorded & { law: "normal" | "log-normal"; rounded: boolean; center: number; spread: number; log_sigma: number };
type CountSpec = Recorded & { law: "count"; base: number; first: number; dispersion: number };

type ColumnSpec =
  | NormalSpec
  | CountSpec
  | { law: "ordered"; theta: number; values: number; thresholds: number; nominal: boolean }
  | { law: "binary"; theta: number; base: number }
  | { law: "levels"; theta: number; base: number };

export interface HeterogeneousSpec {
  type: "heterogeneous";
  gain: number;
  columns: ColumnSpec[];
}

/** A law of numbers: its mean, before bounds, its distribution function, and the probability of one recorded value. */
interface Numbers {
  mean: number;
  cdf(x: number): number;
  at(x: number): number;
}

export function heterogeneous(spec: HeterogeneousSpec, block: Block): Likelihood {
  const gain = block.floats(spec.gain);
  const columns = spec.columns.map((column) => field(column, block));
  const fields = (theta: Float64Array) => {
    const scaled = theta.map((t, i) => t * gain[i]);
    return columns.map((column) => column(scaled));
  };
  return { fields, means: (theta) => expanded(fields(theta)) };
}

function field(spec: ColumnSpec, block: Block): (theta: Float64Array) => Fielded {
  switch (spec.law) {
    case "levels": {
      const base = block.doubles(spec.base);
      return (theta) => ofLevels(softmax(base.map((b, i) => b + theta[spec.theta + i])), null);
    }
    case "binary":
      return (theta) => {
        const p = sigmoid(spec.base + theta[spec.theta]);
        return ofLevels(Float64Array.of(1 - p, p), Float64Array.of(0, 1));
      };
    case "ordered": {
      const thresholds = block.doubles(spec.thresholds);
      const values = spec.nominal ? null : block.doubles(spec.values);
      return (theta) => ofLevels(between(thresholds, theta[spec.theta]), values);
    }
    case "count":
      return (theta) => bounded(spec, count(spec, theta[spec.theta]), theta);
    default:
      return (theta) => bounded(spec, normal(spec, theta[spec.theta]), theta);
  }
}

/** Values with a mean; levels, of which the most likely one counts, where there are none. */
function ofLevels(probability: Float64Array, values: Float64Array | null): Fielded {
  const cdf = (x: number) => probability.reduce((sum, p, i) => ((values ? values[i] : i) <= x ? sum + p : sum), 0);
  const mean = values ? values.reduce((sum, value, i) => sum + value * probability[i], 0) : argmax(probability);
  return { mean, probability, nominal: values === null, cdf };
}

/** Cumulative logit: probabilities between thresholds that theta moves. */
function between(thresholds: Float64Array, theta: number): Float64Array {
  return Float64Array.from({ length: thresholds.length + 1 }, (_, i) => {
    const low = i ? thresholds[i - 1] - theta : Number.NEGATIVE_INFINITY;
    const high = i < thresholds.length ? thresholds[i] - theta : Number.POSITIVE_INFINITY;
    return low > 0 ? sigmoid(-low) - sigmoid(-high) : sigmoid(high) - sigmoid(low);
  });
}

function normal(spec: NormalSpec, theta: number): Numbers {
  const { zero, unit, step, center, spread } = spec;
  const loc = center + spread * theta;
  const sigma = Math.exp(spec.log_sigma);
  const logs = spec.law === "log-normal";
  const standardised = (x: number) => ((logs ? Math.log(Math.max(1e-30, (x - zero) / unit)) : x) - loc) / sigma;
  const first = logs && spec.low !== null ? spec.low - step * Math.floor((spec.low - zero - 1e-30) / step - 1e-3) : Number.NEGATIVE_INFINITY;
  return {
    mean: logs ? zero + unit * Math.exp(Math.min(80, loc + 0.5 * sigma * sigma)) : loc,
    cdf: (x) => (logs && x <= zero ? 0 : normalCdf(standardised(x))),
    at: (x) => {
      if (!spec.rounded) return 0;
      const low = standardised(x < first + step / 2 ? zero : x - step / 2);
      const high = standardised(x + step / 2);
      return low > 0 ? normalCdf(-low) - normalCdf(-high) : normalCdf(high) - normalCdf(low);
    },
  };
}

/** Negative binomial over the steps above the smallest value that can be. */
function count(spec: CountSpec, theta: number): Numbers {
  const mean = Math.exp(Math.min(30, Math.max(-20, spec.base + theta)));
  const r = spec.dispersion;
  const upTo = (steps: number) => (steps < 0 ? 0 : incompleteBeta(r / (r + mean), r, steps + 1));
  const steps = (x: number) => (x - spec.first) / spec.step;
  return {
    mean: spec.first + spec.step * mean,
    cdf: (x) => upTo(Math.floor(steps(x) + 1e-6)),
    at: (x) => upTo(Math.round(steps(x))) - upTo(Math.round(steps(x)) - 1),
  };
}

/** Within the smallest and the largest value, and with the value that repeats. */
function bounded(spec: Recorded, rest: Numbers, theta: Float64Array): Fielded {
  const within = (x: number) => Math.min(spec.high ?? x, Math.max(spec.low ?? x, x));
  const { atom } = spec;
  if (!atom) return { mean: within(rest.mean), probability: null, nominal: false, cdf: rest.cdf };
  const p = sigmoid(atom.base + theta[atom.theta]);
  const at = Math.min(Math.exp(-1e-6), rest.at(atom.value));
  const others = (within(rest.mean) - at * atom.value) / (1 - at);
  const cdf = (x: number) => {
    const reached = Number(x >= atom.value - 1e-9);
    return p * reached + ((1 - p) * (rest.cdf(x) - at * reached)) / (1 - at);
  };
  return { mean: within(others + p * (atom.value - others)), probability: null, nominal: false, cdf };
}
