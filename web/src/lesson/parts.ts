import type { Explorer } from "../app/explorer";
import { h } from "../core/dom";
import type { Scope } from "../core/signal";
import { usualRange } from "../decoded/distribution";
import type { Decoded, Kind, LatentModel, Pack } from "../engine/types";
import { said } from "../decoded/distribution";
import { paint } from "../decoded/pixels";
import { tellingColumns } from "../space/telling";
import { t, type Key } from "../texts";
import { asDecoded, examples } from "./material";
import type { Lesson } from "./lesson";

/** What a step of the lesson is given. */
export interface Room {
  scope: Scope;
  explorer: Explorer;
  /** To be called when a gesture ended that did what the step asks for. */
  finish: () => void;
  lesson: Lesson;
  /** Its place among the six. */
  index: number;
}

/** What a step shows: beside its text, the one thing to do, and the answer to what was done last. */
export interface Content {
  exhibit: HTMLElement;
  /** Buttons that the text leads through. */
  controls?: HTMLElement[];
  answer: () => string;
}

export interface Step {
  /** Why this pack can't teach it; null where it can. */
  missing(explorer: Explorer): Key | null;
  build(room: Room): Content;
}

/** The first model whose rows have one code each, or a distribution; among the pack's own, then the lesson's. */
export function modelThat(explorer: Explorer, stochastic: boolean): LatentModel | undefined {
  const { models, lesson } = explorer.pack;
  const own = models.find((model) => model.stochastic === stochastic && model.inPage);
  return own ?? lesson?.regularisation.find((model) => model.stochastic === stochastic && (model.beta ?? 1) <= 1 && model.inPage);
}

/** An autoencoder and a VAE to stand beside each other; undefined where the pack lacks one of them. */
export function pairOfModels(explorer: Explorer): [LatentModel, LatentModel] | undefined {
  const [autoencoder, vae] = [modelThat(explorer, false), modelThat(explorer, true)];
  return autoencoder && vae && [autoencoder, vae];
}

/** The plane of the principal components, which shows most of many dimensions. */
export function showPrincipal(explorer: Explorer): void {
  const index = explorer.main.planes.findIndex((plane) => plane.kind === "principal");
  explorer.plane.value = { kind: "given", index: Math.max(0, index) };
}

const COLUMNS = 9;

/** The columns of a table that the lesson shows: of its numbers and of its levels those that differ most, in the table's order. */
export function shownColumns(explorer: Explorer, most = COLUMNS): number[] {
  const { input } = explorer.pack;
  if (input.type !== "row") return [];
  const rows = examples(explorer).map((row) => asDecoded(explorer.pack, row));
  const all = tellingColumns(explorer.pack, rows, input.fields.length);
  const numbers = all.filter((i) => !LEVELS.has(input.fields[i].kind));
  const levels = all.filter((i) => LEVELS.has(input.fields[i].kind));
  const kept = Math.max(Math.ceil(most / 2), most - levels.length);
  return [...numbers.slice(0, kept), ...levels.slice(0, most - Math.min(kept, numbers.length))].sort((a, b) => a - b);
}

const LEVELS: ReadonlySet<Kind> = new Set(["binary", "categorical", "ordinal"]);

/** A row that changes: a picture, or the values of some columns, those marked that differ from the original. */
export class Portrait {
  readonly element: HTMLElement;
  private readonly canvas = h("canvas", { class: "pixels", role: "img" });
  private readonly cells: HTMLElement[];

  constructor(
    private readonly pack: Pack,
    title: string,
    private readonly columns: number[],
  ) {
    const { input } = pack;
    this.cells = columns.map(() => h("dd"));
    const fields = input.type === "row" ? input.fields : [];
    this.canvas.setAttribute("aria-label", title);
    const body = input.type === "image" ? this.canvas : h("dl", { class: "values" }, ...columns.flatMap((i, k) => [h("dt", {}, fields[i].name), this.cells[k]]));
    this.element = h("figure", { class: "portrait" }, h("figcaption", {}, title), body);
  }

  show(row: Decoded, original: Decoded = row): void {
    if (row.type === "image") return paint(this.canvas, row);
    if (row.type !== "row") return;
    this.columns.forEach((i, k) => {
      this.cells[k].textContent = said(row.fields[i]);
      this.cells[k].classList.toggle("off", original.type === "row" && differs(this.pack, row.fields[i], original.fields[i], i));
    });
  }
}

/** A tenth of the column's usual range, or another level, is a difference to look at. */
function differs(pack: Pack, a: (Decoded & { type: "row" })["fields"][number], b: typeof a, i: number): boolean {
  if (a.value === null || b.value === null) return a.text !== b.text;
  const [low, high] = usualRange(pack.population[i]);
  return Math.abs(a.value - b.value) > 0.1 * (high - low);
}

export function paragraphs(...keys: Key[]): HTMLElement[] {
  return keys.map((key) => h("p", {}, t(key)));
}

/** Names and values in two columns. */
export function measures(...pairs: [string, string][]): HTMLElement {
  return h("dl", { class: "measures" }, ...pairs.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}
