import { fill, h } from "../core/dom";
import type { Scope } from "../core/signal";
import type { LatentModel } from "../engine/types";
import { fixed, number, percent, said, t, type Key } from "../texts";
import { modelTitle } from "../texts/words";
import type { Explorer } from "./explorer";

/** What was measured when the model was fitted: continuity and completeness with their intervals, and what the code keeps. */
export function figures(scope: Scope, explorer: Explorer): HTMLElement {
  const body = h("div", { class: "figures-body" });
  scope.watch([explorer.models], () => fill(body, ...explorer.models.value.map((model) => ofModel(model, explorer.models.value.length > 1))));
  return h("details", { class: "figures", open: true }, h("summary", {}, t("figures.title")), body, notes(explorer));
}

/** Figures of the certificate, in this order. */
const MEASURED = ["completeness_prior", "completeness", "completeness_ceiling", "continuity", "density", "coverage"] as const;

/** Figures of the fit, and how they are said. */
const FITTED: [string, Key, (value: number) => string][] = [
  ["variance_kept", "figures.kept", percent],
  ["rate", "figures.rate", (value) => t("figures.nats", { value: number(value) })],
];

function ofModel(model: LatentModel, named: boolean): HTMLElement {
  const measured = MEASURED.flatMap((name) => {
    const figure = model.certificate[name];
    if (!figure) return [];
    const why = figure.value === null && said(figure.reason);
    return [h("dt", { title: t(`figures.${name}.hint`) }, t(`figures.${name}`)), h("dd", {}, why || figureText(figure))];
  });
  const fitted = FITTED.flatMap(([name, key, say]) => {
    const value = model.figures[name];
    return value === null || value === undefined ? [] : [h("dt", {}, t(key)), h("dd", {}, say(value))];
  });
  return h("div", {}, named ? h("h2", {}, modelTitle(model)) : null, h("dl", {}, ...measured, ...fitted));
}

/** In the reader's language, to stand in a sentence. */
export function figureText(figure: LatentModel["certificate"][string] | undefined): string {
  if (!figure || figure.value === null) return t("figures.unknown");
  if (figure.low === null || figure.high === null) return fixed(figure.value);
  return t("figures.interval", { value: fixed(figure.value), low: fixed(figure.low), high: fixed(figure.high) });
}

/** What the export has to say. */
function notes({ pack }: Explorer): HTMLElement {
  const rows = h("p", { class: "note" }, t(pack.holdsRows ? "notes.rows" : "notes.noRows"));
  return h("div", {}, rows, ...pack.notes.map((note) => h("p", { class: "note" }, said(note))));
}
