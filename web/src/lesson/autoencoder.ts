import { button, Slider } from "../core/controls";
import { h } from "../core/dom";
import type { EncodeInput } from "../engine/types";
import { percent, plural, t, whole } from "../texts";
import { anomaly, asDecoded, errorOf, errorsOf, inputSize, noisy, rebuilt, share95 } from "./material";
import { modelThat, type Content, type Room, type Step } from "./parts";
import { Gauge, Pipeline } from "./pipeline";
import { ownRow, Rows } from "./source";

/** Noise in standard deviations, up to 1; from this one on it counts as added. */
const ENOUGH = 0.3;

/** Step 1, the paper's first figure: a row through encoder, code and decoder; noise goes, and an anomaly does not come back. */
export const autoencoder: Step = {
  missing: ({ pack }) => (pack.models.some((model) => model.inPage) ? null : "lesson.missing.decoder"),
  build(room: Room): Content {
    const { explorer, scope, finish } = room;
    const { pack } = explorer;
    // The small one with the widest code: a narrow and small network removes more noise than a large one.
    const model = pack.lesson?.squeeze.reduce((a, b) => (b.d > a.d ? b : a)) ?? modelThat(explorer, false) ?? pack.models[0];
    explorer.mapsShown.value = false;
    const pipeline = new Pipeline(explorer);
    const usual = share95(errorsOf(explorer, model));
    const gauge = new Gauge(t("lesson.1.error"), "gauge.usual", 3 * usual);
    const said = h("p", { class: "result", role: "status" });
    let clean: EncodeInput;
    let level = 0;
    let strange = false;
    const show = () => {
      const given = level ? noisy(pack, clean, level, rows.place) : clean;
      const [output, original] = [rebuilt(model, given), asDecoded(pack, clean)];
      pipeline.show(model, asDecoded(pack, given), model.encode(given).mean, output, original);
      const error = errorOf(pack, clean, output);
      gauge.show(error, usual);
      const added = errorOf(pack, given, original);
      if (strange) said.textContent = t(error > usual ? "lesson.1.anomalous" : "lesson.1.ordinary");
      else said.textContent = level ? t("lesson.1.noise", { added: percent(added), left: percent(error) }) : "";
    };
    const use = (input: EncodeInput, isStrange = false) => {
      [clean, strange] = [input, isStrange];
      show();
    };
    const rows = new Rows(explorer, use);
    const noise = new Slider(
      t("lesson.1.slider"),
      { low: 0, high: 1, step: 0.05 },
      percent,
      (value) => {
        level = value;
        show();
      },
      (value) => value >= ENOUGH && finish(),
    );
    noise.value = 0;
    rows.choose(0);
    const odd = button(t("lesson.1.anomaly"), () => use(anomaly(pack, rows.all, rows.place), true));
    const exhibit = h(
      "div",
      { class: "stack" },
      pipeline.element,
      gauge.element,
      h("div", { class: "line" }, rows.element, odd, noise.element),
      said,
      ownRow(scope, explorer, (input) => use(input)),
    );
    const answer = () => {
      const given = noisy(pack, rows.all[rows.place], level, rows.place);
      return t("lesson.1.answer", {
        size: whole(inputSize(pack)),
        code: plural("lesson.2.one", "lesson.2.many", model.d),
        added: percent(errorOf(pack, given, asDecoded(pack, rows.all[rows.place]))),
        left: percent(errorOf(pack, rows.all[rows.place], rebuilt(model, given))),
      });
    };
    return { exhibit, answer };
  },
};
