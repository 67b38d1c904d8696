import type { Explorer } from "../app/explorer";
import { button, chips } from "../core/controls";
import { fill, h } from "../core/dom";
import { Signal, type Scope } from "../core/signal";
import type { Vector } from "../core/linear";
import type { LatentModel } from "../engine/types";
import { t } from "../texts";
import { modelTitle } from "../texts/words";
import { cards } from "./answer";

const DRAWN = 12;

/** Random codes, from the fitted prior or from N(0, I), and the rows decoded from them. */
export function samples(scope: Scope, explorer: Explorer): HTMLElement {
  const fitted = new Signal<"fitted" | "prior">("fitted");
  const grids = h("div", { class: "stack grids" });
  const draw = () =>
    fill(
      grids,
      ...explorer.models.value.map((model) => {
        const draws = Array.from({ length: DRAWN }, () => model.sample(fitted.value, explorer.random));
        const shown = answers(explorer, model, draws);
        const title = explorer.models.value.length > 1 ? h("h2", {}, modelTitle(model)) : null;
        return h("div", {}, title, h("div", { class: "cards" }, ...shown));
      }),
    );
  scope.watch([explorer.models, fitted], draw);
  const options = (["fitted", "prior"] as const).map((value) => ({ value, text: t(`samples.${value}`), hint: t(`samples.${value}.hint`) }));
  return h("div", {}, chips(scope, t("samples.from"), options, fitted), grids, button(t("samples.again"), draw, { class: "primary" }));
}

function answers(explorer: Explorer, model: LatentModel, draws: Vector[]): HTMLElement[] {
  const label = (i: number) => t("samples.go", { n: i + 1 });
  const go = (i: number) => explorer.moveTo(draws[i], "sample", model);
  if (!model.inPage) return draws.map((_, i) => button(label(i), () => go(i)));
  return cards(explorer.pack, draws.map((z) => model.decode(z)), label, go);
}
