import { Signal } from "../core/signal";
import type { Rgb } from "./scales";

export type Theme = "auto" | "light" | "dark";

/** What canvases need of the style sheet's colours, which they can't read by themselves. */
export interface Ink {
  paper: Rgb;
  ink: Rgb;
  quiet: Rgb;
  line: Rgb;
  accent: Rgb;
  warm: Rgb;
}

const dark = matchMedia("(prefers-color-scheme: dark)");

export const theme = new Signal<Theme>("auto");
/** Changes with the theme, by hand or with the system's. */
export const ink = new Signal<Ink>(read());

export function startTheme(): void {
  dark.addEventListener("change", apply);
  theme.listen(apply);
  apply();
}

function apply(): void {
  const night = theme.value === "dark" || (theme.value === "auto" && dark.matches);
  document.documentElement.dataset.theme = night ? "dark" : "light";
  ink.value = read();
}

function read(): Ink {
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): Rgb => {
    const parts = style.getPropertyValue(name).trim().match(/[0-9a-f]{2}/gi);
    return parts ? (parts.slice(0, 3).map((part) => parseInt(part, 16)) as unknown as Rgb) : [0, 0, 0];
  };
  return {
    paper: colour("--map"),
    ink: colour("--ink"),
    quiet: colour("--quiet"),
    line: colour("--line"),
    accent: colour("--accent"),
    warm: colour("--warm"),
  };
}
