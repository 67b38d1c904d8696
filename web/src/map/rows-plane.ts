import type { Explorer } from "../app/explorer";
import { button } from "../core/controls";
import { h } from "../core/dom";
import { t, whole } from "../texts";

/** Three rows make a plane: their numbers, as the map and the list of near rows say them. */
export function rowsPlane(explorer: Explorer): HTMLElement {
  const last = explorer.main.points!.count - 1;
  const said = h("p", { class: "note", role: "status" });
  const inputs = [0, 1, 2].map((i) =>
    h("input", { type: "number", min: 0, max: last, step: 1, value: i, "aria-label": t("plane.row", { n: i + 1 }) }),
  );
  const show = () => {
    const rows = inputs.map((input) => Number(input.value)) as [number, number, number];
    const fine = rows.every((row) => Number.isInteger(row) && row >= 0 && row <= last) && new Set(rows).size === 3;
    said.textContent = fine ? "" : t("plane.wrong", { last: whole(last) });
    if (!fine) return;
    explorer.plane.value = { kind: "rows", rows };
    explorer.moveToRow(rows[0]);
  };
  return h(
    "details",
    { class: "rows-plane" },
    h("summary", {}, t("plane.through")),
    h("div", { class: "line" }, ...inputs, button(t("plane.show"), show)),
    said,
  );
}
