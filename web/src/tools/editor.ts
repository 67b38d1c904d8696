import type { Explorer } from "../app/explorer";
import { button } from "../core/controls";
import { h } from "../core/dom";
import type { EncodeInput, InputField } from "../engine/types";
import { t } from "../texts";

type Cell = number | string | null;

/** A row to fill in. It begins as the row decoded at the point; an empty cell is "not seen". */
export function editor(explorer: Explorer, fields: InputField[], changed: (input: EncodeInput) => void): HTMLElement {
  const controls = fields.map((field) => control(field, () => changed({ type: "row", values: controls.map((one) => one.read()) })));
  const take = () => {
    const decoded = explorer.main.decode(explorer.code);
    if (decoded.type === "row") decoded.fields.forEach((field, i) => controls[i].write(field.text));
  };
  take();
  return h(
    "div",
    { class: "editor" },
    h("div", { class: "line" }, button(t("edit.take"), take)),
    ...controls.map((one, i) => h("label", {}, h("span", { title: fields[i].name }, fields[i].name), one.element)),
  );
}

interface Control {
  element: HTMLElement;
  read(): Cell;
  write(text: string): void;
}

function control(field: InputField, changed: () => void): Control {
  if (field.labels) return levels(field.labels, changed);
  if (field.kind === "date") return box("date", {}, changed, (text) => text);
  const { low, high, step } = field;
  return box("number", { min: low, max: high, step: step || "any" }, changed, Number);
}

function levels(labels: string[], changed: () => void): Control {
  const element = h(
    "select",
    { onchange: changed },
    h("option", {}, t("edit.unseen")),
    ...labels.map((label) => h("option", {}, label)),
  );
  return {
    element,
    read: () => (element.selectedIndex ? labels[element.selectedIndex - 1] : null),
    write: (text) => (element.selectedIndex = labels.indexOf(text) + 1),
  };
}

function box(type: string, attributes: Record<string, string | number>, changed: () => void, parse: (text: string) => Cell): Control {
  const element = h("input", { type, oninput: changed, placeholder: t("edit.unseen"), ...attributes });
  return {
    element,
    read: () => (element.value === "" ? null : parse(element.value)),
    write: (text) => (element.value = type === "date" ? text.slice(0, 10) : text),
  };
}
