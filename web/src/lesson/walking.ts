import { button, Slider } from "../core/controls";
import { fill, h } from "../core/dom";
import { between } from "../core/linear";
import { normal } from "../core/random";
import type { LatentModel } from "../engine/types";
import { continuityAt } from "../space/local";
import { nearness } from "../space/nearness";
import { small } from "../tools/answer";
import { fixed, percent, t } from "../texts";
import { modelTitle } from "../texts/words";
import { tellingColumns } from "../space/telling";
import { examples } from "./material";
import { pairOfModels, showPrincipal, type Content, type Room, type Step } from "./parts";

const FRAMES = 8;
const COLUMNS = 3;
/** The row that the way goes to, counted from the first of those that the lesson shows. */
const FAR = 3;

/** Step 5, the paper's fourth figure: a way from A to B in both models, random codes, and K and C where the point is. */
export const walking: Step = {
  missing: (explorer) => (pairOfModels(explorer) ? null : "lesson.missing.pair"),
  build(room: Room): Content {
    const { explorer, scope, finish } = room;
    const { pack } = explorer;
    const models = pairOfModels(explorer)!;
    explorer.mapsShown.value = true;
    explorer.layer.value = "posterior";
    explorer.show(models);
    showPrincipal(explorer);
    scope.add(() => (explorer.walk.value = null));
    const rows = examples(explorer);
    const sides = models.map((model) => ({ model, strip: h("div", { class: "samples-strip" }), figures: h("span", { class: "local" }) }));
    let first = 0;
    const begin = () => {
      const ends = [rows[first % rows.length], rows[(first + FAR) % rows.length]].map((row) => models.map((model) => model.encode(row).mean));
      explorer.walk.value = { from: ends[0], to: ends[1], share: 0 };
      slider.value = 0;
      go(0);
      sides.forEach(({ model, strip }, k) => {
        const decoded = Array.from({ length: FRAMES }, (_, i) => model.decode(between(ends[0][k], ends[1][k], i / (FRAMES - 1))));
        const columns = tellingColumns(pack, decoded, COLUMNS);
        fill(strip, ...decoded.map((row) => small(row, columns)));
      });
    };
    const go = (share: number) => {
      const walk = explorer.walk.value;
      if (!walk) return;
      explorer.walk.value = { ...walk, share };
      explorer.moveAll(walk.from.map((from, k) => between(from, walk.to[k], share)), "walk");
    };
    const slider = new Slider(t("lesson.5.slider"), { low: 0, high: 1, step: 0.01 }, percent, go, (share) => share === 1 && finish());
    const random = () => {
      const noise = Float32Array.from({ length: Math.max(...models.map((model) => model.d)) }, () => normal(explorer.random));
      explorer.moveAll(models.map((model) => noise.slice(0, model.d)), "sample");
    };
    const next = () => {
      first++;
      begin();
    };
    begin();
    scope.watch([explorer.codes, explorer.models], () => {
      if (explorer.models.value.length !== models.length) return;
      sides.forEach(({ model, figures }, k) => (figures.textContent = localWords(room, model, explorer.codes.value[k])));
      sides.forEach(({ strip }) => mark(strip, explorer.cause === "walk" ? (explorer.walk.value?.share ?? -1) : -1));
    });
    const exhibit = h(
      "div",
      { class: "stack" },
      h("div", { class: "line" }, slider.element, button(t("lesson.5.others"), next), button(t("lesson.5.random"), random)),
      h("div", { class: "halves" }, ...sides.map(({ model, strip, figures }) => h("section", { class: "stack tight" }, h("h4", {}, `${modelTitle(model)} `, figures), strip))),
    );
    const answer = () => t("lesson.5.answer", { ofAutoencoder: whole(models[0]), ofVae: whole(models[1]) });
    return { exhibit, answer };
  },
};

/** The certificate's figures of the whole space. */
function whole(model: LatentModel): string {
  const [k, c] = [model.certificate.continuity, model.certificate.completeness_prior ?? model.certificate.completeness].map((figure) => figure?.value);
  return t("lesson.5.figures", { k: typeof k === "number" ? fixed(k) : "–", c: typeof c === "number" ? fixed(c) : "–" });
}

/** K and C at one code: how little changes around it, and how near its decoded row is to real ones. */
function localWords({ explorer }: Room, model: LatentModel, z: Float32Array): string {
  const near = nearness(explorer.pack);
  return t("lesson.5.here", { k: fixed(continuityAt(model, z)), c: near ? fixed(near.share(model, z)) : "–" });
}

function mark(strip: HTMLElement, share: number): void {
  const at = share < 0 ? -1 : Math.round(share * (strip.children.length - 1));
  [...strip.children].forEach((child, i) => child.classList.toggle("chosen", i === at));
}
