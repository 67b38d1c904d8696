import { h, newId } from "../core/dom";
import type { Scope, Signal } from "../core/signal";

export interface Tab {
  name: string;
  title: string;
  /** Builds what the tab holds, when it is first looked at. */
  build(scope: Scope): HTMLElement;
}

/** Tabs as the ARIA practices have them: arrows move between them, only the chosen one is in the order of Tab. */
export function tabs(scope: Scope, label: string, all: Tab[], chosen: Signal<string>): HTMLElement {
  const panel = h("div", { role: "tabpanel", id: newId("panel"), class: "panel", tabindex: "0" });
  const ids = all.map(() => newId("tab"));
  const buttons = all.map((tab, i) =>
    h(
      "button",
      { type: "button", role: "tab", id: ids[i], "aria-controls": panel.id, onclick: () => (chosen.value = tab.name) },
      tab.title,
    ),
  );
  const list = h("div", { role: "tablist", "aria-label": label, class: "tablist" }, ...buttons);
  scope.on(list, "keydown", (event) => {
    const now = all.findIndex((tab) => tab.name === chosen.value);
    const steps: Record<string, number> = { ArrowRight: now + 1, ArrowLeft: now - 1, Home: 0, End: all.length - 1 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    const next = (steps[event.key] + all.length) % all.length;
    chosen.value = all[next].name;
    buttons[next].focus();
  });
  let inner = scope.child();
  scope.build(chosen, () => {
    const now = Math.max(0, all.findIndex((tab) => tab.name === chosen.value));
    buttons.forEach((button, i) => {
      button.setAttribute("aria-selected", String(i === now));
      button.tabIndex = i === now ? 0 : -1;
    });
    panel.setAttribute("aria-labelledby", ids[now]);
    inner.dispose();
    inner = scope.child();
    panel.replaceChildren(all[now].build(inner));
  });
  return h("section", { class: "tools" }, list, panel);
}
