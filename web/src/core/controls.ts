import { h, newId } from "./dom";
import type { Scope, Signal } from "./signal";

/** The few controls that the page is made of: native ones, so that keys and screen readers know them. */

export interface Option<T> {
  value: T;
  text: string;
  /** Said on hover and to screen readers: what it is for. */
  hint?: string;
}

/** One of a few, as chips in a row. */
export function chips<T>(scope: Scope, legend: string, options: Option<T>[], signal: Signal<T>): HTMLElement {
  const name = newId("chips");
  const inputs = options.map((option) =>
    h("input", { type: "radio", name, onchange: () => (signal.value = option.value), "aria-description": option.hint }),
  );
  scope.watch([signal], () => inputs.forEach((input, i) => (input.checked = options[i].value === signal.value)));
  return h(
    "fieldset",
    { class: "chips" },
    h("legend", {}, legend),
    ...options.map((option, i) => h("label", { title: option.hint }, inputs[i], h("span", {}, option.text))),
  );
}

/** One of many. */
export function dropdown<T>(scope: Scope, label: string, options: Option<T>[], signal: Signal<T>): HTMLElement {
  const same = (a: T, b: T) => JSON.stringify(a) === JSON.stringify(b);
  const select = h(
    "select",
    { onchange: () => (signal.value = options[select.selectedIndex].value) },
    ...options.map((option) => h("option", {}, option.text)),
  );
  scope.watch([signal], () => (select.selectedIndex = options.findIndex((option) => same(option.value, signal.value))));
  return h("label", { class: "dropdown" }, h("span", {}, label), select);
}

export function toggle(scope: Scope, text: string, signal: Signal<boolean>): HTMLElement {
  const input = h("input", { type: "checkbox", onchange: () => (signal.value = input.checked) });
  scope.watch([signal], () => (input.checked = signal.value));
  return h("label", { class: "toggle" }, input, h("span", {}, text));
}

export function button(text: string, act: () => void, attributes: Record<string, string | boolean> = {}): HTMLButtonElement {
  return h("button", { type: "button", onclick: act, ...attributes }, text);
}

/** A slider that says its value in words. `moved` follows it; `ended` is called when it is let go of, or moved by a key. */
export class Slider {
  readonly element: HTMLElement;
  readonly input: HTMLInputElement;
  private readonly output = h("output", { "aria-hidden": "true" });

  constructor(
    label: string,
    range: { low: number; high: number; step: number | "any" },
    private readonly say: (value: number) => string,
    moved: (value: number) => void,
    ended: (value: number) => void = () => {},
  ) {
    const { low, high, step } = range;
    this.input = h("input", { type: "range", min: low, max: high, step, oninput: () => this.answer(moved), onchange: () => ended(Number(this.input.value)) });
    this.element = h("label", { class: "slider" }, h("span", {}, label), this.input, this.output);
  }

  /** A value beyond the ends moves them: a slider never shows another number than the one it is given. */
  set value(value: number) {
    if (value < Number(this.input.min)) this.input.min = String(value);
    if (value > Number(this.input.max)) this.input.max = String(value);
    this.input.value = String(value);
    this.show(value);
  }

  private answer(moved: (value: number) => void): void {
    const value = Number(this.input.value);
    this.show(value);
    moved(value);
  }

  private show(value: number): void {
    const text = this.say(value);
    this.output.textContent = text;
    this.input.setAttribute("aria-valuetext", text);
  }
}
