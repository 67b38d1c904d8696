import { button } from "../core/controls";
import { h } from "../core/dom";
import { isHole } from "../space/holes";
import { percent, t } from "../texts";
import { crowdAt, modelTitle } from "../texts/words";
import { modelThat, paragraphs, tasks, type Room, type Step } from "./parts";

/** Step 3: why an autoencoder can't generate: random codes fall where no row has its code. */
export const holes: Step = {
  missing: (explorer) => {
    const model = modelThat(explorer, false);
    return model?.planes[0].posterior ? null : "lesson.3.missing";
  },
  build(room: Room) {
    const { explorer, lesson, index, scope } = room;
    const model = modelThat(explorer, false)!;
    explorer.show([model]);
    explorer.plane.value = { kind: "given", index: 0 };
    explorer.layer.value = "holes";
    const chart = explorer.chart(model);
    const found = chart.holes!;
    const share = percent(found.share);
    if (!found.deepest) {
      lesson.finish(index, 0);
      lesson.finish(index, 1);
      return [...paragraphs("lesson.3.a"), h("p", {}, t("lesson.3.none", { share }))];
    }
    explorer.marks.value = { model, target: found.deepest };
    scope.add(() => (explorer.marks.value = null));
    const look = () => {
      if (explorer.main !== model) return;
      const [u, v] = chart.project(explorer.code);
      if (isHole(found, u, v)) lesson.finish(index, 0);
      else if (lesson.done[index][0].value && crowdAt(chart, u, v) === "here.many") lesson.finish(index, 1);
    };
    scope.follow(explorer.codes, look);
    const other = modelThat(explorer, true);
    const compare = () => explorer.show([model, other!]);
    return [
      ...paragraphs("lesson.3.a", "lesson.3.b"),
      tasks(room, [t("lesson.3.hole"), t("lesson.3.rows")], () => t("lesson.3.answer", { share })),
      ...(other ? [button(t("lesson.3.compare", { model: modelTitle(other) }), compare)] : []),
    ];
  },
};
