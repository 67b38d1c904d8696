import type { Explorer } from "../app/explorer";
import { button } from "../core/controls";
import { fill, h } from "../core/dom";
import type { Scope } from "../core/signal";
import { rowBody } from "../map/tip";
import { nearestRows } from "../space/nearest";
import { fixed, t, whole } from "../texts";

const SHOWN = 6;
const LINES = 6;
/** The search waits until the point rests, in milliseconds: among a million rows it takes several frames. */
const REST = 120;

/** The real rows whose codes are nearest to the point. */
export function near(scope: Scope, explorer: Explorer): HTMLElement {
  const list = h("ol", { class: "near" });
  let timer = 0;
  scope.add(() => clearTimeout(timer));
  const search = () => fill(list, ...nearestRows(explorer.main, explorer.code, SHOWN).map((found) => item(explorer, found)));
  scope.watch([explorer.codes], () => {
    clearTimeout(timer);
    timer = window.setTimeout(search, REST);
  });
  search();
  return h("div", {}, h("p", {}, t("near.how")), list);
}

function item(explorer: Explorer, { row, distance }: { row: number; distance: number }): HTMLElement {
  const go = button(t("near.go", { n: whole(row) }), () => explorer.moveToRow(row), { class: "small" });
  return h(
    "li",
    {},
    ...rowBody(explorer.pack, explorer.main, row, LINES),
    h("div", { class: "line" }, go, h("span", { class: "note" }, t("near.distance", { distance: fixed(distance) }))),
  );
}
