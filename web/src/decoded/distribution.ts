import type { DecodedField, ColumnDistribution, Kind } from "../engine/types";
import { day, fixed, number } from "../texts";

/** The value below which `share` of a column lies. */
export function quantile(distribution: ColumnDistribution, share: number): number {
  let sum = 0;
  for (let i = 0; i < distribution.probability.length; i++) {
    const next = sum + distribution.probability[i];
    if (next >= share && next > sum)
      return distribution.low[i] + ((share - sum) / (next - sum)) * (distribution.high[i] - distribution.low[i]);
    sum = next;
  }
  return distribution.high[distribution.high.length - 1] ?? 0;
}

/** Where nearly all of a column lies: what a chart or a scale of colours goes from and to. */
export function usualRange(distribution: ColumnDistribution): [number, number] {
  const [low, high] = [quantile(distribution, 0.01), quantile(distribution, 0.99)];
  return high > low ? [low, high] : [distribution.low[0] ?? 0, distribution.high[distribution.high.length - 1] ?? 1];
}

/** A number of a column as the reader's language writes it. */
export function written(kind: Kind, value: number): string {
  return kind === "date" ? day(value) : number(value, Math.abs(value) >= 1000 ? 4 : 3);
}

/** The time of a column of days. */
const MIDNIGHT = /[ T]00:00:00.*$/;
/** More decimals than these say nothing to a reader. */
const DECIMALS = 4;

/** A decoded value as the reader's language writes it, with the decimals that the column has. */
export function said(field: DecodedField): string {
  if (field.kind === "date") return field.text.replace(MIDNIGHT, "");
  return field.value === null ? field.text : inWords(field.text);
}

/** A value's text with its decimals as the reader's language writes them; any other text as it is. */
export function inWords(text: string): string {
  const plain = /^-?\d+(?:\.(\d+))?(e[+-]?\d+)?$/i.exec(text);
  if (!plain) return text;
  return plain[2] ? number(Number(text)) : fixed(Number(text), Math.min(plain[1]?.length ?? 0, DECIMALS));
}

/** Shares of a distribution in `count` equal bins from low to high; what lies beyond falls into the outer ones. */
export function rebinned(distribution: ColumnDistribution, low: number, high: number, count: number): Float64Array {
  const bins = new Float64Array(count);
  const place = (value: number) => ((value - low) / (high - low || 1)) * count;
  const clamp = (index: number) => Math.max(0, Math.min(count - 1, index));
  for (let i = 0; i < distribution.probability.length; i++) {
    const share = distribution.probability[i];
    if (!share) continue;
    const [from, to] = [place(distribution.low[i]), place(distribution.high[i])];
    if (to - from < 1e-9) {
      bins[clamp(Math.floor(from))] += share;
      continue;
    }
    const [first, last] = [clamp(Math.floor(from)), clamp(Math.ceil(to) - 1)];
    for (let bin = first; bin <= last; bin++) {
      const start = bin === first ? from : bin;
      const end = bin === last ? to : bin + 1;
      bins[bin] += (share * (end - start)) / (to - from);
    }
  }
  return bins;
}
