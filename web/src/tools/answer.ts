import { h } from "../core/dom";
import { said } from "../decoded/distribution";
import { card as linesCard } from "../decoded/lines";
import { paint } from "../decoded/pixels";
import type { Decoded, Pack } from "../engine/types";
import { tellingColumns } from "../space/telling";

const FIELDS = 3;

/** Decoded answers in little, as things to press. Of rows they show the columns that differ most among them. */
export function cards(pack: Pack, all: Decoded[], label: (i: number) => string, press: (i: number) => void): HTMLButtonElement[] {
  const columns = tellingColumns(pack, all, FIELDS);
  return all.map((decoded, i) => card(decoded, columns, label(i), () => press(i)));
}

/** A picture is named by its label, a row by what it says. */
function card(decoded: Decoded, columns: number[], label: string, press: () => void): HTMLButtonElement {
  const name = decoded.type === "row" ? null : label;
  return h("button", { type: "button", class: `card ${decoded.type}`, onclick: press, "aria-label": name, title: label }, small(decoded, columns));
}

export function small(decoded: Decoded, columns: number[]): HTMLElement {
  if (decoded.type === "image") {
    const canvas = h("canvas", { class: "pixels" });
    paint(canvas, decoded);
    return canvas;
  }
  if (decoded.type === "series") return h("span", { class: "lines" }, linesCard(decoded));
  return h("span", { class: "cells" }, ...columns.flatMap((i) => [h("span", {}, decoded.fields[i].name), h("b", {}, said(decoded.fields[i]))]));
}
