/** What draws the points: a graphics card through WebGL2, or the processor where there is none. */
export interface PointPainter {
  /** (u, v) of each point, its place in the palette, and the palette [256, RGBA]. */
  load(pairs: Float32Array, colours: Uint8Array, palette: Uint8Array): void;
  /** Points outside of the selection fade. Null selects nothing and fades nothing. */
  select(rows: Uint32Array | null): void;
  draw(camera: View, share: number): void;
  /** The canvas is clear after it, as for a map without points. */
  clear(): void;
  dispose(): void;
}

export interface View {
  u: number;
  v: number;
  scale: number;
  width: number;
  height: number;
  /** The page's size of letters, in CSS pixels. */
  em: number;
}

/** The opacity of points outside of a selection, as a share of the others'. */
export const FADED = 0.12;

/** Diameter in CSS pixels (of letters 16 pixels high) and opacity for so many points on so wide a map: few are discs to aim at, a million are dust. */
export function look(count: number, zoom: number, em: number): { size: number; alpha: number } {
  const crowd = Math.log10(Math.max(count, 1) / zoom ** 1.2 + 1);
  const size = Math.max(1.5, Math.min(8, 12.5 - 2.2 * crowd));
  const alpha = Math.max(0.25, Math.min(0.85, 1.35 - 0.18 * crowd));
  return { size: (size * em) / 16, alpha };
}
