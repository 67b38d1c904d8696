import type { Explorer, Gesture, Layer } from "../app/explorer";
import { button, chips, dropdown, toggle, type Option } from "../core/controls";
import { h } from "../core/dom";
import type { Scope } from "../core/signal";
import type { LatentModel } from "../engine/types";
import type { PlaneChoice } from "../space/plane";
import { t } from "../texts";
import { planeTitle } from "../texts/words";
import type { MapView } from "./map";
import { rowsPlane } from "./rows-plane";

/** Pairs of this many of the most telling dimensions are offered. */
const PAIRED = 6;

/** What the maps show, for all of them together. It offers what the pack's own model has, and stays as other ones are shown. */
export function toolbar(scope: Scope, explorer: Explorer, maps: () => MapView[]): HTMLElement {
  const [model] = explorer.pack.models;
  return h(
    "div",
    { class: "toolbar" },
    h("div", { class: "toolbar-row" }, chips(scope, t("layer.title"), layerOptions(explorer), explorer.layer), zoom(maps)),
    h(
      "details",
      { class: "settings" },
      h("summary", {}, t("toolbar.more")),
      h(
        "div",
        { class: "toolbar-row" },
        model.d > 2 ? planes(scope, explorer) : null,
        explorer.pack.input.type === "row" ? fields(scope, explorer) : null,
        ...pointControls(scope, explorer),
        gestures(scope, explorer),
      ),
    ),
  );
}

function layerOptions({ pack }: Explorer): Option<Layer>[] {
  const [main] = pack.models;
  const known = main.planes.some((plane) => plane.posterior) || main.points;
  const option = (value: Exclude<Layer, "decoded">): Option<Layer> => ({ value, text: t(`layer.${value}`), hint: t(`layer.${value}.hint`) });
  return [
    ...(known ? [option("posterior")] : []),
    option("prior"),
    option("holes"),
    ...(main.inPage ? [option("sensitivity")] : []),
    ...(main.inPage && pack.input.type !== "series" ? [pictures(pack.input.type === "image")] : []),
    option("none"),
  ];
}

function pictures(image: boolean): Option<Layer> {
  return image
    ? { value: "decoded", text: t("layer.pictures"), hint: t("layer.pictures.hint") }
    : { value: "decoded", text: t("layer.column"), hint: t("layer.column.hint") };
}

/** The planes that came with the pack, then pairs of dimensions, then one through rows. */
export function planeChoices(model: LatentModel): PlaneChoice[] {
  const given = model.planes.map((_, index): PlaneChoice => ({ kind: "given", index }));
  const there = new Set(model.planes.map((plane) => String(plane.dimensions)));
  const telling = model.active.slice(0, PAIRED);
  const pairs = telling.flatMap((across, i) =>
    telling
      .slice(i + 1)
      .filter((up) => !there.has(String([across, up])) && !there.has(String([up, across])))
      .map((up): PlaneChoice => ({ kind: "pair", across, up })),
  );
  return [...given, ...pairs];
}

function planes(scope: Scope, explorer: Explorer): HTMLElement {
  const [model] = explorer.pack.models;
  const options = planeChoices(model).map((value) => ({ value, text: planeTitle(model, value) }));
  const choose = dropdown(scope, t("plane.title"), options, explorer.plane);
  return h("div", { class: "planes" }, choose, model.points && model.points.count > 2 ? rowsPlane(explorer) : null);
}

function fields(scope: Scope, explorer: Explorer): HTMLElement {
  const { input } = explorer.pack;
  const options = input.type === "row" ? input.fields.map((field, value) => ({ value, text: field.name })) : [];
  const element = dropdown(scope, t("field.title"), options, explorer.field);
  scope.watch([explorer.layer], () => (element.hidden = explorer.layer.value !== "decoded"));
  return element;
}

function pointControls(scope: Scope, explorer: Explorer): HTMLElement[] {
  const { points } = explorer.pack.models[0];
  if (!points) return [];
  const columns = points.columns.map((column, value) => ({ value, text: column.name }));
  return [
    toggle(scope, t("points.show"), explorer.showPoints),
    dropdown(scope, t("points.colour"), [{ value: -1, text: t("points.plain") }, ...columns], explorer.colour),
  ];
}

function gestures(scope: Scope, explorer: Explorer): HTMLElement {
  const option = (value: Gesture): Option<Gesture> => ({ value, text: t(`gesture.${value}`), hint: t(`gesture.${value}.hint`) });
  const offered: Gesture[] = explorer.pack.models[0].points ? ["move", "pan", "lasso"] : ["move", "pan"];
  return chips(scope, t("gesture.title"), offered.map(option), explorer.gesture);
}

function zoom(maps: () => MapView[]): HTMLElement {
  const one = (text: string, label: string, act: (map: MapView) => void) =>
    button(text, () => maps().forEach(act), { class: "small", "aria-label": label, title: label });
  return h(
    "div",
    { class: "zoom", role: "group", "aria-label": t("zoom.title") },
    one("+", t("zoom.in"), (map) => map.zoom(1.5)),
    one("−", t("zoom.out"), (map) => map.zoom(1 / 1.5)),
    one("⤢", t("zoom.reset"), (map) => map.reset()),
  );
}
