/** The points inside a closed line, both as (u, v) pairs: even-odd rule, with its box first. */
export function inside(pairs: Float32Array, line: readonly [number, number][]): Uint32Array {
  if (line.length < 3) return new Uint32Array(0);
  const us = line.map(([u]) => u);
  const vs = line.map(([, v]) => v);
  const box = [Math.min(...us), Math.max(...us), Math.min(...vs), Math.max(...vs)];
  const found: number[] = [];
  for (let i = 0; i < pairs.length / 2; i++) {
    const u = pairs[2 * i];
    const v = pairs[2 * i + 1];
    if (u < box[0] || u > box[1] || v < box[2] || v > box[3]) continue;
    if (encloses(line, u, v)) found.push(i);
  }
  return Uint32Array.from(found);
}

function encloses(line: readonly [number, number][], u: number, v: number): boolean {
  let odd = false;
  for (let a = 0, b = line.length - 1; a < line.length; b = a++) {
    const [ua, va] = line[a];
    const [ub, vb] = line[b];
    if (va > v !== vb > v && u < ((ub - ua) * (v - va)) / (vb - va) + ua) odd = !odd;
  }
  return odd;
}

/** A circle as a line, for those who select without a mouse. */
export function circle(u: number, v: number, radius: number): [number, number][] {
  return Array.from({ length: 48 }, (_, i) => {
    const angle = (2 * Math.PI * i) / 48;
    return [u + radius * Math.cos(angle), v + radius * Math.sin(angle)];
  });
}

/** What the selected rows are, by the column they are coloured by: how many of each label, or the mean. */
export function composition(
  rows: Uint32Array,
  column: { labels: string[] | null; values: Float32Array },
): { counts: { label: number; count: number }[]; mean: number } {
  const counts = new Map<number, number>();
  let sum = 0;
  let seen = 0;
  for (const row of rows) {
    const value = column.values[row];
    if (Number.isNaN(value)) continue;
    sum += value;
    seen++;
    if (column.labels) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  const sorted = [...counts].map(([label, count]) => ({ label, count })).sort((a, b) => b.count - a.count);
  return { counts: sorted, mean: seen ? sum / seen : NaN };
}
