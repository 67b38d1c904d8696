import { figureText } from "../app/figures";
import { fill, h } from "../core/dom";
import { seeded } from "../core/random";
import { inSlices } from "../core/slices";
import type { LatentModel } from "../engine/types";
import { changeAround, localFigures } from "../space/local";
import { fixed, percent, t } from "../texts";
import { crowdAt } from "../texts/words";
import { Restlessness } from "./lesson";
import { modelThat, paragraphs, tasks, type Room, type Step } from "./parts";

/** Number of random codes that define low and high sensitivity in a model. */
const PLACES = 80;

/** Step 5: continuity and completeness, measured where the pointer is. */
export const continuity: Step = {
  missing: ({ pack }) => (pack.models.some((model) => model.inPage) ? null : "lesson.5.missing"),
  build(room: Room) {
    const { explorer, lesson, index, scope } = room;
    const model = modelThat(explorer, true) ?? explorer.pack.models[0];
    explorer.show([model]);
    explorer.layer.value = "sensitivity";
    const list = h("dl", { class: "measures" });
    let scale: Restlessness | null = null;
    scope.add(survey(model, (changes) => (scale = new Restlessness(changes))));
    const measure = () => {
      if (explorer.main !== model) return;
      const { change, returns } = localFigures(model, explorer.code);
      const chart = explorer.chart(model);
      const crowd = crowdAt(chart, ...chart.project(explorer.code));
      fill(list, ...lines([t("lesson.5.change"), percent(change)], [t("lesson.5.returns"), t("lesson.5.sd", { n: fixed(returns) })], [t("lesson.5.crowd"), t(crowd)]));
      const place = scale?.judge(change);
      if (explorer.cause === "start" || explorer.cause === "lesson") return;
      if (place === "low") lesson.finish(index, 0);
      if (place === "high") lesson.finish(index, 1);
      if (crowd === "here.none" || crowd === "here.hole" || crowd === "here.unknown") lesson.finish(index, 2);
    };
    scope.watch([explorer.codes, explorer.models], measure);
    const { continuity: k, completeness: c } = model.certificate;
    return [
      ...paragraphs("lesson.5.a", "lesson.5.b"),
      h("div", { class: "panel-box" }, h("h3", {}, t("lesson.5.here")), list),
      tasks(room, [t("lesson.5.low"), t("lesson.5.high"), t("lesson.5.empty")], () =>
        t("lesson.5.answer", { k: figureText(k), c: figureText(c) }),
      ),
    ];
  },
};

function lines(...pairs: [string, string][]): HTMLElement[] {
  return pairs.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]);
}

/** What a small step changes at many places, measured without holding up the page. */
function survey(model: LatentModel, ready: (changes: number[]) => void): () => void {
  const random = seeded(13);
  const changes: number[] = [];
  return inSlices(() => {
    changes.push(changeAround(model, model.sample("fitted", random)));
    if (changes.length === PLACES) ready(changes);
    return changes.length < PLACES;
  });
}
