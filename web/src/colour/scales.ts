/** Colour scales that stay apart for the colour-blind and in print. Colours are [r, g, b] from 0 to 255. */
export type Rgb = readonly [number, number, number];

/** Okabe and Ito's eight, without black, then three of Paul Tol's that stay apart from them. */
export const CATEGORIES: readonly Rgb[] = [
  [0, 114, 178],
  [230, 159, 0],
  [0, 158, 115],
  [204, 121, 167],
  [86, 180, 233],
  [213, 94, 0],
  [240, 228, 66],
  [136, 34, 85],
  [153, 153, 51],
  [110, 110, 130],
];

export const UNKNOWN: Rgb = [140, 140, 140];

const VIRIDIS: readonly Rgb[] = [
  [68, 1, 84],
  [72, 40, 120],
  [62, 74, 137],
  [49, 104, 142],
  [38, 130, 142],
  [31, 158, 137],
  [53, 183, 121],
  [110, 206, 88],
  [181, 222, 43],
  [253, 231, 37],
];

/** Viridis at a share from 0 to 1. */
export function viridis(share: number): Rgb {
  const place = Math.max(0, Math.min(1, share)) * (VIRIDIS.length - 1);
  const index = Math.min(Math.floor(place), VIRIDIS.length - 2);
  return mix(VIRIDIS[index], VIRIDIS[index + 1], place - index);
}

export function mix(a: Rgb, b: Rgb, share: number): Rgb {
  return [0, 1, 2].map((i) => Math.round(a[i] + share * (b[i] - a[i]))) as unknown as Rgb;
}

export function category(index: number): Rgb {
  return CATEGORIES[index] ?? UNKNOWN;
}

export function css([r, g, b]: Rgb, alpha = 1): string {
  return `rgba(${r}, ${g}, ${b}, ${alpha})`;
}

/** 256 colours for the points, and the index of each value: the last one is "unknown". */
export function palette(labels: string[] | null): Uint8Array {
  const table = new Uint8Array(256 * 4);
  for (let i = 0; i < 256; i++) {
    const colour = i === 255 ? UNKNOWN : labels ? category(i) : viridis(i / 254);
    table.set([...colour, 255], 4 * i);
  }
  return table;
}

/** The place of each value in the palette. Numbers are spread between their 1% and 99% quantiles. */
export function paletteIndex(column: { labels: string[] | null; values: Float32Array }): Uint8Array {
  const [low, high] = column.labels ? [0, 0] : spread(column.values);
  return Uint8Array.from(column.values, (value) => {
    if (Number.isNaN(value)) return 255;
    if (column.labels) return value < CATEGORIES.length ? value : 255;
    return Math.round(254 * Math.max(0, Math.min(1, (value - low) / (high - low || 1))));
  });
}

/** The 1% and 99% quantiles of what is known. */
export function spread(values: Float32Array): [number, number] {
  const known = values.filter((value) => Number.isFinite(value)).sort();
  if (known.length === 0) return [0, 1];
  const at = (share: number) => known[Math.round(share * (known.length - 1))];
  return [at(0.01), at(0.99)];
}
