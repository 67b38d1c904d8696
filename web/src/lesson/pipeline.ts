import type { Explorer } from "../app/explorer";
import { fill, h, s } from "../core/dom";
import type { Vector } from "../core/linear";
import type { Decoded, LatentModel } from "../engine/types";
import { coordinates, percent, plural, t } from "../texts";
import { Portrait, shownColumns } from "./parts";

/** More numbers of a code than these are not drawn. */
const BARS = 32;
const [WIDTH, HEIGHT] = [96, 120];
/** A bar is as high as the drawing at so many standard deviations. */
const REACH = 3;

/** The paper's first figure, at work: input, encoder, code, decoder, output. */
export class Pipeline {
  readonly element: HTMLElement;
  private readonly input: Portrait;
  private readonly output: Portrait;
  private readonly code = h("figure", { class: "code" });

  constructor(explorer: Explorer) {
    const columns = shownColumns(explorer);
    this.input = new Portrait(explorer.pack, t("pipeline.input"), columns);
    this.output = new Portrait(explorer.pack, t("pipeline.output"), columns);
    this.element = h("div", { class: "pipeline" }, this.input.element, network(t("pipeline.encoder"), 1), this.code, network(t("pipeline.decoder"), -1), this.output.element);
  }

  show(model: LatentModel, input: Decoded, z: Vector, output: Decoded, original: Decoded = input): void {
    this.input.show(input, original);
    this.output.show(output, original);
    fill(this.code, h("figcaption", {}, plural("pipeline.one", "pipeline.many", model.d)), bars(model, z));
  }
}

/** A network as the paper draws it: narrower towards the code. */
function network(name: string, towards: 1 | -1): HTMLElement {
  const [left, right] = towards === 1 ? [4, 32] : [32, 4];
  const shape = s("path", { d: `M2 ${left}L58 ${right}V${100 - right}L2 ${100 - left}Z` });
  return h("div", { class: "network" }, s("svg", { viewBox: "0 0 60 100", preserveAspectRatio: "none", "aria-hidden": "true" }, shape), h("span", {}, name));
}

/** Each number of the code as a bar from the middle, in standard deviations of the codes. */
function bars(model: LatentModel, z: Vector): SVGElement {
  const shown = Math.min(model.d, BARS);
  const step = WIDTH / shown;
  const parts = Array.from({ length: shown }, (_, i) => {
    const far = (z[i] - model.centre[i]) / Math.max(model.spread[i], 1e-6) / REACH;
    const height = (Math.max(-1, Math.min(1, far)) * HEIGHT) / 2;
    return s("rect", { x: i * step + step * 0.1, width: step * 0.8, y: HEIGHT / 2 - Math.max(0, height), height: Math.max(1, Math.abs(height)) });
  });
  const axis = s("path", { d: `M0 ${HEIGHT / 2}H${WIDTH}` });
  return s("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "code-bars", role: "img", "aria-label": t("pipeline.code", { code: coordinates(z) }) }, axis, ...parts);
}

/** An error as a bar, beside what is usual for rows of the data. */
export class Gauge {
  private readonly bar = h("i", {});
  private readonly mark = h("b", {});
  private readonly words = h("span", { class: "gauge-words" });
  readonly element = h("div", { class: "gauge" }, this.words, h("span", { class: "gauge-bar", "aria-hidden": "true" }, this.bar, this.mark));

  constructor(
    private readonly title: string,
    private readonly key: "gauge.usual" | "gauge.mean",
    private readonly most: number,
  ) {}

  show(error: number, usual: number): void {
    const most = Math.max(this.most, error, 1e-9);
    this.bar.style.width = `${(100 * error) / most}%`;
    this.mark.style.left = `${(100 * usual) / most}%`;
    this.bar.classList.toggle("far", error > usual && this.key === "gauge.usual");
    fill(this.words, h("strong", {}, `${this.title}: ${percent(error)}`), ` · ${t(this.key, { usual: percent(usual) })}`);
  }
}
