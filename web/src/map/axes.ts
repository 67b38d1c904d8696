import { css } from "../colour/scales";
import type { Ink } from "../colour/theme";
import { number } from "../texts";
import type { Camera } from "./camera";

/** Places for ticks: 1, 2 or 5 times a power of ten, about a hundred pixels apart. */
export function tickStep(scale: number, apart = 90): number {
  const rough = apart / scale;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 5].find((factor) => factor * power >= rough) ?? 10);
}

/** Faint lines and numbers at the foot and the left of the map. */
export function drawAxes(context: CanvasRenderingContext2D, camera: Camera, ink: Ink, names: [string, string], font: number): void {
  const step = tickStep(camera.scale, font * 7);
  const [uMin, vMax] = camera.toPlane(0, 0);
  const [uMax, vMin] = camera.toPlane(camera.width, camera.height);
  context.font = `${font}px system-ui, sans-serif`;
  const line = (x1: number, y1: number, x2: number, y2: number, strong: boolean) => {
    context.strokeStyle = css(ink.line, strong ? 1 : 0.5);
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(x1, y1);
    context.lineTo(x2, y2);
    context.stroke();
  };
  for (let u = Math.ceil(uMin / step) * step; u <= uMax; u += step) {
    const x = Math.round(camera.toPixels(u, 0)[0]) + 0.5;
    line(x, 0, x, camera.height, Math.abs(u) < step / 2);
    if (x > font * 4 && x < camera.width - font * 2.5) text(context, ink, number(tidy(u, step)), x, camera.height - font * 0.6, "center");
  }
  for (let v = Math.ceil(vMin / step) * step; v <= vMax; v += step) {
    const y = Math.round(camera.toPixels(0, v)[1]) + 0.5;
    line(0, y, camera.width, y, Math.abs(v) < step / 2);
    if (y > font * 2 && y < camera.height - font * 2.5) text(context, ink, number(tidy(v, step)), font * 0.5, y + font * 0.35, "left");
  }
  text(context, ink, names[0], camera.width - font * 0.5, camera.height - font * 0.6, "right");
  text(context, ink, names[1], font * 0.5, font * 1.3, "left");
}

/** Without what floating point adds to a multiple of the step. */
function tidy(value: number, step: number): number {
  return Math.round(value / step) * step;
}

/** Text with the paper's colour around it, legible on any layer. */
export function text(
  context: CanvasRenderingContext2D,
  ink: Ink,
  words: string,
  x: number,
  y: number,
  align: CanvasTextAlign,
  colour = css(ink.quiet),
): void {
  context.textAlign = align;
  context.lineJoin = "round";
  context.lineWidth = 3.5;
  context.strokeStyle = css(ink.paper, 0.85);
  context.strokeText(words, x, y);
  context.fillStyle = colour;
  context.fillText(words, x, y);
}
