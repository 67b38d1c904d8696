import { Slider } from "../core/controls";
import { h } from "../core/dom";
import type { EncodeInput } from "../engine/types";
import { percent, plural, t } from "../texts";
import { asDecoded, attachCodes, errorOf, errorsOf, mean } from "./material";
import { showPrincipal, type Content, type Room, type Step } from "./parts";
import { Gauge, Pipeline } from "./pipeline";
import { lineChart } from "./curves";
import { Rows } from "./source";

/** Step 2, the bottleneck: models of several d rebuild the same rows; pipeline, map and error change together. */
export const bottleneck: Step = {
  missing: ({ pack }) => (pack.lesson && pack.lesson.squeeze.length > 1 ? null : "lesson.missing.models"),
  build(room: Room): Content {
    const { explorer, scope, finish } = room;
    const { pack } = explorer;
    const models = [...pack.lesson!.squeeze].sort((a, b) => a.d - b.d);
    const errors = models.map((model) => mean(errorsOf(explorer, model)));
    const say = (place: number) => plural("lesson.2.one", "lesson.2.many", models[place].d);
    const pipeline = new Pipeline(explorer);
    const gauge = new Gauge(t("lesson.2.here"), "gauge.mean", 1.5 * errors[0]);
    const chart = lineChart(t("lesson.2.error"), errors, percent, models.map((model) => String(model.d)));
    let input: EncodeInput;
    explorer.mapsShown.value = true;
    explorer.layer.value = "posterior";
    const show = () => {
      const output = explorer.main.decode(explorer.code);
      pipeline.show(explorer.main, asDecoded(pack, input), explorer.code, output);
      gauge.show(errorOf(pack, input, output), errors[models.indexOf(explorer.main)] ?? errors[0]);
    };
    const encode = () => explorer.moveAll([explorer.main.encode(input).mean], "lesson");
    const use = (place: number) => {
      attachCodes(explorer, models[place]);
      explorer.show([models[place]]);
      showPrincipal(explorer);
      chart.choose(place);
      encode();
    };
    const rows = new Rows(explorer, (row) => {
      input = row;
      encode();
    });
    const slider = new Slider(t("lesson.2.slider"), { low: 0, high: models.length - 1, step: 1 }, say, use, (place) => place === 0 && finish());
    const start = models.length - 1;
    slider.value = start;
    input = rows.all[0];
    use(start);
    rows.choose(0);
    scope.watch([explorer.codes, explorer.models], show);
    const exhibit = h("div", { class: "stack" }, pipeline.element, h("div", { class: "line" }, rows.element, slider.element), h("div", { class: "halves" }, gauge.element, chart.element));
    const answer = () =>
      t("lesson.2.answer", { least: say(0), most: say(start), leastError: percent(errors[0]), mostError: percent(errors[start]) });
    return { exhibit, answer };
  },
};
