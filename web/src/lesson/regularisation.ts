import { Slider } from "../core/controls";
import { h } from "../core/dom";
import { chartOf } from "../space/plane";
import { number, percent, t } from "../texts";
import { examples, meanError } from "./examples";
import { Ends } from "./lesson";
import { bars, paragraphs, tasks, type Room, type Step } from "./parts";

/** Step 6: regularisation. The same data, from an autoencoder (β = 0) to a model whose code says nothing. */
export const regularisation: Step = {
  missing: ({ pack }) => (pack.lesson && pack.lesson.regularisation.length > 1 ? null : "lesson.6.missing"),
  build(room: Room) {
    const { explorer, lesson, index } = room;
    const { pack } = explorer;
    const models = [...pack.lesson!.regularisation].sort((a, b) => (a.beta ?? 0) - (b.beta ?? 0));
    const rows = examples(explorer);
    const errors = models.map((model) => meanError(pack, model, rows));
    const empty = models.map((model) => chartOf(model, { kind: "given", index: 0 }).holes?.share ?? 0);
    const charts = [bars(t("lesson.6.holes"), empty, percent), bars(t("lesson.6.error"), errors, percent)];
    const active = h("p", { class: "note", role: "status" });
    const ends = new Ends(models.length);
    const show = (place: number) => {
      explorer.show([models[place]]);
      charts.forEach((chart) => chart.choose(place));
      active.textContent = t("lesson.6.active", { n: models[place].active.length, d: models[place].d });
    };
    const say = (place: number) => t("lesson.6.beta", { beta: number(models[place].beta ?? 0) });
    const slider = new Slider(t("lesson.6.slider"), { low: 0, high: models.length - 1, step: 1 }, say, (place) => {
      show(place);
      const { first, last } = ends.visit(place);
      if (first) lesson.finish(index, 0);
      if (last) lesson.finish(index, 1);
    });
    explorer.plane.value = { kind: "given", index: 0 };
    explorer.layer.value = "holes";
    const start = models.length >> 1;
    slider.value = start;
    show(start);
    const final = models.length - 1;
    const answer = () =>
      t("lesson.6.answer", {
        first: percent(empty[0]),
        best: percent(Math.min(...empty)),
        error: percent(errors[final]),
        least: percent(Math.min(...errors)),
      });
    return [
      ...paragraphs("lesson.6.a", "lesson.6.b"),
      slider.element,
      ...charts.map((chart) => chart.element),
      active,
      tasks(room, [t("lesson.6.first"), t("lesson.6.last")], answer),
    ];
  },
};
