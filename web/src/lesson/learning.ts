import type { Explorer } from "../app/explorer";
import { button } from "../core/controls";
import { fill, h } from "../core/dom";
import { along, type Vector } from "../core/linear";
import { normal } from "../core/random";
import type { EncodeInput, LatentModel } from "../engine/types";
import { descent } from "../space/sensitivity";
import { small } from "../tools/answer";
import { coordinates, number, t } from "../texts";
import { modelTitle } from "../texts/words";
import { asDecoded, divergence, squaredError } from "./material";
import { Sequence } from "./lesson";
import { modelThat, pairOfModels, Portrait, shownColumns, showPrincipal, type Content, type Room, type Step } from "./parts";
import { snapshots } from "./snapshots";
import { Rows } from "./source";

const SAMPLES = 8;
const COLUMNS = 3;

/** Step 4, the paper's third figure: the same row as a point and as a cloud, and the four steps by which a VAE learns. */
export const learning: Step = {
  missing: (explorer) => (modelThat(explorer, true) ? null : "lesson.missing.vae"),
  build(room: Room): Content {
    const { explorer, scope, finish } = room;
    const vae = modelThat(explorer, true)!;
    const models = pairOfModels(explorer) ?? [vae];
    explorer.mapsShown.value = true;
    explorer.layer.value = "posterior";
    explorer.show(models);
    showPrincipal(explorer);
    const run = new LearningRun(explorer, vae);
    const four = new FourSteps(run, finish);
    const columns = shownColumns(explorer, COLUMNS);
    const portrait = new Portrait(explorer.pack, t("lesson.original"), shownColumns(explorer));
    const strips = models.map((model) => ({ model, shown: h("div", { class: "samples-strip" }) }));
    const resample = () => {
      for (const { model, shown } of strips) {
        const { mean, sd } = model.encode(run.row);
        const codes = Array.from({ length: SAMPLES }, () => mean.map((value, i) => value + sd[i] * normal(explorer.random)));
        fill(shown, ...codes.map((z) => small(model.decode(z), columns)));
      }
    };
    const rows = new Rows(explorer, (row) => {
      run.begin(row);
      four.restart();
      portrait.show(asDecoded(explorer.pack, row));
      resample();
    });
    scope.add(() => run.leave());
    rows.choose(0);
    const drawn = strips.flatMap(({ model, shown }) => [h("h4", {}, modelTitle(model)), shown]);
    const clouds = h("section", { class: "stack" }, h("div", { class: "line" }, rows.element, button(t("lesson.4.resample"), resample)), h("div", { class: "cloud-row" }, portrait.element, h("div", { class: "stack tight" }, ...drawn)));
    const film = snapshots(scope, explorer);
    const exhibit = h("div", { class: film ? "halves" : "stack" }, clouds, film);
    return { exhibit, controls: [four.element], answer: () => t("lesson.4.answer") };
  },
};

/** The four buttons, and what each of them computed. */
class FourSteps {
  readonly element: HTMLElement;
  private readonly sequence = new Sequence();
  private readonly buttons: HTMLButtonElement[];
  private readonly outputs = [0, 1, 2, 3].map(() => h("p", { class: "result", role: "status" }));
  private readonly items: HTMLElement[];

  constructor(
    private readonly run: LearningRun,
    private readonly finish: () => void,
  ) {
    this.buttons = ([0, 1, 2, 3] as const).map((i) => button(t(`lesson.4.do.${i}`), () => this.take(i), { class: "primary" }));
    this.items = this.buttons.map((one, i) => h("li", {}, one, this.outputs[i]));
    this.element = h("ol", { class: "learning" }, ...this.items);
  }

  restart(): void {
    this.sequence.restart();
    this.clear(0);
  }

  private take(i: number): void {
    if (!this.sequence.take(i)) return;
    this.clear(i + 1);
    this.outputs[i].textContent = this.run.acts[i]();
    if (i === 3) this.finish();
  }

