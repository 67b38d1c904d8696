import { palette, paletteIndex } from "../colour/scales";
import type { LatentModel, Points } from "../engine/types";
import { Finder } from "../space/finder";
import type { Chart } from "../space/plane";
import type { Label } from "./overlay";
import type { PointPainter } from "./points";

/** Above this, a moving map shows as many points as it can in a frame, and all of them when it rests. */
const MANY = 100_000;
/** Frames longer than this, in milliseconds, draw fewer points next time; shorter than the other one, more. */
const [SLOW, FAST] = [40, 24];
const PAUSE = 2000;
/** More levels than these would be a heap of names. */
const NAMED = 12;

/** The points of one model on the chosen plane. */
export class Crowd {
  private pairs: Float32Array = new Float32Array(0);
  private finder: Finder | null = null;
  private share = 1;
  private lastFrame = 0;

  constructor(
    private readonly points: Points,
    private readonly painter: PointPainter,
  ) {}

  load(chart: Chart, column: number): void {
    this.pairs = chart.projectAll(this.points.codes);
    this.finder = null;
    const colours = this.points.columns[column];
    const one = new Uint8Array(this.points.count).fill(255);
    this.painter.load(this.pairs, colours ? paletteIndex(colours) : one, palette(colours?.labels ?? null));
  }

  get all(): Float32Array {
    return this.pairs;
  }

  /** How large a share of the points a moving map draws, by how long its last frame took. */
  shareOf(moving: boolean): number {
    if (!moving || this.points.count < MANY) return 1;
    const now = performance.now();
    const took = now - this.lastFrame;
    this.lastFrame = now;
    // A longer time is a pause between two movements.
    const factor = took > PAUSE ? 1 : took > SLOW ? 0.7 : took < FAST ? 1.15 : 1;
    this.share = Math.max(MANY / this.points.count, Math.min(1, this.share * factor));
    return this.share;
  }

  nearest(u: number, v: number, reach: number): number {
    this.finder ??= new Finder(this.pairs);
    return this.finder.nearest(u, v, reach);
  }

  place(row: number): [number, number] {
    return [this.pairs[2 * row], this.pairs[2 * row + 1]];
  }

  /** The names of levels, each in the middle of its points. */
  labels(model: LatentModel, column: number): Label[] {
    const { labels, values } = model.points?.columns[column] ?? { labels: null, values: new Float32Array(0) };
    if (!labels || labels.length > NAMED) return [];
    const stride = Math.ceil(this.points.count / 20_000);
    return labels.flatMap((words, level) => {
      const us: number[] = [];
      const vs: number[] = [];
      for (let i = 0; i < this.points.count; i += stride)
        if (values[i] === level) {
          us.push(this.pairs[2 * i]);
          vs.push(this.pairs[2 * i + 1]);
        }
      return us.length ? [{ words, u: middle(us), v: middle(vs) }] : [];
    });
  }
}

function middle(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1];
}
