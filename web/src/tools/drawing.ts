import type { Explorer } from "../app/explorer";
import { button } from "../core/controls";
import { h, newId } from "../core/dom";
import type { Scope } from "../core/signal";
import { paint } from "../decoded/pixels";
import type { EncodeInput } from "../engine/types";
import { percent, t } from "../texts";

interface Shape {
  channels: number;
  height: number;
  width: number;
}

/** Pixels of a brush around its middle, as a share of the picture's side. */
const BRUSH = 0.075;

/** A picture to paint on, by hand or by keys. */
export function drawing(scope: Scope, explorer: Explorer, shape: Shape, changed: (input: EncodeInput) => void): HTMLElement {
  const { channels, height, width } = shape;
  let pixels = new Float32Array(height * width * channels);
  let [column, row] = [width >> 1, height >> 1];
  const help = newId("help");
  const spoken = h("span", { class: "unseen", "aria-live": "polite" });
  const canvas = h("canvas", { class: "pixels" });
  const cursor = h("i", { class: "cursor", hidden: true });
  const board = h(
    "div",
    { class: "board", tabindex: "0", role: "application", "aria-label": t("draw.label"), "aria-describedby": help },
    canvas,
    cursor,
  );
  const show = () => {
    paint(canvas, { type: "image", ...shape, pixels });
    cursor.style.left = `${(column / width) * 100}%`;
    cursor.style.top = `${(row / height) * 100}%`;
    cursor.style.width = `${100 / width}%`;
    cursor.style.height = `${100 / height}%`;
  };
  const ready = () => {
    show();
    changed({ type: "image", pixels: pixels.slice() });
  };
  const set = (x: number, y: number, value: number) => {
    if (x < 0 || y < 0 || x >= width || y >= height) return;
    const at = (y * width + x) * channels;
    pixels.fill(Math.max(0, Math.min(1, value)), at, at + channels);
  };
  const stroke = (event: PointerEvent) => {
    const box = canvas.getBoundingClientRect();
    const [x, y] = [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
    brush(x, y, shape, (i, j, ink) => set(i, j, event.buttons & 2 ? 0 : Math.max(ink, pixels[(j * width + i) * channels])));
    ready();
  };
  scope.on(board, "pointerdown", (event) => {
    board.setPointerCapture(event.pointerId);
    stroke(event);
  });
  scope.on(board, "pointermove", (event) => event.buttons && stroke(event));
  scope.on(board, "contextmenu", (event) => event.preventDefault());
  scope.on(board, "focus", () => (cursor.hidden = false));
  scope.on(board, "blur", () => (cursor.hidden = true));
  scope.on(board, "keydown", (event) => {
    const moves: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const move = moves[event.key];
    if (!move && event.key !== " ") return;
    event.preventDefault();
    if (move) {
      column = Math.max(0, Math.min(width - 1, column + move[0]));
      row = Math.max(0, Math.min(height - 1, row + move[1]));
    }
    const at = (row * width + column) * channels;
    if (event.key === " ") set(column, row, pixels[at] > 0.5 ? 0 : 1);
    spoken.textContent = t("draw.cell", { column: column + 1, row: row + 1, light: percent(pixels[at]) });
    if (move) show();
    else ready();
  });
  const take = () => {
    const decoded = explorer.main.decode(explorer.code);
    if (decoded.type === "image") pixels = decoded.pixels.slice();
    ready();
  };
  show();
  return h(
    "div",
    { class: "stack" },
    board,
    spoken,
    h("p", { id: help, class: "note" }, t("draw.keys")),
    h(
      "div",
      { class: "line" },
      button(t("draw.take"), take),
      button(t("draw.clear"), () => {
        pixels = new Float32Array(pixels.length);
        show();
      }),
    ),
  );
}

/** A soft round brush: full in the middle, nothing at its rim. */
function brush(x: number, y: number, { width, height }: Shape, touch: (i: number, j: number, ink: number) => void): void {
  const radius = Math.max(0.9, BRUSH * Math.max(width, height));
  for (let j = Math.floor(y - radius); j <= y + radius; j++)
    for (let i = Math.floor(x - radius); i <= x + radius; i++) {
      if (i < 0 || j < 0 || i >= width || j >= height) continue;
      const ink = 1.4 - Math.hypot(i + 0.5 - x, j + 0.5 - y) / radius;
      if (ink > 0) touch(i, j, Math.min(1, ink));
    }
}
