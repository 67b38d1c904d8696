import { h, s } from "../core/dom";
import type { DecodedSeries, LatentModel, Pack } from "../engine/types";
import { number, t } from "../texts";

const [WIDTH, HEIGHT] = [240, 60];
/** More channels than these are not drawn. */
const MOST = 24;

/** A decoded window of series: a line for each channel, on the scale that the channel has in the data. */
export class LinesView {
  readonly element: HTMLElement;
  private readonly paths: SVGPathElement[][] = [];
  private readonly ends: HTMLElement[] = [];

  constructor(pack: Pack, models: LatentModel[]) {
    const channels = pack.input.type === "series" ? pack.input.channels : [];
    const charts = channels.slice(0, MOST).map((name) => {
      const lines = models.map((_, k) => s("path", { class: `line-of-${k}` }));
      const ends = h("div", { class: "chart-ends" });
      this.paths.push(lines);
      this.ends.push(ends);
      return h("figure", { class: "channel" }, h("figcaption", {}, name), drawing(lines), ends);
    });
    const left = channels.length - charts.length;
    const more = left > 0 ? h("p", { class: "note" }, t("decoded.moreChannels", { n: left })) : null;
    this.element = h("div", { class: "lines-view", tabindex: "0", role: "region", "aria-label": t("decoded.series") }, ...charts, more);
  }

  show(windows: DecodedSeries[]): void {
    this.paths.forEach((lines, c) => {
      const every = windows.map((window) => window.channels[c]);
      const low = Math.min(...every.map((channel) => Math.min(channel.low, ...channel.values)));
      const high = Math.max(...every.map((channel) => Math.max(channel.high, ...channel.values)));
      every.forEach(({ values }, k) => lines[k].setAttribute("d", lineOf(values, low, high)));
      this.ends[c].textContent = t("decoded.between", { low: number(low), high: number(high) });
    });
  }
}

function drawing(lines: SVGPathElement[]): SVGElement {
  return s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", class: "lines-chart", "aria-hidden": "true" }, ...lines);
}

/** A line through values at equal steps, the lowest at the bottom. */
export function lineOf(values: Float64Array, low: number, high: number, width = WIDTH, height = HEIGHT): string {
  const across = width / Math.max(1, values.length - 1);
  const up = (value: number) => height - 1 - ((value - low) / (high - low || 1)) * (height - 2);
  return Array.from(values, (value, i) => `${i ? "L" : "M"}${(i * across).toFixed(1)} ${up(value).toFixed(1)}`).join("");
}

/** A window as a small drawing: all channels on their own scales, one above the other. */
export function card(window: DecodedSeries): SVGElement {
  const shown = window.channels.slice(0, 4);
  const height = HEIGHT / shown.length;
  const lines = shown.map(({ values, low, high }, c) => {
    const line = s("path", { class: "line-of-0", transform: `translate(0 ${c * height})` });
    line.setAttribute("d", lineOf(values, Math.min(low, ...values), Math.max(high, ...values), WIDTH, height));
    return line;
  });
  return drawing(lines);
}
