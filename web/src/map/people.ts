import type { Explorer } from "../app/explorer";
import type { Scope } from "../core/signal";
import { circle } from "../space/lasso";
import { nearestRows } from "../space/nearest";
import { listenToHands, listenToKeys } from "./gestures";
import type { MapView } from "./map";

/** Steps of the arrow keys across the map, and the share of it that lies "around" the point. */
const STEPS = 20;
const AROUND = 0.1;

/** What hands and keys on a map mean to the point, to the camera and to the selection. */
export function listenToPeople(scope: Scope, explorer: Explorer, map: MapView): void {
  const { camera, model, stage } = map;
  const chart = () => explorer.chart(model);
  const here = () => chart().project(explorer.codeOf(model));
  const wide = () => camera.width / camera.scale;
  const go = (u: number, v: number, cause: "drag" | "keys") =>
    explorer.moveTo(chart().lift(u, v, chart().residual(explorer.codeOf(model))), cause, model);
  listenToHands(scope, stage, {
    gesture: () => explorer.gesture.value,
    point: (x, y) => go(...camera.toPlane(x, y), "drag"),
    end: () => explorer.endGesture(),
    hover: (x, y) => map.hover(x, y),
    leave: () => map.hover(-1e6, -1e6),
    pan: (dx, dy) => {
      camera.pan(dx, dy);
      map.moved();
    },
    zoom: (factor, x, y) => {
      camera.zoom(factor, x, y);
      map.moved();
    },
    line: (line, closed) => {
      map.sketch(closed ? [] : line);
      if (closed) map.select(line.map(([x, y]) => camera.toPlane(x, y)));
    },
  });
  listenToKeys(scope, stage, {
    step: (across, up) => {
      const [u, v] = here();
      go(u + (across * wide()) / STEPS, v + (up * wide()) / STEPS, "keys");
      explorer.endGesture();
    },
    zoom: (factor) => map.zoom(factor),
    reset: () => map.reset(),
    nearest: () => {
      const [found] = nearestRows(model, explorer.codeOf(model), 1);
      if (found) explorer.moveToRow(found.row);
    },
    around: () => map.select(circle(...here(), AROUND * wide())),
    clear: () => (explorer.selection.value = null),
  });
}
