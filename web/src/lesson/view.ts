import type { Explorer } from "../app/explorer";
import { button } from "../core/controls";
import { fill, h } from "../core/dom";
import type { Scope } from "../core/signal";
import { t } from "../texts";
import { autoencoder } from "./autoencoder";
import { bottleneck } from "./bottleneck";
import { continuity } from "./continuity";
import { holes } from "./holes";
import { learning } from "./learning";
import { STEPS, type Lesson } from "./lesson";
import type { Step } from "./parts";
import { regularisation } from "./regularisation";

const ALL: readonly Step[] = [autoencoder, bottleneck, holes, learning, continuity, regularisation];
type Number = 1 | 2 | 3 | 4 | 5 | 6;

/** The lesson, beside the map: six steps, each of which asks for something and answers what was done. */
export function lessonView(scope: Scope, explorer: Explorer, lesson: Lesson): HTMLElement {
  const body = h("div", { class: "step", tabindex: "-1" });
  const element = h("section", { class: "lesson", "aria-labelledby": "lesson-title" }, h("h2", { id: "lesson-title", class: "unseen" }, t("lesson.title")), stepper(scope, lesson), body);
  let inner = scope.child();
  const leave = () => {
    inner.dispose();
    inner = scope.child();
  };
  const enter = () => {
    leave();
    if (explorer.lessonOpen.value) fill(body, ...stepBody(inner, explorer, lesson, () => body.focus()));
  };
  scope.follow(lesson.step, enter);
  scope.follow(explorer.lessonOpen, () => {
    enter();
    // Models of the lesson are not those that the page is of.
    if (!explorer.lessonOpen.value) explorer.show(explorer.pack.models.slice(0, explorer.models.value.length));
  });
  scope.watch([explorer.lessonOpen], () => (element.hidden = !explorer.lessonOpen.value));
  enter();
  return element;
}

function stepBody(scope: Scope, explorer: Explorer, lesson: Lesson, focus: () => void): HTMLElement[] {
  const index = lesson.step.value;
  const step = ALL[index];
  const why = step.missing(explorer);
  const go = (to: number) => {
    lesson.go(to);
    focus();
  };
  const title = h("h3", { class: "step-title" }, t(`lesson.${(index + 1) as Number}.title`));
  const content = why ? [h("p", { class: "note" }, t(why))] : step.build({ scope, explorer, lesson, index });
  const back = index > 0 ? button(t("lesson.back"), () => go(index - 1)) : h("span", {});
  const next = index < STEPS - 1 ? button(t("lesson.next"), () => go(index + 1), { class: "primary" }) : null;
  return [title, ...content, h("div", { class: "line ends" }, back, next ?? h("span", {}))];
}

function stepper(scope: Scope, lesson: Lesson): HTMLElement {
  const buttons = ALL.map((_, i) => button(String(i + 1), () => lesson.go(i), { class: "step-button" }));
  scope.watch([lesson.step, ...lesson.done.flat()], () =>
    buttons.forEach((one, i) => {
      const done = lesson.isDone(i);
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
