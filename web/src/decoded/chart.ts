import { h, s } from "../core/dom";
import type { DecodedField, ColumnDistribution, Kind } from "../engine/types";
import { rebinned, usualRange, written } from "./distribution";

const [WIDTH, HEIGHT] = [240, 52];
const BINS = 30;
/** More levels than these are drawn as the most frequent ones. */
const LEVELS = 14;
/** More names than these do not fit below the bars. */
const NAMED = 5;

/** One column: its distribution in all rows in grey, and the decoded distribution at the point in colour. */
export class FieldChart {
  readonly element: HTMLElement;
  private readonly behind = s("path", { class: "population" });
  private readonly distributions: SVGPathElement[];
  private readonly shares: (distribution: ColumnDistribution) => Float64Array;

  constructor(population: ColumnDistribution, models: number, kind: Kind = "real") {
    this.distributions = Array.from({ length: models }, (_, k) => s("path", { class: `distribution-of-${k}` }));
    const drawing = s(
      "svg",
      { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", class: "field-chart", "aria-hidden": "true" },
      this.behind,
      ...this.distributions,
    );
    this.element = h("div", { class: "chart" }, drawing, h("div", { class: "chart-ends" }, ...ends(population, kind).map((text) => h("span", {}, text))));
    this.shares = isDiscrete(population) ? levels(population) : bins(population);
    this.behind.setAttribute("d", bars(this.shares(population), 0));
  }

  show(fields: (DecodedField | undefined)[]): void {
    fields.forEach((field, k) => field && this.distributions[k].setAttribute("d", bars(this.shares(field.distribution), 1)));
  }
}

/** What stands below a chart: the ends of its scale, or the levels of few bars. */
function ends(population: ColumnDistribution, kind: Kind): string[] {
  if (!isDiscrete(population)) return usualRange(population).map((value) => written(kind, value));
  const { labels, low, high } = population;
  const most = frequent(population);
  const name = (bin: number) => labels?.[bin] ?? written(kind, (low[bin] + high[bin]) / 2);
  return (most.length > NAMED ? [most[0], most[most.length - 1]] : most).map(name);
}

/** Whether each bin is a value of its own, so that bars are drawn side by side: levels, and few numbers. */
function isDiscrete({ labels, low, high }: ColumnDistribution): boolean {
  return labels !== null || (low.length <= LEVELS && low.every((value, bin) => value === high[bin] || high[bin] - value === 1));
}

function frequent({ probability }: ColumnDistribution): number[] {
  return [...probability.keys()]
    .sort((a, b) => probability[b] - probability[a])
    .slice(0, LEVELS)
    .sort((a, b) => a - b);
}

function levels(population: ColumnDistribution): (distribution: ColumnDistribution) => Float64Array {
  const most = frequent(population);
  return (distribution) => Float64Array.from(most, (level) => distribution.probability[level]);
}

function bins(population: ColumnDistribution): (distribution: ColumnDistribution) => Float64Array {
  const [low, high] = usualRange(population);
  return (distribution) => rebinned(distribution, low, high, BINS);
}

/** Filled bars (inset 0), or narrower ones in front of them (inset 1), the highest as high as the chart. */
function bars(shares: Float64Array, inset: number): string {
  const most = Math.max(...shares) || 1;
  const width = WIDTH / shares.length;
  const gap = Math.min(width * 0.1 + inset * width * 0.15, 3);
  let path = "";
  shares.forEach((share, i) => {
    const height = (share / most) * (HEIGHT - 1);
    if (height > 0.2)
      path += `M${(i * width + gap).toFixed(1)} ${HEIGHT}v${(-height).toFixed(1)}h${(width - 2 * gap).toFixed(1)}v${height.toFixed(1)}z`;
  });
  return path;
}
