import { fill, h } from "../core/dom";
import type { Scope } from "../core/signal";
import { said, t } from "../texts";
import { modelTitle } from "../texts/words";
import type { Explorer } from "./explorer";

/** The certificate's verdicts on the models that the page is of: a collapsed one must not look fine. */
export function banner(scope: Scope, explorer: Explorer): HTMLElement {
  const element = h("aside", { class: "banner", "aria-label": t("banner.title") });
  const { models, lessonOpen } = explorer;
  scope.watch([models, lessonOpen], () => {
    const shown = models.value.filter((model) => explorer.pack.models.includes(model));
    const verdicts = shown.flatMap((model) => (model.verdicts ?? []).map((verdict) => ({ model, verdict })));
    element.hidden = lessonOpen.value || verdicts.length === 0;
    const [first, ...rest] = verdicts.map(({ model, verdict }) => h("p", {}, h("strong", {}, shown.length > 1 ? `${modelTitle(model)}: ` : "", said(verdict))));
    fill(element, h("span", {}, `${t("banner.title")}: `), first, rest.length ? h("details", {}, h("summary", {}, t("banner.more", { n: rest.length })), ...rest) : null);
  });
  return element;
}
