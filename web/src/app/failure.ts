import { fill, h } from "../core/dom";
import { PackError } from "../engine";
import { language, t, type Key } from "../texts";

const SENTENCES: Partial<Record<PackError["code"], Key>> = {
  missing: "failure.missing",
  damaged: "failure.damaged",
  newer: "failure.newer",
  unsupported: "failure.unsupported",
  "too-large": "failure.tooLarge",
};

/** What can't be shown says why, in place of a blank page. */
export function showFailure(root: HTMLElement, failure: unknown): void {
  const code = failure instanceof PackError ? failure.code : null;
  const detail = failure instanceof Error ? failure.message : String(failure);
  document.documentElement.lang = language.value;
  root.removeAttribute("aria-busy");
  fill(
    root,
    h(
      "main",
      { class: "failure" },
      h("span", { class: "mark" }, "Latente"),
      h("div", { role: "alert" }, h("h1", {}, t("failure.title")), h("p", {}, t((code && SENTENCES[code]) ?? "failure.unknown"))),
      h("p", { class: "note", lang: "en" }, detail),
    ),
  );
}
