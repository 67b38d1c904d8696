import { Slider } from "../core/controls";
import { percent, plural, t } from "../texts";
import { asDecoded, examples, meanError, rebuilt } from "./examples";
import { Ends } from "./lesson";
import { bars, pairs, paragraphs, tasks, type Room, type Step } from "./parts";

/** Step 2: encoder, bottleneck, decoder. Models of several d rebuild the same rows; what is lost is counted. */
export const bottleneck: Step = {
  missing: ({ pack }) => (pack.lesson && pack.lesson.squeeze.length > 1 ? null : "lesson.2.missing"),
  build(room: Room) {
    const { explorer, lesson, index } = room;
    const { pack } = explorer;
    explorer.show(pack.models.slice(0, 1));
    const models = [...pack.lesson!.squeeze].sort((a, b) => a.d - b.d);
    const rows = examples(explorer);
    const errors = models.map((model) => meanError(pack, model, rows));
    const before = rows.map((row) => asDecoded(pack, row));
    const both = pairs([t("lesson.original"), t("lesson.rebuilt")]);
    const chart = bars(t("lesson.2.error"), errors, percent);
    const ends = new Ends(models.length);
    const show = (place: number) => {
      both.show(before, rows.map((row) => rebuilt(models[place], row)));
      chart.choose(place);
    };
    const say = (place: number) => plural("lesson.2.one", "lesson.2.many", models[place].d);
    const slider = new Slider(t("lesson.2.slider"), { low: 0, high: models.length - 1, step: 1 }, say, (place) => {
      show(place);
      const { first, last } = ends.visit(place);
      if (first) lesson.finish(index, 0);
      if (last) lesson.finish(index, 1);
    });
    const start = models.length >> 1;
    slider.value = start;
    show(start);
    const answer = () =>
      t("lesson.2.answer", {
        least: say(0),
        most: say(models.length - 1),
        leastError: percent(errors[0]),
        mostError: percent(errors[errors.length - 1]),
      });
    return [
      ...paragraphs("lesson.2.a", "lesson.2.b"),
      slider.element,
      both.element,
      chart.element,
      tasks(room, [t("lesson.2.least", { d: say(0) }), t("lesson.2.most", { d: say(models.length - 1) })], answer),
    ];
  },
};
