import type { Explorer } from "../app/explorer";
import { button } from "../core/controls";
import { h } from "../core/dom";
import type { Scope } from "../core/signal";
import { type EncodeInput, fieldsOf } from "../engine/types";
import { drawing } from "../tools/drawing";
import { editor } from "../tools/editor";
import { t, whole } from "../texts";
import { examples } from "./material";

/** Which row a step is about: one of the data's, one after the other. */
export class Rows {
  readonly all: EncodeInput[];
  readonly element: HTMLElement;
  place = 0;
  private readonly counter = h("span", {});

  constructor(
    explorer: Explorer,
    private readonly changed: (input: EncodeInput) => void,
  ) {
    this.all = examples(explorer);
    const go = (by: number) => this.choose(this.place + by);
    this.element = h(
      "div",
      { class: "line" },
      button("‹", () => go(-1), { class: "small", "aria-label": t("rows.before") }),
      this.counter,
      button("›", () => go(1), { class: "small", "aria-label": t("rows.next") }),
    );
  }

  choose(place: number): void {
    this.place = (place + this.all.length) % this.all.length;
    this.counter.textContent = t("rows.of", { n: whole(this.place + 1), of: whole(this.all.length) });
    this.changed(this.all[this.place]);
  }
}

/** The learner's own picture or row. */
export function ownRow(scope: Scope, explorer: Explorer, changed: (input: EncodeInput) => void): HTMLElement {
  const { input } = explorer.pack;
  const tool = input.type === "image" ? drawing(scope, explorer, input, changed) : editor(explorer, fieldsOf(input), changed);
  return h("details", { class: "own", open: matchMedia("(width >= 66rem)").matches }, h("summary", {}, t(input.type === "image" ? "own.draw" : "own.edit")), tool);
}
