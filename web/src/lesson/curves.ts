import { h, s } from "../core/dom";

const [WIDTH, HEIGHT, PAD] = [200, 64, 8];

export interface LineChart {
  element: HTMLElement;
  /** Marks a place between the first value (0) and the last one, and writes what is there. */
  choose(place: number): void;
}

/** One figure over several models, with the one that a slider is at. A value that is unknown leaves a gap. */
export function lineChart(title: string, values: (number | null)[], say: (value: number) => string, ticks: string[]): LineChart {
  const known = values.filter((value): value is number => value !== null);
  const top = Math.max(...known, 1e-9);
  const x = (place: number) => PAD + (place / Math.max(1, values.length - 1)) * (WIDTH - 2 * PAD);
  const y = (value: number) => HEIGHT - PAD - (value / top) * (HEIGHT - 2 * PAD);
  const points = values.flatMap((value, i) => (value === null ? [] : [`${x(i).toFixed(1)},${y(value).toFixed(1)}`]));
  const marker = s("circle", { r: 4.5, class: "marker" });
  const said = h("strong", {});
  const drawing = s(
    "svg",
    { viewBox: `0 0 ${WIDTH} ${HEIGHT + 10}`, "aria-hidden": "true" },
    s("path", { class: "base", d: `M0 ${HEIGHT - PAD}H${WIDTH}` }),
    s("polyline", { class: "curve", points: points.join(" ") }),
    ...ticks.map((tick, i) => s("text", { x: x(i), y: HEIGHT + 6, "text-anchor": i === 0 ? "start" : i === ticks.length - 1 ? "end" : "middle" }, tick)),
    marker,
  );
  return {
    element: h("figure", { class: "line-chart" }, h("figcaption", {}, h("span", {}, title), said), drawing),
    choose: (place) => {
      const value = interpolated(values, place);
      marker.toggleAttribute("hidden", value === null);
      said.textContent = value === null ? "–" : say(value);
      if (value === null) return;
      marker.setAttribute("cx", String(x(place)));
      marker.setAttribute("cy", String(y(value)));
    },
  };
}

/** The value between two models; of a slider on its way, and unknown where one of them is. */
export function interpolated(values: (number | null)[], place: number): number | null {
  const left = Math.min(values.length - 1, Math.floor(place));
  const right = Math.min(values.length - 1, left + 1);
  const [a, b] = [values[left], values[right]];
  const share = place - left;
  if (share < 1e-9) return a;
  return a === null || b === null ? null : a + share * (b - a);
}
