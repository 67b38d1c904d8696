import type { Explorer } from "../app/explorer";
import { button, Slider } from "../core/controls";
import { fill, h } from "../core/dom";
import type { Scope } from "../core/signal";
import type { LatentModel } from "../engine/types";
import { fixed, t } from "../texts";

/** A slider goes from the middle of the codes to so many standard deviations on each side, and at least as far as the planes. */
const REACH = 3;
const STEPS = 400;

/** A slider for each dimension that says something, most telling first. */
export function sliders(scope: Scope, explorer: Explorer): HTMLElement {
  const list = h("div", { class: "sliders" });
  let all: Slider[] = [];
  const shown = () => (explorer.main.active.length ? explorer.main.active : explorer.main.dimensionNames.map((_, i) => i));
  scope.build(explorer.models, () => {
    const { dimensionNames } = explorer.main;
    all = shown().map((i) => {
      const [low, high] = reachOf(explorer.main, i);
      const move = (value: number) => {
        const z = explorer.code.slice();
        z[i] = value;
        explorer.moveTo(z, "slider");
      };
      return new Slider(dimensionNames[i], { low, high, step: (high - low) / STEPS }, (value) => fixed(value), move);
    });
    fill(list, ...all.map((slider) => slider.element));
  });
  scope.watch([explorer.models, explorer.codes], () => {
    const active = shown();
    all.forEach((slider, k) => {
      if (document.activeElement !== slider.input || explorer.cause !== "slider") slider.value = explorer.code[active[k]];
    });
  });
  const idle = () => explorer.main.d - explorer.main.active.length;
  const note = h("p", { class: "note" });
  scope.build(explorer.models, () => (note.textContent = idle() > 0 ? t("sliders.idle", { n: idle(), d: explorer.main.d }) : ""));
  return h("div", {}, list, note, button(t("sliders.middle"), () => explorer.moveTo(explorer.main.centre.slice(), "slider")));
}

/** From where to where a dimension's slider goes: a collapsed dimension's codes lie close together, and the map shows far more. */
export function reachOf({ centre, spread, planes }: LatentModel, i: number): [number, number] {
  const corners = planes.flatMap(({ origin, across, up, range: [left, right, bottom, top] }) =>
    [left, right].flatMap((u) => [bottom, top].map((v) => origin[i] + u * across[i] + v * up[i])),
  );
  return [Math.min(centre[i] - REACH * spread[i], ...corners), Math.max(centre[i] + REACH * spread[i], ...corners)];
}
