import { distance } from "../core/linear";
import { whiten } from "../space/moments";
import { coordinates, t, whole } from "../texts";
import { paragraphs, tasks, type Room, type Step } from "./parts";

/** How far the point must go to count as moved, in standard deviations of the fitted prior. */
const FAR = 0.8;

/** Step 1: what an autoencoder is. A code of a few numbers is all that the decoder gets. */
export const autoencoder: Step = {
  missing: () => null,
  build(room: Room) {
    const { explorer, lesson, index, scope } = room;
    explorer.show(explorer.pack.models.slice(0, 1));
    const begun = whiten(explorer.main, explorer.code);
    scope.follow(explorer.codes, () => {
      if (explorer.cause !== "lesson" && distance(begun, whiten(explorer.main, explorer.code)) > FAR) lesson.finish(index, 0);
    });
    return [
      ...paragraphs("lesson.1.a", "lesson.1.b"),
      tasks(room, [t("lesson.1.task")], () =>
        t("lesson.1.answer", { code: coordinates(explorer.code), d: explorer.main.d, size: whole(inputSize(room)) }),
      ),
    ];
  },
};

function inputSize({ explorer }: Room): number {
  const { input } = explorer.pack;
  return input.type === "image" ? input.channels * input.height * input.width : input.fields.length;
}
