import { Signal } from "../core/signal";
import type { Said } from "../engine/types";
import { en } from "./en";
import { es } from "./es";

/** Texts and numbers in the reader's language. The page is built again when it changes. */
export type Key = keyof typeof en;
export type Language = "en" | "es";

export const CATALOGUES: Record<Language, Record<Key, string>> = { en, es };
const LOCALES: Record<Language, string> = { en: "en-GB", es: "es-MX" };

export const language = new Signal<Language>(
  chosenLanguage(new URLSearchParams(location.search).get("lang"), navigator.languages ?? [navigator.language]),
);

/** What the address asks for, else the first of the reader's languages that there is, else English. */
export function chosenLanguage(asked: string | null, preferred: readonly string[]): Language {
  for (const candidate of [asked ?? "", ...preferred]) {
    const short = candidate.slice(0, 2).toLowerCase();
    if (short in CATALOGUES) return short as Language;
  }
  return "en";
}

/** A text, with {names} filled in. */
export function t(key: Key, values: Record<string, string | number> = {}): string {
  return CATALOGUES[language.value][key].replace(/\{(\w+)\}/g, (hole, name: string) =>
    name in values ? (typeof values[name] === "number" ? number(values[name]) : String(values[name])) : hole,
  );
}

/** A sentence that came with the page, in the reader's language. */
export function said(sentence: Said): string {
  return sentence[language.value] ?? sentence.en ?? "";
}

/** A text about one thing or about many. */
export function plural(one: Key, many: Key, count: number): string {
  return t(count === 1 ? one : many, { n: whole(count) });
}

/** Thousands are set apart from five digits on: a year is not 1,972. */
const LOOSE: Intl.NumberFormatOptions = { useGrouping: "min2" };

export function number(value: number, digits = 3): string {
  return format(value, { maximumSignificantDigits: digits, ...LOOSE });
}

/** With as many decimals as asked for, so that figures that change don't dance. */
export function fixed(value: number, decimals = 2): string {
  return format(value, { minimumFractionDigits: decimals, maximumFractionDigits: decimals, ...LOOSE });
}

export function percent(share: number): string {
  return format(share, { style: "percent", maximumFractionDigits: share < 0.1 ? 1 : 0 });
}

export function whole(value: number): string {
  return format(value, { maximumFractionDigits: 0, useGrouping: "always" });
}

function format(value: number, options: Intl.NumberFormatOptions): string {
  // What rounds to nothing has no sign.
  return new Intl.NumberFormat(LOCALES[language.value], { signDisplay: "negative", ...options }).format(value || 0).replace("-", "−");
}

/** Coordinates as in z₁ = 0.52. */
export function coordinates(values: ArrayLike<number>, most = 4): string {
  const shown = Array.from({ length: Math.min(values.length, most) }, (_, i) => fixed(values[i]));
  return `(${shown.join("; ")}${values.length > most ? "; …" : ""})`;
}

/** A day, from seconds since 1970. */
export function day(seconds: number): string {
  return new Intl.DateTimeFormat(LOCALES[language.value], { dateStyle: "medium", timeZone: "UTC" }).format(seconds * 1000);
}
