import type { Explorer } from "../app/explorer";
import { button } from "../core/controls";
import { fill, h } from "../core/dom";
import type { Scope } from "../core/signal";
import { t } from "../texts";
import { autoencoder } from "./autoencoder";
import { bottleneck } from "./bottleneck";
import { generating } from "./generating";
import { learning } from "./learning";
import { STEPS, type Lesson } from "./lesson";
import { paragraphs, type Step } from "./parts";
import { regularisation } from "./regularisation";
import { walking } from "./walking";

const ALL: readonly Step[] = [autoencoder, bottleneck, generating, learning, walking, regularisation];
type Number = 1 | 2 | 3 | 4 | 5 | 6;

/** The lesson: six steps, each with a figure to touch, one thing to do, and an answer to what was done. */
export function lessonView(scope: Scope, explorer: Explorer, lesson: Lesson, exhibit: HTMLElement): HTMLElement {
  const body = h("div", { class: "step", tabindex: "-1" });
  const element = h("section", { class: "lesson", "aria-labelledby": "lesson-title" }, h("h2", { id: "lesson-title", class: "unseen" }, t("lesson.title")), stepper(scope, lesson), body);
  let inner = scope.child();
  const enter = () => {
    inner.dispose();
    inner = scope.child();
    const open = explorer.lessonOpen.value;
    exhibit.hidden = !open;
    if (open) fill(body, ...stepBody(inner, explorer, lesson, exhibit, () => body.focus()));
    else explorer.mapsShown.value = true;
  };
  scope.follow(lesson.step, enter);
  scope.follow(explorer.lessonOpen, () => {
    enter();
    // Models of the lesson are not those that the page is of.
    if (!explorer.lessonOpen.value) explorer.show(explorer.pack.models.slice(0, 1));
  });
  scope.watch([explorer.lessonOpen], () => (element.hidden = !explorer.lessonOpen.value));
  enter();
  return element;
}

function stepBody(scope: Scope, explorer: Explorer, lesson: Lesson, exhibit: HTMLElement, focus: () => void): HTMLElement[] {
  const index = lesson.step.value;
  const step = ALL[index];
  const why = step.missing(explorer);
  const go = (to: number) => {
    lesson.go(to);
    focus();
  };
  const title = h("h3", { class: "step-title" }, t(`lesson.${(index + 1) as Number}.title`));
  const back = index > 0 ? button(t("lesson.back"), () => go(index - 1)) : h("span", {});
  const next = index < STEPS - 1 ? button(t("lesson.next"), () => go(index + 1), { class: "primary" }) : h("span", {});
  const ends = h("div", { class: "line ends" }, back, next);
  if (why) {
    fill(exhibit, h("p", { class: "note" }, t(why)));
    explorer.mapsShown.value = true;
    return [title, h("p", { class: "note" }, t(why)), ends];
  }
  const content = step.build({ scope, explorer, lesson, index, finish: () => lesson.finish(index) });
  fill(exhibit, content.exhibit);
  return [title, ...paragraphs(`lesson.${(index + 1) as Number}.a`), ...(content.controls ?? []), task(scope, lesson, index, content.answer), ends];
}

/** The one thing to do, ticked when it is done, and the answer to how it was done last, which is brought into view. */
function task(scope: Scope, lesson: Lesson, index: number, answer: () => string): HTMLElement {
  const tick = h("span", { class: "unseen" });
  const item = h("p", { class: "todo" }, h("i", { class: "tick", "aria-hidden": "true" }), h("span", {}, t(`lesson.${(index + 1) as Number}.task`), " ", tick));
  const said = h("p", { class: "answer", role: "status" });
  const box = h("div", { class: "tasks" }, h("h3", { class: "unseen" }, t("lesson.todo")), item, said);
  const done = lesson.done[index];
  const before = lesson.turns.value;
  scope.watch([done, lesson.turns], () => {
    item.classList.toggle("done", done.value);
    tick.textContent = done.value ? t("lesson.done") : "";
    // An answer is about what was done here: after a change of language, or of step, it is there again with the next gesture.
    if (lesson.turns.value === before) return;
    said.textContent = answer();
    box.scrollIntoView({ block: "nearest" });
  });
  return box;
}

function stepper(scope: Scope, lesson: Lesson): HTMLElement {
  const buttons = ALL.map((_, i) => button(String(i + 1), () => lesson.go(i), { class: "step-button" }));
  scope.watch([lesson.step, ...lesson.done], () =>
    buttons.forEach((one, i) => {
      const done = lesson.done[i].value;
      one.classList.toggle("done", done);
      one.toggleAttribute("aria-current", false);
      if (i === lesson.step.value) one.setAttribute("aria-current", "step");
      const name = `${t("lesson.step", { n: i + 1 })}: ${t(`lesson.${(i + 1) as Number}.title`)}`;
      one.setAttribute("aria-label", done ? `${name} (${t("lesson.done")})` : name);
      one.title = t(`lesson.${(i + 1) as Number}.title`);
    }),
  );
  return h("nav", { "aria-label": t("lesson.title") }, h("ol", { class: "stepper" }, ...buttons.map((one) => h("li", {}, one))));
}
