import type { Explorer } from "../app/explorer";
import { button } from "../core/controls";
import { fill, h } from "../core/dom";
import type { Scope } from "../core/signal";
import { composition } from "../space/lasso";
import { number, percent, plural, t } from "../texts";

const LEVELS = 5;

/** What the rows inside the line are. */
export function selectionNote(scope: Scope, explorer: Explorer): HTMLElement {
  const bar = h("div", { class: "selection", role: "status" });
  const { selection, colour } = explorer;
  scope.watch([selection, colour], () => {
    const rows = selection.value;
    bar.hidden = !rows;
    if (!rows) return fill(bar);
    fill(
      bar,
      h("span", {}, `${plural("selection.one", "selection.many", rows.length)} ${made(explorer, rows)}`),
      button(t("selection.middle"), () => explorer.moveTo(middle(explorer, rows), "row"), { class: "small" }),
      button(t("selection.clear"), () => (selection.value = null), { class: "small" }),
    );
  });
  return bar;
}

function made(explorer: Explorer, rows: Uint32Array): string {
  const column = explorer.main.points?.columns[explorer.colour.value];
  if (!column) return "";
  const { counts, mean } = composition(rows, column);
  if (!column.labels) return t("selection.mean", { name: column.name, value: number(mean) });
  const shown = counts.slice(0, LEVELS).map(({ label, count }) => `${column.labels![label]}: ${percent(count / rows.length)}`);
  return `${column.name}: ${shown.join(", ")}${counts.length > LEVELS ? ", …" : ""}`;
}

function middle({ main }: Explorer, rows: Uint32Array): Float32Array {
  const mean = new Float32Array(main.d);
  for (const row of rows) for (let i = 0; i < main.d; i++) mean[i] += main.points!.codes[row * main.d + i] / rows.length;
  return mean;
}
