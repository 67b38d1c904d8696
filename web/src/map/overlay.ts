import { css } from "../colour/scales";
import type { Ink } from "../colour/theme";
import type { Vector } from "../core/linear";
import type { Explorer } from "../app/explorer";
import type { LatentModel } from "../engine/types";
import type { Chart } from "../space/plane";
import { text } from "./axes";
import type { Camera } from "./camera";

export interface Label {
  words: string;
  u: number;
  v: number;
}

/** What moves over the points: the point itself, a walk, the line around a selection, marks of tools and lesson. */
export class Overlay {
  line: [number, number][] = [];
  hovered: [number, number] | null = null;
  labels: Label[] = [];

  constructor(
    private readonly context: CanvasRenderingContext2D,
    private readonly camera: Camera,
    private readonly explorer: Explorer,
    private readonly model: LatentModel,
  ) {}

  draw(ink: Ink, font: number): void {
    const { context, camera, explorer, model } = this;
    const chart = explorer.chart(model);
    context.clearRect(0, 0, camera.width, camera.height);
    for (const label of this.labels) {
      context.font = `700 ${font * 1.25}px system-ui, sans-serif`;
      text(context, ink, label.words, ...camera.toPixels(label.u, label.v), "center", css(ink.ink));
    }
    this.drawWalk(ink, chart);
    this.drawMarks(ink, chart);
    if (this.line.length > 1) this.drawLine(ink);
    if (this.hovered) this.ring(camera.toPixels(...this.hovered), 7, css(ink.ink), 2);
    this.drawPoint(ink, camera.toPixels(...chart.project(explorer.codeOf(model))), font);
  }

  /** A dot in rings of both inks: seen on dark and on light ground alike. */
  private drawPoint(ink: Ink, [x, y]: [number, number], font: number): void {
    const size = font * 0.62;
    this.ring([x, y], size + 3, css(ink.paper), 4);
    this.ring([x, y], size + 2, css(ink.ink), 2);
    this.context.fillStyle = css(ink.accent);
    this.context.beginPath();
    this.context.arc(x, y, size, 0, 2 * Math.PI);
    this.context.fill();
  }

  private drawWalk(ink: Ink, chart: Chart): void {
    const walk = this.explorer.walk.value;
    if (!walk) return;
    const at = this.explorer.models.value.indexOf(this.model);
    const ends = [walk.from[at], walk.to[at]].map((z) => this.place(chart, z));
    this.stroke(ends, css(ink.paper), 5);
    this.stroke(ends, css(ink.accent), 2);
    ["A", "B"].forEach((name, i) => {
      this.context.font = "700 14px system-ui, sans-serif";
      text(this.context, ink, name, ends[i][0], ends[i][1] - 12, "center", css(ink.ink));
      this.ring(ends[i], 4, css(ink.accent), 3);
    });
  }

  private drawMarks(ink: Ink, chart: Chart): void {
    const marks = this.explorer.marks.value;
    if (marks?.model !== this.model) return;
    if (marks.cloud) this.drawCloud(ink, chart, marks.cloud.mean, marks.cloud.sd);
    if (marks.target) {
      const place = this.camera.toPixels(...marks.target);
      this.ring(place, 16, css(ink.paper), 5);
      this.context.setLineDash([5, 4]);
      this.ring(place, 16, css(ink.ink), 2);
      this.context.setLineDash([]);
    }
    if (marks.arrow) this.drawArrow(ink, this.place(chart, marks.arrow.from), this.place(chart, marks.arrow.to));
  }

  /** One and two standard deviations of q(z | x), as the plane sees them. */
  private drawCloud(ink: Ink, chart: Chart, mean: Vector, sd: Vector): void {
    const origin = chart.project(mean);
    let [uu, uv, vv] = [0, 0, 0];
    for (let i = 0; i < mean.length; i++) {
      const moved = mean.slice();
      moved[i] += sd[i];
      const [u, v] = chart.project(moved).map((value, axis) => value - origin[axis]);
      uu += u * u;
      uv += u * v;
      vv += v * v;
    }
    const middle = (uu + vv) / 2;
    const spread = Math.hypot((uu - vv) / 2, uv);
    const angle = -Math.atan2(2 * uv, uu - vv) / 2;
    const [x, y] = this.camera.toPixels(...origin);
    const [long, short] = [middle + spread, middle - spread].map((square) => Math.sqrt(Math.max(square, 0)) * this.camera.scale);
    for (const times of [2, 1]) {
      this.context.beginPath();
      this.context.ellipse(x, y, long * times, short * times, angle, 0, 2 * Math.PI);
      this.context.fillStyle = css(ink.accent, 0.18);
      this.context.fill();
      this.context.strokeStyle = css(ink.accent);
      this.context.lineWidth = 1.5;
      this.context.stroke();
    }
  }

  private drawArrow(ink: Ink, from: [number, number], to: [number, number]): void {
    const angle = Math.atan2(to[1] - from[1], to[0] - from[0]);
    const head = (turn: number): [number, number] => [to[0] - 11 * Math.cos(angle + turn), to[1] - 11 * Math.sin(angle + turn)];
    for (const [colour, width] of [
      [css(ink.paper), 7],
      [css(ink.warm), 3],
    ] as const) {
      this.stroke([from, to], colour, width);
      this.stroke([head(0.5), to, head(-0.5)], colour, width);
    }
  }

  private drawLine(ink: Ink): void {
    this.stroke(this.line, css(ink.accent), 2);
    this.context.fillStyle = css(ink.accent, 0.12);
    this.context.fill();
  }

  private place(chart: Chart, z: Vector): [number, number] {
    return this.camera.toPixels(...chart.project(z));
  }

  private stroke(line: [number, number][], colour: string, width: number): void {
    this.context.strokeStyle = colour;
    this.context.lineWidth = width;
    this.context.lineJoin = this.context.lineCap = "round";
    this.context.beginPath();
    for (const [x, y] of line) this.context.lineTo(x, y);
    this.context.stroke();
  }

  private ring([x, y]: [number, number], radius: number, colour: string, width: number): void {
    this.context.strokeStyle = colour;
    this.context.lineWidth = width;
    this.context.beginPath();
    this.context.arc(x, y, radius, 0, 2 * Math.PI);
    this.context.stroke();
  }
}
