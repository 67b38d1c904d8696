import { h } from "../core/dom";
import { said } from "../decoded/distribution";
import { paint } from "../decoded/pixels";
import type { Decoded } from "../engine/types";

const FIELDS = 3;

/** A decoded answer in little, as something to press. A picture is named by its label, a row by what it says. */
export function card(decoded: Decoded, label: string, press: () => void): HTMLButtonElement {
  const name = decoded.type === "image" ? label : null;
  return h("button", { type: "button", class: `card ${decoded.type}`, onclick: press, "aria-label": name, title: label }, small(decoded));
}

export function small(decoded: Decoded): HTMLElement {
  if (decoded.type === "image") {
    const canvas = h("canvas", { class: "pixels" });
    paint(canvas, decoded);
    return canvas;
  }
  const cells = decoded.fields.slice(0, FIELDS);
  return h("span", { class: "cells" }, ...cells.flatMap((field) => [h("span", {}, field.name), h("b", {}, said(field))]));
}
