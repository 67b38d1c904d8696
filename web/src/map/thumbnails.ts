import { inSlices } from "../core/slices";
import { painted } from "../decoded/pixels";
import type { Vector } from "../core/linear";
import type { Chart } from "../space/plane";
import type { Camera } from "./camera";

/** How wide a picture of the grid is at least, in CSS pixels. */
const CELL = 64;
/** Pictures that are kept for when the map comes back to them. */
const KEPT = 4000;

/**
 * What the decoder makes of a lattice of codes. The lattice halves as the map is zoomed into, so that pictures stay where they
 * are while it moves, and only new ones are decoded, in slices.
 */
export class Thumbnails {
  private readonly known = new Map<string, HTMLCanvasElement>();
  private missing: [string, number, number][] = [];
  private halt: (() => void) | null = null;

  constructor(
    private readonly chart: Chart,
    private readonly residual: Vector | null,
    private readonly changed: () => void,
  ) {}

  draw(context: CanvasRenderingContext2D, camera: Camera): void {
    const step = 2 ** Math.ceil(Math.log2(CELL / camera.scale));
    const size = step * camera.scale;
    const [uMin, vMax] = camera.toPlane(0, 0);
    const [uMax, vMin] = camera.toPlane(camera.width, camera.height);
    context.imageSmoothingEnabled = false;
    this.missing = [];
    const flat = this.chart.plane.up.every((value) => value === 0);
    for (let i = Math.floor(uMin / step); i <= Math.ceil(uMax / step); i++)
      for (let j = Math.floor(vMin / step); j <= Math.ceil(vMax / step); j++) {
        if (flat && j !== 0) continue;
        const key = `${step}/${i}/${j}`;
        const picture = this.known.get(key);
        if (!picture) {
          this.missing.push([key, i * step, j * step]);
          continue;
        }
        const [x, y] = camera.toPixels(i * step, j * step);
        const inner = size * 0.92;
        const scale = inner / Math.max(picture.width, picture.height);
        const [w, h] = [picture.width * scale, picture.height * scale];
        context.drawImage(picture, x - w / 2, y - h / 2, w, h);
      }
    if (this.missing.length && !this.halt) this.decodeMissing();
  }

  stop(): void {
    this.halt?.();
  }

  private decodeMissing(): void {
    let drawn = performance.now();
    this.halt = inSlices(() => {
      const next = this.missing.pop();
      if (next) this.decode(...next);
      if (!next || performance.now() - drawn > 60) {
        drawn = performance.now();
        this.changed();
      }
      if (!next) this.halt = null;
      return next !== undefined;
    });
  }

  private decode(key: string, u: number, v: number): void {
    const decoded = this.chart.model.decode(this.chart.lift(u, v, this.residual));
    if (decoded.type !== "image") return;
    if (this.known.size > KEPT) this.known.clear();
    this.known.set(key, painted(decoded));
  }
}
