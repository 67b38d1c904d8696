import { theme, type Theme } from "../colour/theme";
import { dropdown, toggle } from "../core/controls";
import { h } from "../core/dom";
import { Signal, type Scope } from "../core/signal";
import { language, plural, t, type Language } from "../texts";
import type { Explorer } from "./explorer";

/** What the page is of, and how it is looked at. */
export function header(scope: Scope, explorer: Explorer, comparing: Signal<boolean>): HTMLElement {
  const { pack } = explorer;
  const languages: { value: Language; text: string }[] = [
    { value: "en", text: "English" },
    { value: "es", text: "Español" },
  ];
  const themes = (["auto", "light", "dark"] as const).map((value): { value: Theme; text: string } => ({ value, text: t(`theme.${value}`) }));
  const compare = pack.models.length > 1 ? toggle(scope, t("compare.toggle"), comparing) : null;
  // In the lesson each step chooses its models itself.
  scope.watch([explorer.lessonOpen], () => compare && (compare.hidden = explorer.lessonOpen.value));
  return h(
    "header",
    {},
    h("div", { class: "brand" }, h("span", { class: "mark" }, "Latente"), h("h1", {}, pack.title), h("p", {}, plural("rows.one", "rows.many", pack.rows))),
    h(
      "div",
      { class: "view-controls" },
      h("div", { class: "switches" }, pack.input.type === "series" ? null : toggle(scope, t("lesson.toggle"), explorer.lessonOpen), compare),
      dropdown(scope, t("language.title"), languages, language),
      dropdown(scope, t("theme.title"), themes, theme),
    ),
  );
}
