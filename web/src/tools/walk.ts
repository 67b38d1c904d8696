import type { Explorer } from "../app/explorer";
import { button, Slider } from "../core/controls";
import { fill, h } from "../core/dom";
import { between } from "../core/linear";
import type { Scope } from "../core/signal";
import { percent, t } from "../texts";
import { cards } from "./answer";

const FRAMES = 7;
/** A walk from end to end, in milliseconds; where motion is unwelcome it goes in so many steps instead. */
const LENGTH = 5000;
const STEPS = 6;

/** A straight way between two codes: the slider goes along it, "play" walks it. */
export function walkTool(scope: Scope, explorer: Explorer): HTMLElement {
  const strip = h("div", { class: "cards strip" });
  const slider = new Slider(t("walk.along"), { low: 0, high: 1, step: 0.01 }, percent, (share) => go(explorer, share));
  const play = button("", () => (playing ? stop() : start()), { class: "primary" });
  let playing = 0;

  const stop = () => {
    cancelAnimationFrame(playing);
    clearInterval(playing);
    playing = 0;
    play.textContent = t("walk.play");
  };
  const start = () => {
    play.textContent = t("walk.stop");
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) playing = inSteps(explorer, slider, stop);
    else {
      const begun = performance.now();
      const step = (now: number) => {
        const share = Math.min(1, (now - begun) / LENGTH);
        if (!explorer.walk.value) return stop();
        slider.value = share;
        go(explorer, share);
        if (share < 1) playing = requestAnimationFrame(step);
        else stop();
      };
      playing = requestAnimationFrame(step);
    }
  };
  stop();
  scope.add(stop);
  const rest = h("div", { class: "stack" }, slider.element, play, strip, button(t("walk.clear"), () => (explorer.walk.value = null)));
  let drawn: unknown = null;
  scope.build(explorer.walk, () => {
    const walk = explorer.walk.value;
    rest.hidden = !walk;
    if (walk) slider.value = walk.share;
    // The strip changes with the ends, not with each step between them.
    if (walk && walk.from !== drawn) fill(strip, ...frames(explorer));
    drawn = walk?.from;
  });
  return h("div", {}, h("p", {}, t("walk.how")), ends(explorer), rest);
}

function ends(explorer: Explorer): HTMLElement {
  const other = () => explorer.models.value.map((model) => model.sample("fitted", explorer.random));
  const set = (end: "from" | "to") => {
    const walk = explorer.walk.value;
    const here = explorer.codes.value;
    const from = end === "from" ? here : (walk?.from ?? other());
    const to = end === "to" ? here : (walk?.to ?? other());
    explorer.walk.value = { from: [...from], to, share: end === "to" ? 1 : 0 };
  };
  const random = () => {
    explorer.walk.value = { from: other(), to: other(), share: 0 };
    go(explorer, 0);
  };
  return h(
    "div",
    { class: "line" },
    button(t("walk.from"), () => set("from")),
    button(t("walk.to"), () => set("to")),
    button(t("walk.random"), random),
  );
}

function go(explorer: Explorer, share: number): void {
  const walk = explorer.walk.value;
  if (!walk) return;
  explorer.walk.value = { ...walk, share };
  explorer.moveAll(
    walk.from.map((from, i) => between(from, walk.to[i], share)),
    "walk",
  );
}

function inSteps(explorer: Explorer, slider: Slider, stop: () => void): number {
  let step = 0;
  return window.setInterval(() => {
    const share = Math.min(1, step++ / STEPS);
    slider.value = share;
    go(explorer, share);
    if (share === 1) stop();
  }, LENGTH / STEPS);
}

/** Pictures (or rows) along the way, for those who want to see all of it at once. */
function frames(explorer: Explorer): HTMLElement[] {
  const walk = explorer.walk.value!;
  const model = explorer.main;
  if (!model.inPage) return [];
  const shares = Array.from({ length: FRAMES }, (_, i) => i / (FRAMES - 1));
  const decoded = shares.map((share) => model.decode(between(walk.from[0], walk.to[0], share)));
  return cards(explorer.pack, decoded, (i) => percent(shares[i]), (i) => go(explorer, shares[i]));
}
