import { Slider } from "../core/controls";
import { fill, h } from "../core/dom";
import { normal, seeded } from "../core/random";
import type { LatentModel, Pack } from "../engine/types";
import { nearness } from "../space/nearness";
import { spreadOver } from "../space/neighbourhood";
import { small } from "../tools/answer";
import { fixed, number, percent, t } from "../texts";
import { interpolated, lineChart } from "./curves";
import { turnedTo } from "../space/turned";
import { Flow } from "./flow";
import { asDecoded, divergence, errorsOf, examples, mean, rebuilt } from "./material";
import { shownColumns, type Content, type Room, type Step } from "./parts";
import { coloursOf } from "./snapshots";

const ROWS = 500;
const DRAWS = 100;
const SHOWN = 6;
const COLUMNS = 3;

/** Step 6: β from an autoencoder to a collapsed model. All rows move, and three curves and C and K follow. */
export const regularisation: Step = {
  missing: ({ pack }) => (pack.lesson && pack.lesson.regularisation.length > 1 ? null : "lesson.missing.models"),
  build(room: Room): Content {
    const { explorer, scope, finish } = room;
    const { pack } = explorer;
    explorer.mapsShown.value = false;
    const models = [...pack.lesson!.regularisation].sort((a, b) => (a.beta ?? 0) - (b.beta ?? 0));
    const last = models.length - 1;
    const betas = models.map((model) => number(model.beta ?? 0));
    const errors = models.map((model) => mean(errorsOf(explorer, model)));
    const rates = models.map((model) => rateOf(model, room));
    const hits = models.map((model) => hitsOf(pack, model));
    const charts = [
      lineChart(t("curve.reconstruction"), errors, percent, betas),
      lineChart(t("curve.kl"), rates, (value) => t("figures.nats", { value: fixed(value) }), betas),
      lineChart(t("curve.hits"), hits, percent, betas),
    ];
    const places = spreadOver(pack.models[0].points?.count ?? 0, ROWS);
    const flow = new Flow(scope, framesOf(pack, models, places), coloursOf(explorer, places), t("lesson.6.map"), 0);
    const space = h("p", { class: "space-figures", role: "status" });
    const pictures = h("div", { class: "samples-strip" });
    const columns = shownColumns(explorer, COLUMNS);
    const row = examples(explorer)[0];
    let shown = -1;
    const show = (place: number) => {
      flow.show(place);
      charts.forEach((chart) => chart.choose(place));
      space.textContent = t("lesson.6.space", { c: said(pack, "completeness", place), k: said(pack, "continuity", place) });
      const nearest = Math.round(place);
      if (nearest === shown) return;
      shown = nearest;
      const drawn = draws(models[nearest], SHOWN).map((z) => models[nearest].decode(z));
      fill(pictures, small(asDecoded(pack, row), columns), small(rebuilt(models[nearest], row), columns), ...drawn.map((one) => small(one, columns)));
    };
    const say = (place: number) => t("lesson.6.beta", { beta: betas[Math.round(place)] });
    const slider = new Slider(t("lesson.6.slider"), { low: 0, high: last, step: 0.02 }, say, show, (place) => place === last && finish());
    slider.value = 0;
    show(0);
    const exhibit = h(
      "div",
      { class: "stack" },
      slider.element,
      h("div", { class: "film" }, flow.element, h("div", { class: "stack tight" }, ...charts.map((chart) => chart.element), space)),
      h("div", { class: "stack tight" }, h("p", { class: "note" }, t("lesson.6.strip")), pictures),
    );
    const answer = () =>
      t("lesson.6.answer", {
        rate: fixed(rates[last] ?? 0),
        c: said(pack, "completeness", last),
        k: said(pack, "continuity", last),
        least: percent(errors[0]),
        error: percent(errors[last]),
      });
    return { exhibit, answer };
  },
};

function said({ lesson }: Pack, name: "completeness" | "continuity", place: number): string {
  const value = interpolated(lesson!.curves.length ? lesson!.curves.map((curve) => curve[name]) : [null], place);
  return value === null ? "–" : fixed(value);
}

/** Mean KL of the rows; an autoencoder has none. */
function rateOf(model: LatentModel, { explorer }: Room): number | null {
  if (!model.stochastic) return null;
  return mean(
    examples(explorer, DRAWS).map((input) => {
      const q = model.encode(input);
      return divergence(q.mean, q.sd);
    }),
  );
}

/** The same draws of N(0, I) for every model. */
function draws(model: LatentModel, count: number): Float32Array[] {
  const random = seeded(61);
  return Array.from({ length: count }, () => Float32Array.from({ length: model.d }, () => normal(random)));
}

function hitsOf(pack: Pack, model: LatentModel): number | null {
  const near = nearness(pack);
  const random = seeded(67);
  return near && mean(draws(model, DRAWS).map((z) => Number(near.isNear(model, z, random))));
}

/** The codes of the same rows in each model, turned so that they move as little as possible. */
function framesOf(pack: Pack, models: LatentModel[], rows: number[]): Float32Array[] {
  const inputs = rows.map((row) => pack.models[0].points!.input(row)!);
  const frames = models.map((model) => Float32Array.from(inputs.flatMap((input) => [...model.encode(input).mean.subarray(0, 2)])));
  return frames.reduce<Float32Array[]>((turned, frame) => [...turned, turned.length ? turnedTo(frame, turned[turned.length - 1]) : frame], []);
}
