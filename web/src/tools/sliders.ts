import type { Explorer } from "../app/explorer";
import { button, Slider } from "../core/controls";
import { fill, h } from "../core/dom";
import type { Scope } from "../core/signal";
import { fixed, t } from "../texts";

/** A slider goes from the middle of the codes to so many standard deviations on each side. */
const REACH = 3;

/** A slider for each dimension that says something, most telling first. */
export function sliders(scope: Scope, explorer: Explorer): HTMLElement {
  const list = h("div", { class: "sliders" });
  let all: Slider[] = [];
  const shown = () => (explorer.main.active.length ? explorer.main.active : explorer.main.dimensionNames.map((_, i) => i));
  scope.build(explorer.models, () => {
    const { centre, spread, dimensionNames } = explorer.main;
    all = shown().map((i) => {
      const low = centre[i] - REACH * spread[i];
      const high = centre[i] + REACH * spread[i];
      const move = (value: number) => {
        const z = explorer.code.slice();
        z[i] = value;
        explorer.moveTo(z, "slider");
      };
      return new Slider(dimensionNames[i], { low, high, step: (high - low) / 400 }, (value) => fixed(value), move);
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
