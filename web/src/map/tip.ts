import { fill, h } from "../core/dom";
import { paint } from "../decoded/pixels";
import type { LatentModel, Pack } from "../engine/types";
import { inWords } from "../decoded/distribution";
import { number, t, whole } from "../texts";

const LINES = 8;

interface Hovered {
  model: LatentModel;
  row: number;
  x: number;
  y: number;
}

/** The row under the pointer, beside it. A mouse's help: what it says is also in the list of near rows. */
export class RowTip {
  private readonly box = h("div", { class: "tip", "aria-hidden": "true", hidden: true });
  private shown = -1;

  constructor(
    private readonly stage: HTMLElement,
    private readonly pack: Pack,
  ) {
    stage.append(this.box);
  }

  show(hovered: Hovered | null): void {
    this.box.hidden = !hovered;
    if (!hovered) return;
    const { model, row, x, y } = hovered;
    if (row !== this.shown) {
      this.shown = row;
      fill(this.box, h("strong", {}, t("row.name", { n: whole(row) })), ...rowBody(this.pack, model, row, LINES));
    }
    const right = x > this.stage.clientWidth / 2;
    this.box.style.left = right ? "" : `${x + 14}px`;
    this.box.style.right = right ? `${this.stage.clientWidth - x + 14}px` : "";
    this.box.style.top = `${Math.max(4, Math.min(y - 20, this.stage.clientHeight - this.box.offsetHeight - 4))}px`;
  }
}

/** What is known of a row: its picture, its columns, or at least those that points are coloured by. */
export function rowBody(pack: Pack, model: LatentModel, row: number, lines: number): HTMLElement[] {
  const points = model.points!;
  const parts: HTMLElement[] = [];
  const input = points.input(row);
  if (input?.type === "image" && pack.input.type === "image") {
    const canvas = h("canvas", { class: "pixels" });
    paint(canvas, { ...pack.input, type: "image", pixels: input.pixels });
    parts.push(canvas);
  }
  const cells = points.row(row) ?? coloured(model, row);
  if (cells.length)
    parts.push(h("dl", {}, ...cells.slice(0, lines).flatMap(({ name, text }) => [h("dt", {}, name), h("dd", {}, inWords(text))])));
  return parts;
}

function coloured(model: LatentModel, row: number): { name: string; text: string }[] {
  return model.points!.columns.flatMap(({ name, labels, values }) => {
    const value = values[row];
    return Number.isNaN(value) ? [] : [{ name, text: labels ? labels[value] : number(value) }];
  });
}
