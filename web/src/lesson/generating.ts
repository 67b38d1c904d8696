import { button, chips } from "../core/controls";
import { fill, h } from "../core/dom";
import type { Vector } from "../core/linear";
import { normal } from "../core/random";
import { Signal } from "../core/signal";
import { FieldChart } from "../decoded/chart";
import type { Decoded, DecodedRow, LatentModel, Pack } from "../engine/types";
import { nearness } from "../space/nearness";
import { small } from "../tools/answer";
import { percent, t, whole } from "../texts";
import { modelTitle } from "../texts/words";
import { pairOfModels, shownColumns, type Content, type Room, type Step } from "./parts";

const DRAWN = 24;
/** For the distribution of a column, 24 rows are few: so many more are drawn with them. */
const MORE = 10;
const COLUMNS = 9;

/** Step 3, the paper's second figure: the same draws of N(0, I), decoded by an autoencoder and by a VAE, and hits counted. */
export const generating: Step = {
  missing: (explorer) => (pairOfModels(explorer) ? null : "lesson.missing.pair"),
  build(room: Room): Content {
    const { explorer, scope, finish } = room;
    const models = pairOfModels(explorer)!;
    explorer.mapsShown.value = false;
    const sides = models.map((model) => new Side(explorer.pack, model, shownColumns(explorer, COLUMNS)));
    const from = new Signal<"prior" | "fitted">("prior");
    const generate = () => {
      const d = Math.max(...models.map((model) => model.d));
      const noise = Array.from({ length: DRAWN * MORE }, () => Float32Array.from({ length: d }, () => normal(explorer.random)));
      sides.forEach((side) => side.show(noise, from.value, explorer.random));
      if (from.value === "prior") finish();
    };
    scope.follow(from, () => sides.forEach((side) => side.clear()));
    const options = (["prior", "fitted"] as const).map((value) => ({ value, text: t(`samples.${value}`), hint: t(`samples.${value}.hint`) }));
    const exhibit = h(
      "div",
      { class: "stack" },
      h("div", { class: "line" }, button(t("lesson.3.generate", { n: DRAWN }), generate, { class: "primary" }), chips(scope, t("samples.from"), options, from)),
      h("div", { class: "halves" }, ...sides.map((side) => side.element)),
      h("p", { class: "note" }, t("lesson.3.how")),
    );
    const [autoencoder, vae] = sides;
    const answer = () =>
      t("lesson.3.answer", { n: DRAWN, autoencoder: autoencoder.tally(), vae: vae.tally(), ofAutoencoder: autoencoder.share(), ofVae: vae.share() });
    return { exhibit, answer };
  },
};

/** One model's answers to the draws. */
class Side {
  readonly element: HTMLElement;
  private readonly shown = h("div", { class: "generated" });
  private readonly count = h("p", { class: "tally", role: "status" });
  private readonly charts: ColumnChart[];
  private readonly near;
  private hits = 0;
  private total = { hits: 0, draws: 0 };

  constructor(
    pack: Pack,
    private readonly model: LatentModel,
    columns: number[],
  ) {
    this.near = nearness(pack);
    this.charts = pack.input.type === "row" ? columns.map((column) => new ColumnChart(pack, column)) : [];
    this.element = h("section", { class: "side-of-two" }, h("h4", {}, modelTitle(model)), this.count, this.shown);
    this.clear();
  }

  clear(): void {
    this.total = { hits: 0, draws: 0 };
    this.count.textContent = "";
    const empty = Array.from({ length: this.charts.length ? 0 : DRAWN }, () => h("span", { class: "draw empty" }));
    fill(this.shown, ...this.charts.map(({ element }) => element), ...empty);
  }

  /** The first 24 draws are shown and counted; the distribution of a column takes all. */
  show(noise: Vector[], from: "prior" | "fitted", random: () => number): void {
    const code = (z: Vector) => (from === "prior" ? z.slice(0, this.model.d) : this.model.sample("fitted", random));
    const codes = noise.slice(0, this.charts.length ? noise.length : DRAWN).map(code);
    const decoded = codes.map((z) => this.model.decode(z));
    const good = codes.slice(0, DRAWN).map((z) => this.near?.isNear(this.model, z, random) ?? false);
    this.hits = good.filter(Boolean).length;
    this.total = { hits: this.total.hits + this.hits, draws: this.total.draws + DRAWN };
    this.count.textContent = this.near ? t("lesson.3.tally", { hits: this.hits, n: DRAWN, share: this.share(), draws: whole(this.total.draws) }) : "";
    if (this.charts.length) this.charts.forEach((chart) => chart.show(decoded as DecodedRow[]));
    else fill(this.shown, ...decoded.map((row, i) => draw(row, good[i])));
  }

  tally(): string {
    return this.near ? whole(this.hits) : "–";
  }

  share(): string {
    return percent(this.total.draws ? this.total.hits / this.total.draws : 0);
  }
}

function draw(row: Decoded, isHit: boolean): HTMLElement {
  return h("span", { class: `draw ${isHit ? "hit" : "miss"}`, title: t(isHit ? "lesson.3.hit" : "lesson.3.miss") }, small(row, []));
}

/** How the generated values of a column are distributed, in front of those of all rows: the mean of the decoded distributions. */
class ColumnChart {
  readonly element: HTMLElement;
  private readonly chart: FieldChart;

  constructor(
    private readonly pack: Pack,
    private readonly column: number,
  ) {
    const { input } = pack;
    this.chart = new FieldChart(pack.population[column], 1, input.type === "row" ? input.fields[column].kind : "real");
    this.element = h("figure", { class: "draw-column" }, h("figcaption", {}, input.type === "row" ? input.fields[column].name : ""), this.chart.element);
  }

  show(rows: DecodedRow[]): void {
    const { column } = this;
    const probability = Float64Array.from(this.pack.population[column].probability, (_, bin) => rows.reduce((sum, row) => sum + row.fields[column].distribution.probability[bin], 0) / rows.length);
    this.chart.show([{ ...rows[0].fields[column], distribution: { ...this.pack.population[column], probability } }]);
  }
}