  /** What comes after a step is of another draw now. */
  private clear(from: number): void {
    const { reached } = this.sequence;
    this.outputs.slice(from).forEach((output) => (output.textContent = ""));
    this.buttons.forEach((one, i) => one.setAttribute("aria-disabled", String(i > reached)));
    this.items.forEach((item, i) => item.classList.toggle("done", i < reached));
  }
}

/** How far a step of learning may move the code, in standard deviations of the codes, and how often it is halved. */
const STRIDE = 0.5;
const HALVINGS = 6;

/** The standard deviation of a cloud in one direction. */
function width(sd: Vector, way: Vector): number {
  return Math.sqrt(sd.reduce((sum, value, i) => sum + (value * way[i]) ** 2, 0));
}

/** How much of the map is shown around a cloud, in its standard deviations. */
const AROUND = 7;

/** The numbers of one row's pass through the model. */
class LearningRun {
  row!: EncodeInput;
  private z!: Vector;
  private mean!: Vector;
  private sd!: Vector;
  readonly acts = [() => this.encode(), () => this.sample(), () => this.measure(), () => this.propagate()];

  constructor(
    private readonly explorer: Explorer,
    private readonly model: LatentModel,
  ) {}

  begin(row: EncodeInput): void {
    this.row = row;
    const { mean, sd } = this.model.encode(row);
    [this.mean, this.sd, this.z] = [mean, sd, mean];
    this.explorer.moveAll(this.explorer.models.value.map((model) => model.encode(row).mean), "lesson");
    this.explorer.marks.value = { model: this.model, cloud: { mean, sd } };
    const { across, up } = this.explorer.chart(this.model).plane;
    const reach = AROUND * Math.max(width(sd, across), width(sd, up));
    this.explorer.frames.value = this.explorer.models.value.map((model) => this.frame(model, reach));
  }

  /** The map of another model is enlarged as much: there a row stays a point. */
  private frame(model: LatentModel, reach: number): { model: LatentModel; middle: Vector; reach: number } {
    const wide = (one: LatentModel) => Math.max(...one.spread);
    return { model, middle: model.encode(this.row).mean, reach: (reach * wide(model)) / wide(this.model) };
  }

  leave(): void {
    this.explorer.marks.value = null;
    this.explorer.frames.value = [];
  }

  private encode(): string {
    this.go(this.mean);
    return t("lesson.4.encoded", { mean: coordinates(this.mean, 2), sd: coordinates(this.sd, 2), rate: number(divergence(this.mean, this.sd)) });
  }

  private sample(): string {
    const noise = Float32Array.from(this.mean, () => normal(this.explorer.random));
    this.z = this.mean.map((value, i) => value + this.sd[i] * noise[i]);
    this.go(this.z);
    return t("lesson.4.sampled", { z: coordinates(this.z, 2) });
  }

  private measure(): string {
    return t("lesson.4.measured", { error: number(this.error(this.z)), rate: number(divergence(this.mean, this.sd)) });
  }

  /** Where the error falls, and a step that way, shortened until it does fall. */
  private propagate(): string {
    const before = this.error(this.z);
    const pull = descent((z) => this.error(z), this.z, this.model.spread);
    const length = STRIDE * Math.max(...this.model.spread);
    const from = this.z;
    for (let i = 0, step = length / (Math.hypot(...pull) || 1); i < HALVINGS && this.z === from; i++, step /= 2) {
      const tried = along(from, pull, step);
      if (this.error(tried) < before) this.z = tried;
    }
    this.explorer.marks.value = { model: this.model, cloud: { mean: this.mean, sd: this.sd }, arrow: { from, to: this.z } };
    this.go(this.z);
    return t("lesson.4.propagated", { before: number(before, 4), after: number(this.error(this.z), 4) });
  }

  private error(z: Vector): number {
    return squaredError(this.explorer.pack, this.row, this.model.decode(z));
  }

  /** Only the VAE's point moves: an autoencoder has one code for the row. */
  private go(z: Vector): void {
    this.explorer.moveAll(this.explorer.models.value.map((model) => (model === this.model ? z : model.encode(this.row).mean)), "lesson");
  }
}
