import type { Explorer } from "../app/explorer";
import { fill, h } from "../core/dom";
import type { Scope, Signal } from "../core/signal";
import type { Decoded, LatentModel } from "../engine/types";
import { small } from "../tools/answer";
import { t, type Key } from "../texts";
import type { Lesson } from "./lesson";

/** What a step of the lesson is given, and what it gives. */
export interface Room {
  scope: Scope;
  explorer: Explorer;
  lesson: Lesson;
  /** Its place among the six. */
  index: number;
}

export interface Step {
  /** Why this pack can't teach it; null where it can. */
  missing(explorer: Explorer): Key | null;
  build(room: Room): HTMLElement[];
}

/** What the reader is asked to do, ticked as it is done, and then the answer to it; no texts where buttons ask already. */
export function tasks({ scope, lesson, index }: Room, texts: string[], answer: () => string): HTMLElement {
  const ticks = texts.map(() => h("span", { class: "unseen" }));
  const items = texts.map((text, i) => h("li", {}, h("i", { class: "tick", "aria-hidden": "true" }), h("span", {}, text, " ", ticks[i])));
  const said = h("p", { class: "answer", role: "status" });
  const done: Signal<boolean>[] = lesson.done[index];
  scope.watch(done, () => {
    items.forEach((item, i) => {
      item.classList.toggle("done", done[i].value);
      ticks[i].textContent = done[i].value ? t("lesson.done") : "";
    });
    said.textContent = lesson.isDone(index) ? answer() : "";
  });
  const list = texts.length ? [h("h3", {}, t("lesson.todo")), h("ul", {}, ...items)] : [];
  return h("div", { class: "tasks" }, ...list, said);
}

/** Originals above what came back. */
export function pairs(titles: [string, string]): { element: HTMLElement; show(above: Decoded[], below: Decoded[]): void } {
  const rows = titles.map(() => h("div", { class: "pair-row" }));
  return {
    element: h("div", { class: "pairs" }, ...titles.flatMap((title, i) => [h("h4", {}, title), rows[i]])),
    show: (...both) => both.forEach((side, i) => fill(rows[i], ...side.map(small))),
  };
}

/** Bars of one figure over several models, the chosen one in the accent: what a slider goes along. */
export function bars(title: string, values: number[], say: (value: number) => string): { element: HTMLElement; choose(index: number): void } {
  const most = Math.max(...values, 1e-9);
  const columns = values.map((value) => {
    const bar = h("i", {});
    bar.style.height = `${Math.max(2, (100 * value) / most)}%`;
    return h("span", { class: "bar" }, bar);
  });
  const said = h("strong", {});
  return {
    element: h("figure", { class: "bars" }, h("figcaption", {}, h("span", {}, title), said), h("div", { class: "bar-row", "aria-hidden": "true" }, ...columns)),
    choose: (index) => {
      columns.forEach((column, i) => column.classList.toggle("chosen", i === index));
      said.textContent = say(values[index]);
    },
  };
}

export function paragraphs(...keys: Key[]): HTMLElement[] {
  return keys.map((key) => h("p", {}, t(key)));
}

/** The first model whose rows have one code each, or a distribution; among the pack's own, then the lesson's. */
export function modelThat(explorer: Explorer, stochastic: boolean): LatentModel | undefined {
  const { models, lesson } = explorer.pack;
  return [...models, ...(lesson?.regularisation ?? [])].find((model) => model.stochastic === stochastic && model.inPage);
}
