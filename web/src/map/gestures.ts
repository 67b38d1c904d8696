import type { Scope } from "../core/signal";

/** What hands do on a map, in CSS pixels of it. */
export interface Hands {
  /** Whether a press begins a line around points, moves the map, or the point. */
  gesture(): "move" | "pan" | "lasso";
  point(x: number, y: number): void;
  /** The point was let go of. */
  end(): void;
  hover(x: number, y: number): void;
  leave(): void;
  pan(dx: number, dy: number): void;
  zoom(factor: number, x: number, y: number): void;
  line(line: [number, number][], closed: boolean): void;
}

/** Mouse, pen and fingers: one finger does what the chosen tool does, two move and zoom, a wheel zooms. */
export function listenToHands(scope: Scope, element: HTMLElement, hands: Hands): void {
  const down = new Map<number, [number, number]>();
  let line: [number, number][] = [];
  const place = (event: MouseEvent): [number, number] => {
    const box = element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const doing = (event: PointerEvent) => (event.buttons & 6 || event.shiftKey ? "pan" : hands.gesture());

  scope.on(element, "pointerdown", (event) => {
    element.setPointerCapture(event.pointerId);
    down.set(event.pointerId, place(event));
    line = [place(event)];
    hands.leave();
    if (down.size === 1 && doing(event) === "move") hands.point(...place(event));
    if (event.button === 1) event.preventDefault();
  });
  scope.on(element, "pointermove", (event) => {
    const before = down.get(event.pointerId);
    const now = place(event);
    if (!before) return hands.hover(...now);
    down.set(event.pointerId, now);
    if (down.size === 2) return pinch(event.pointerId, before, now);
    const [dx, dy] = [now[0] - before[0], now[1] - before[1]];
    const what = doing(event);
    if (what === "pan") hands.pan(dx, dy);
    else if (what === "move") hands.point(...now);
    else hands.line((line = [...line, now]), false);
  });
  const pinch = (id: number, before: [number, number], now: [number, number]) => {
    const other = [...down].find(([key]) => key !== id)![1];
    const apart = (at: [number, number]) => Math.hypot(at[0] - other[0], at[1] - other[1]) || 1;
    hands.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
    hands.zoom(apart(now) / apart(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  };
  const up = (event: PointerEvent) => {
    if (!down.delete(event.pointerId)) return;
    if (hands.gesture() === "lasso" && down.size === 0) hands.line(line, true);
    if (down.size === 0) hands.end();
    line = [];
  };
  scope.on(element, "pointerup", up);
  scope.on(element, "pointercancel", up);
  scope.on(element, "pointerleave", () => hands.leave());
  scope.on(element, "contextmenu", (event) => event.preventDefault());
  scope.on(
    element,
    "wheel",
    (event) => {
      event.preventDefault();
      const pixels = event.deltaMode === 1 ? event.deltaY * 16 : event.deltaY;
      hands.zoom(Math.exp(-pixels * 0.0015), ...place(event));
    },
    { passive: false },
  );
}

/** What keys do on a map. */
export interface Keys {
  /** A step in units of a twentieth of the map: 1, or a fifth of it for fine work. */
  step(across: number, up: number): void;
  zoom(factor: number): void;
  reset(): void;
  /** The row nearest to the point, or what lies around it. */
  nearest(): void;
  around(): void;
  clear(): void;
}

export function listenToKeys(scope: Scope, element: HTMLElement, keys: Keys): void {
  const FINE = 0.2;
  scope.on(element, "keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const size = event.shiftKey ? FINE : 1;
    const actions: Record<string, () => void> = {
      ArrowLeft: () => keys.step(-size, 0),
      ArrowRight: () => keys.step(size, 0),
      ArrowUp: () => keys.step(0, size),
      ArrowDown: () => keys.step(0, -size),
      "+": () => keys.zoom(1.25),
      "=": () => keys.zoom(1.25),
      "-": () => keys.zoom(0.8),
      "0": () => keys.reset(),
      Enter: () => keys.nearest(),
      s: () => keys.around(),
      S: () => keys.around(),
      Escape: () => keys.clear(),
    };
    const action = actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
