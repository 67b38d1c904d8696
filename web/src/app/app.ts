import { h, fill } from "../core/dom";
import { Scope, Signal } from "../core/signal";
import { decodedView } from "../decoded/view";
import { lessonView } from "../lesson/view";
import type { Lesson } from "../lesson/lesson";
import { MapView } from "../map/map";
import { toolbar } from "../map/toolbar";
import { language, t } from "../texts";
import { encodeTool } from "../tools/encode";
import { near } from "../tools/near";
import { samples } from "../tools/samples";
import { selectionNote } from "../tools/selection";
import { sliders } from "../tools/sliders";
import { tabs, type Tab } from "../tools/tabs";
import { walkTool } from "../tools/walk";
import type { Explorer } from "./explorer";
import { banner } from "./banner";
import { figures } from "./figures";
import { header } from "./header";

/** What outlives a change of language, which builds the page anew. */
export interface Session {
  explorer: Explorer;
  lesson: Lesson;
  comparing: Signal<boolean>;
  tab: Signal<string>;
}

/** Builds the page into `root`, and again when the language changes. */
export function mount(root: HTMLElement, session: Session): void {
  let scope = new Scope();
  const build = () => {
    scope.dispose();
    scope = new Scope();
    document.documentElement.lang = language.value;
    document.title = `${session.explorer.pack.title} · Latente`;
    root.removeAttribute("aria-busy");
    fill(root, ...page(scope, session));
  };
  language.listen(() => {
    build();
    // The page is a new one; who changed the language by keys goes on where they were.
    root.querySelector<HTMLElement>(".view-controls .dropdown select")?.focus();
  });
  build();
}

function page(scope: Scope, session: Session): HTMLElement[] {
  const { explorer, comparing, lesson } = session;
  const both = () => {
    if (comparing.value === explorer.models.value.length > 1) return;
    if (comparing.value) explorer.show(explorer.pack.models.slice(0, 2));
    else explorer.show([explorer.main]);
  };
  scope.follow(comparing, both);
  scope.follow(explorer.models, () => (comparing.value = explorer.models.value.length > 1));
  const exhibit = h("section", { class: "exhibit", "aria-label": t("lesson.exhibit") });
  const columns = h(
    "main",
    { class: "columns" },
    lessonView(scope, explorer, lesson, exhibit),
    maps(scope, explorer, exhibit),
    h("aside", { class: "side", "aria-label": t("side.title") }, decodedView(scope, explorer), tools(scope, session), figures(scope, explorer)),
  );
  scope.watch([explorer.lessonOpen], () => columns.classList.toggle("with-lesson", explorer.lessonOpen.value));
  return [header(scope, explorer, comparing), banner(scope, explorer), columns];
}

function maps(scope: Scope, explorer: Explorer, exhibit: HTMLElement): HTMLElement {
  const area = h("div", { class: "maps" });
  let views: MapView[] = [];
  let inner = scope.child();
  scope.build(explorer.models, () => {
    inner.dispose();
    inner = scope.child();
    views = explorer.models.value.map((model) => new MapView(inner, explorer, model));
    area.className = `maps of-${views.length}`;
    fill(area, ...views.map((view) => view.element));
  });
  const shown = h("section", { class: "map-area", "aria-label": t("map.title") }, toolbar(scope, explorer, () => views), area, selectionNote(scope, explorer));
  scope.watch([explorer.mapsShown], () => (shown.hidden = !explorer.mapsShown.value));
  return h("div", { class: "middle" }, exhibit, shown);
}

function tools(scope: Scope, { explorer, tab }: Session): HTMLElement {
  const { main } = explorer;
  const all: Tab[] = [
    { name: "sliders", title: t("tab.sliders"), build: (inner) => sliders(inner, explorer) },
    { name: "samples", title: t("tab.samples"), build: (inner) => samples(inner, explorer) },
    { name: "walk", title: t("tab.walk"), build: (inner) => walkTool(inner, explorer) },
  ];
  if (main.points) all.push({ name: "near", title: t("tab.near"), build: (inner) => near(inner, explorer) });
  if (main.inPage && explorer.pack.input.type !== "series") {
    const title = t(explorer.pack.input.type === "image" ? "tab.draw" : "tab.edit");
    all.push({ name: "encode", title, build: (inner) => encodeTool(inner, explorer) });
  }
  return tabs(scope, t("tools.title"), all, tab);
}
