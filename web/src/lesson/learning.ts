import type { Explorer } from "../app/explorer";
import { button } from "../core/controls";
import { h } from "../core/dom";
import { along, type Vector } from "../core/linear";
import { normal } from "../core/random";
import type { EncodeInput, LatentModel } from "../engine/types";
import { descent } from "../space/sensitivity";
import { coordinates, number, t, whole } from "../texts";
import { asDecoded, examples, squaredError } from "./examples";
import { Sequence } from "./lesson";
import { modelThat, pairs, paragraphs, tasks, type Room, type Step } from "./parts";

/** Step 4: how a VAE learns, on one row at a time: encode as a distribution, sample, decode and measure, propagate back. */
export const learning: Step = {
  missing: (explorer) => (modelThat(explorer, true) ? null : "lesson.4.missing"),
  build(room: Room) {
    const { explorer, lesson, index, scope } = room;
    const model = modelThat(explorer, true)!;
    explorer.show([model]);
    explorer.layer.value = "posterior";
    const rows = examples(explorer);
    const run = new LearningRun(explorer, model);
    const outputs = [0, 1, 2, 3].map(() => h("p", { class: "result", role: "status" }));
    const both = pairs([t("lesson.original"), t("lesson.rebuilt")]);
    const sequence = new Sequence();
    const acts = [() => run.encode(), () => run.sample(), () => run.measure(), () => run.propagate()];
    const draw = () => both.show([asDecoded(explorer.pack, run.row)], sequence.reached > 2 ? [model.decode(run.z)] : []);
    const buttons = acts.map((act, i) =>
      button(
        t(`lesson.4.do.${i as 0 | 1 | 2 | 3}`),
        () => {
          if (!sequence.take(i)) return;
          outputs[i].textContent = act();
          lesson.finish(index, i);
          // What comes after is of another draw now.
          if (i < 3) outputs.slice(i + 1).forEach((output) => (output.textContent = ""));
          sequence.reached = i + 1;
          refresh();
        },
        { class: "primary" },
      ),
    );
    const items = buttons.map((one, i) => h("li", {}, one, outputs[i]));
    const refresh = () => {
      buttons.forEach((one, i) => one.setAttribute("aria-disabled", String(i > sequence.reached)));
      items.forEach((item, i) => item.classList.toggle("done", i < sequence.reached));
      draw();
    };
    let place = 0;
    const choose = (next: number) => {
      place = (next + rows.length) % rows.length;
      run.begin(rows[place]);
      sequence.restart();
      outputs.forEach((output) => (output.textContent = ""));
      counter.textContent = t("lesson.4.row", { n: whole(place + 1), of: whole(rows.length) });
      refresh();
    };
    const counter = h("span", {});
    choose(0);
    scope.add(() => run.leave());
    return [
      ...paragraphs("lesson.4.a"),
      h("div", { class: "line" }, button("‹", () => choose(place - 1), { "aria-label": t("lesson.4.before") }), counter, button("›", () => choose(place + 1), { "aria-label": t("lesson.4.next") })),
      both.element,
      h("ol", { class: "learning" }, ...items),
      tasks(room, [], () => t("lesson.4.answer")),
    ];
  },
};

/** How far a step of learning may move the code, in standard deviations of the codes, and how often it is halved. */
const STRIDE = 0.5;
const HALVINGS = 6;

/** How much of the map is shown around a cloud, in its standard deviations: it is a few of them wide. */
const AROUND = 7;

/** The numbers of one row's pass through the model. */
class LearningRun {
  row!: EncodeInput;
  z!: Vector;
  private mean!: Vector;
  private sd!: Vector;

  constructor(
    private readonly explorer: Explorer,
    private readonly model: LatentModel,
  ) {}

  begin(row: EncodeInput): void {
    this.row = row;
    const { mean, sd } = this.model.encode(row);
    [this.mean, this.sd, this.z] = [mean, sd, mean];
    this.leave();
  }

  leave(): void {
    this.explorer.marks.value = null;
    this.explorer.frame.value = null;
  }

  encode(): string {
    const { mean, sd, model } = this;
    this.explorer.marks.value = { model, cloud: { mean, sd } };
    this.explorer.frame.value = { model, middle: mean, reach: AROUND * Math.max(...sd) };
    this.go(mean);
    return t("lesson.4.encoded", { mean: coordinates(mean), sd: coordinates(sd), rate: number(divergence(mean, sd)) });
  }

  sample(): string {
    const noise = Float32Array.from(this.mean, () => normal(this.explorer.random));
    this.z = this.mean.map((value, i) => value + this.sd[i] * noise[i]);
    this.go(this.z);
    return t("lesson.4.sampled", { noise: coordinates(noise), z: coordinates(this.z) });
  }

  measure(): string {
    return t("lesson.4.measured", { error: number(this.error(this.z)), rate: number(divergence(this.mean, this.sd)) });
  }

  /** Where the error falls, and a step that way, shortened until it does fall. */
  propagate(): string {
    const before = this.error(this.z);
    const pull = descent((z) => this.error(z), this.z, this.model.spread);
    const length = STRIDE * Math.max(...this.model.spread);
    let better = this.z;
    for (let i = 0, step = length / (Math.hypot(...pull) || 1); i < HALVINGS; i++, step /= 2) {
      const tried = along(this.z, pull, step);
      if (this.error(tried) >= before) continue;
      better = tried;
      break;
    }
    const from = this.z;
    this.explorer.marks.value = { model: this.model, cloud: { mean: this.mean, sd: this.sd }, arrow: { from, to: better } };
    const after = this.error(better);
    this.z = better;
    this.go(better);
    return t("lesson.4.propagated", { pull: coordinates(pull), before: number(before, 4), after: number(after, 4) });
  }

  private error(z: Vector): number {
    return squaredError(this.explorer.pack, this.row, this.model.decode(z));
  }

  private go(z: Vector): void {
    this.explorer.moveTo(z, "lesson", this.model);
  }
}

/** KL(q(z|x) ‖ N(0, I)) of a diagonal normal distribution, in nats. */
export function divergence(mean: Vector, sd: Vector): number {
  return mean.reduce((sum, mu, i) => sum + (mu * mu + sd[i] * sd[i] - 1) / 2 - Math.log(Math.max(sd[i], 1e-12)), 0);
}
