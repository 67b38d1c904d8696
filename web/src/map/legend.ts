import type { Explorer, Layer } from "../app/explorer";
import { category, css, spread } from "../colour/scales";
import { fill, h } from "../core/dom";
import type { Scope } from "../core/signal";
import { usualRange, written } from "../decoded/distribution";
import type { LatentModel } from "../engine/types";
import { neighbourhood } from "../space/neighbourhood";
import { number, percent, t } from "../texts";

/** What the colours of the map mean: of its layer, and of its points. */
export function legend(scope: Scope, explorer: Explorer, model: LatentModel): HTMLElement {
  const ground = h("p", { class: "legend-line" });
  const points = h("p", { class: "legend-line" });
  const { layer, field, plane, colour, showPoints } = explorer;
  scope.watch([layer, field, plane], () => fill(ground, ...groundParts(explorer, model, layer.value)));
  scope.watch([colour, showPoints], () => fill(points, ...(showPoints.value ? pointParts(explorer, model) : [])));
  return h("div", { class: "legend" }, ground, explorer.pack.models[0].points ? points : null);
}

type Part = Node | string;

function groundParts(explorer: Explorer, model: LatentModel, layer: Layer): Part[] {
  if (layer === "none") return [];
  const chart = explorer.chart(model);
  if (layer === "posterior") return chart.posterior ? ramp("accent", t("legend.few"), t("legend.posterior")) : [t("legend.noPosterior")];
  if (layer === "prior") return ramp("warm", t("legend.seldom"), t("legend.prior"));
  if (layer === "holes") {
    return [h("i", { class: "ramp hatched" }), t("legend.holes", { share: percent(neighbourhood(model).holes) })];
  }
  if (!model.inPage) return [t("legend.far")];
  if (layer === "sensitivity") return ramp("viridis", t("legend.low"), t("legend.high"));
  if (explorer.pack.input.type === "image") return [t("legend.pictures")];
  return fieldParts(explorer);
}

function fieldParts({ pack, field }: Explorer): Part[] {
  const distribution = pack.population[field.value];
  const input = pack.input.type === "row" ? pack.input.fields[field.value] : null;
  if (!distribution || !input) return [];
  if (distribution.labels) return [t("legend.field", { name: input.name }), ...levels(distribution.labels)];
  const [low, high] = usualRange(distribution);
  return [t("legend.field", { name: input.name }), ...ramp("viridis", written(input.kind, low), written(input.kind, high))];
}

function pointParts(explorer: Explorer, model: LatentModel): Part[] {
  const column = model.points?.columns[explorer.colour.value];
  if (!column) return [];
  const name = t("legend.points", { name: column.name });
  if (column.labels) return [name, ...levels(column.labels)];
  const [low, high] = spread(column.values);
  return [name, ...ramp("viridis", number(low), number(high))];
}

function levels(labels: string[]): Part[] {
  return labels.map((label, i) => {
    const dot = h("i", { class: "dot" });
    dot.style.background = css(category(i));
    return h("span", { class: "level" }, dot, label);
  });
}

function ramp(kind: string, low: string, high: string): Part[] {
  return [h("span", {}, low), h("i", { class: `ramp ${kind}` }), h("span", {}, high)];
}
