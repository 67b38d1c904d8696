import { usualRange } from "../decoded/distribution";
import type { Decoded, DecodedField, Pack } from "../engine/types";

/** The columns that differ most among some rows, most first: what a small card of one of them has to show. */
export function tellingColumns(pack: Pack, rows: Decoded[], most: number): number[] {
  const [first] = rows;
  if (first?.type !== "row") return [];
  const fields = (i: number) => rows.flatMap((row) => (row.type === "row" ? [row.fields[i]] : []));
  const scores = first.fields.map((_, i) => difference(pack, fields(i), i));
  return [...scores.keys()].sort((a, b) => scores[b] - scores[a]).slice(0, most);
}

/** Variance in the column's usual range, or of the levels' indicators. */
function difference(pack: Pack, fields: DecodedField[], i: number): number {
  const { labels } = fields[0].distribution;
  if (labels) return labels.reduce((sum, label) => sum + variance(fields.map((field) => Number(field.text === label))), 0) / 2;
  const [low, high] = usualRange(pack.population[i]);
  return variance(fields.map((field) => (field.value ?? low) / (high - low || 1)));
}

function variance(values: number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
}
