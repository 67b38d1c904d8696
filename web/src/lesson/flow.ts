import { css, type Rgb } from "../colour/scales";
import { ink } from "../colour/theme";
import { h } from "../core/dom";
import { nextFrame } from "../core/frame";
import type { Scope } from "../core/signal";

/** Share of the points that the drawing has room for, and how far it reaches at least. */
const SHOWN = 0.98;
const LEAST = 3.2;

/** The codes of the same rows in several models or moments, [N * 2] each: they move from one to the next. */
export class Flow {
  readonly element: HTMLElement;
  private readonly canvas = h("canvas", { role: "img" });
  private readonly reaches: number[];
  private place = 0;

  constructor(
    scope: Scope,
    private readonly frames: Float32Array[],
    private readonly colours: Rgb[],
    label: string,
    /** A row whose way is followed with a ring. */
    public followed = 0,
  ) {
    this.reaches = frames.map((frame) => reach(frame));
    this.canvas.setAttribute("aria-label", label);
    this.element = h("div", { class: "flow" }, this.canvas);
    const observer = new ResizeObserver(() => nextFrame(this.draw));
    observer.observe(this.element);
    scope.add(() => observer.disconnect());
    scope.watch([ink], this.draw);
  }

  /** Shows a place between the first frame (0) and the last one. */
  show(place: number): void {
    this.place = Math.max(0, Math.min(this.frames.length - 1, place));
    nextFrame(this.draw);
  }

  private readonly draw = () => {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!width || !height) return;
    const ratio = Math.min(devicePixelRatio, 2);
    if (this.canvas.width !== Math.round(width * ratio)) this.canvas.width = Math.round(width * ratio);
    if (this.canvas.height !== Math.round(height * ratio)) this.canvas.height = Math.round(height * ratio);
    const context = this.canvas.getContext("2d")!;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const left = Math.min(this.frames.length - 1, Math.floor(this.place));
    const right = Math.min(this.frames.length - 1, left + 1);
    const share = this.place - left;
    const between = (a: number, b: number) => a + share * (b - a);
    const scale = Math.min(width, height) / 2 / between(this.reaches[left], this.reaches[right]);
    const at = (u: number, v: number): [number, number] => [width / 2 + u * scale, height / 2 - v * scale];
    this.circles(context, scale, at(0, 0));
    const [from, to] = [this.frames[left], this.frames[right]];
    let ring: [number, number] | undefined;
    for (let i = 0; i < this.colours.length; i++) {
      const [x, y] = at(between(from[2 * i], to[2 * i]), between(from[2 * i + 1], to[2 * i + 1]));
      context.fillStyle = css(this.colours[i], 0.8);
      context.beginPath();
      context.arc(x, y, 2.6, 0, 2 * Math.PI);
      context.fill();
      if (i === this.followed) ring = [x, y];
    }
    if (ring) this.ring(context, ...ring);
  };

  /** One, two and three standard deviations of N(0, I). */
  private circles(context: CanvasRenderingContext2D, scale: number, [x, y]: [number, number]): void {
    context.strokeStyle = css(ink.value.quiet, 0.55);
    context.setLineDash([4, 4]);
    for (const radius of [1, 2, 3]) {
      context.beginPath();
      context.arc(x, y, radius * scale, 0, 2 * Math.PI);
      context.stroke();
    }
    context.setLineDash([]);
  }

  private ring(context: CanvasRenderingContext2D, x: number, y: number): void {
    context.strokeStyle = css(ink.value.ink);
    context.lineWidth = 2;
    context.beginPath();
    context.arc(x, y, 7, 0, 2 * Math.PI);
    context.stroke();
    context.lineWidth = 1;
  }
}

function reach(frame: Float32Array): number {
  const radii = Float64Array.from({ length: frame.length / 2 }, (_, i) => Math.hypot(frame[2 * i], frame[2 * i + 1])).sort();
  return Math.max(LEAST, 1.06 * radii[Math.floor(SHOWN * (radii.length - 1))]);
}
