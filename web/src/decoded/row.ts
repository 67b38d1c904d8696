import { h } from "../core/dom";
import type { Decoded, LatentModel, Pack } from "../engine/types";
import { t } from "../texts";
import { modelTitle } from "../texts/words";
import { FieldChart } from "./chart";
import { said } from "./distribution";

/** A decoded row: each column's value and distribution, in front of the column's distribution in all rows. */
export class RowView {
  readonly element: HTMLElement;
  private readonly lines: { values: HTMLElement[]; chart: FieldChart; last: string[] }[];

  constructor(pack: Pack, models: LatentModel[]) {
    const fields = pack.input.type === "row" ? pack.input.fields : [];
    const body = h("tbody");
    this.lines = fields.map((field, i) => {
      const chart = new FieldChart(pack.population[i], models.length, field.kind);
      const values = models.map((_, k) => h("td", { class: `value of-model-${k}` }));
      body.append(h("tr", {}, h("th", { scope: "row" }, field.name), ...values), h("tr", { class: "chart-row" }, h("td", { colspan: 1 + models.length }, chart.element)));
      return { values, chart, last: models.map(() => "") };
    });
    const heads = models.map((model, k) => h("th", { scope: "col", class: `of-model-${k}` }, models.length > 1 ? modelTitle(model) : t("decoded.value")));
    this.element = h(
      "div",
      { class: "row-view", tabindex: "0", role: "region", "aria-label": t("decoded.row") },
      h("p", { class: "note" }, t("decoded.distribution")),
      h(
        "table",
        {},
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("decoded.column")), ...heads)),
        body,
      ),
    );
  }

  show(rows: (Decoded & { type: "row" })[]): void {
    this.lines.forEach(({ values, chart, last }, i) => {
      rows.forEach((row, k) => {
        const field = row.fields[i];
        if (!field) return;
        const shown = said(field);
        if (shown !== last[k]) values[k].textContent = last[k] = shown;
      });
      chart.show(rows.map((row) => row.fields[i]));
    });
  }
}
