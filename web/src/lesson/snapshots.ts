import type { Explorer } from "../app/explorer";
import { category, paletteIndex, palette, type Rgb } from "../colour/scales";
import { button, Slider } from "../core/controls";
import { h } from "../core/dom";
import type { Scope } from "../core/signal";
import { number, t, whole } from "../texts";
import { lineChart } from "./curves";
import { Flow } from "./flow";

/** The film lasts so long, in milliseconds. */
const LENGTH = 8000;

/** The recorded snapshots of training as a film: the codes of the same rows, and both parts of the loss. */
export function snapshots(scope: Scope, explorer: Explorer): HTMLElement | null {
  const training = explorer.pack.lesson?.training;
  if (!training) return null;
  const flow = new Flow(scope, training.codes, coloursOf(explorer, training.rows), t("lesson.4.film"), -1);
  const last = training.codes.length - 1;
  const ticks = [whole(training.epochs[0]), ...training.epochs.slice(1, -1).map(() => ""), whole(training.epochs[last])];
  const charts = [lineChart(t("curve.distortion"), positive(training.reconstruction), () => say(training.reconstruction), ticks), lineChart(t("curve.kl"), training.kl, () => say(training.kl), ticks)];
  let place = last;
  const say = (values: number[]) => number(values[Math.round(place)]);
  const show = (next: number) => {
    place = next;
    flow.show(next);
    charts.forEach((chart) => chart.choose(next));
  };
  const slider = new Slider(t("lesson.4.epoch"), { low: 0, high: last, step: 0.1 }, (value) => whole(training.epochs[Math.round(value)]), show);
  const film = new Film(slider, last, show);
  scope.add(() => film.stop());
  slider.value = last;
  show(last);
  return h("section", { class: "film" }, flow.element, h("div", { class: "stack tight" }, h("h4", {}, t("lesson.4.film")), ...charts.map((chart) => chart.element), slider.element, film.button));
}

/** A loss of densities may be negative: a curve is drawn above its least value. */
function positive(values: number[]): number[] {
  const least = Math.min(...values);
  return values.map((value) => value - least);
}

/** Moves a slider from one end to the other. */
class Film {
  readonly button = button(t("walk.play"), () => (this.playing ? this.stop() : this.start()), { class: "primary" });
  private playing = 0;

  constructor(
    private readonly slider: Slider,
    private readonly last: number,
    private readonly show: (place: number) => void,
  ) {}

  stop(): void {
    cancelAnimationFrame(this.playing);
    this.playing = 0;
    this.button.textContent = t("walk.play");
  }

  private start(): void {
    this.button.textContent = t("walk.stop");
    const begun = performance.now();
    const step = (now: number) => {
      const share = Math.min(1, (now - begun) / LENGTH);
      // Where motion is unwelcome it goes from snapshot to snapshot.
      const place = matchMedia("(prefers-reduced-motion: reduce)").matches ? Math.round(share * this.last) : share * this.last;
      this.slider.value = place;
      this.show(place);
      if (share < 1) this.playing = requestAnimationFrame(step);
      else this.stop();
    };
    this.playing = requestAnimationFrame(step);
  }
}

/** The colours of some rows on the map. */
export function coloursOf(explorer: Explorer, rows: ArrayLike<number>): Rgb[] {
  const column = explorer.pack.models[0].points?.columns[0];
  if (!column) return Array.from(rows, () => category(0));
  const [places, table] = [paletteIndex(column), palette(column.labels)];
  return Array.from(rows, (row) => [table[4 * places[row]], table[4 * places[row] + 1], table[4 * places[row] + 2]] as const);
}
