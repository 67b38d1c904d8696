import "./globals";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { figureText } from "../src/app/figures";
import { CATALOGUES, chosenLanguage, fixed, language, number, percent, t, whole, type Key } from "../src/texts";

const { en, es } = CATALOGUES;
const keys = Object.keys(en) as Key[];
const holes = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).sort();

test("both languages have the same keys, with the same placeholders", () => {
  expect(Object.keys(es).sort()).toEqual([...keys].sort());
  for (const key of keys) {
    expect(holes(es[key]), key).toEqual(holes(en[key]));
    expect(es[key] === "", key).toBe(en[key] === "");
  }
});

test("every text is used, and no sentence stands in the code", () => {
  const source = sources(new URL("../src", import.meta.url).pathname).join("\n");
  const patterns = [...source.matchAll(/`([a-z]+(?:\.[\w.]*)?\$\{[^`]*)`/g)].map(
    ([, pattern]) => new RegExp(`^${pattern.replace(/\./g, "\\.").replace(/\$\{[^}]*\}/g, "[\\w.]+")}$`),
  );
  for (const key of keys) expect(source.includes(`"${key}"`) || patterns.some((pattern) => pattern.test(key)), key).toBe(true);
});

test("no sentence has more than 30 words", () => {
  for (const catalogue of [en, es])
    for (const [key, text] of Object.entries(catalogue))
      for (const sentence of text.split(/(?<=[.?!:])\s+/)) expect(sentence.split(/\s+/).length, `${key}: ${sentence}`).toBeLessThanOrEqual(30);
});

test("the language is what was asked for, else the reader's first that there is", () => {
  expect(chosenLanguage("es", ["en"])).toBe("es");
  expect(chosenLanguage(null, ["fr-FR", "es-MX", "en"])).toBe("es");
  expect(chosenLanguage("xx", ["de"])).toBe("en");
});

test("numbers are written as the language has them", () => {
  expect(t("row.name", { n: whole(1234) })).toBe("Row 1,234");
  expect([fixed(-0.5), number(0.123456), percent(0.256), percent(0.0123)]).toEqual(["−0.50", "0.123", "26%", "1.2%"]);
  expect(fixed(-0, 0)).toBe("0");
  expect([fixed(-0.004), percent(-0.0002), percent(-0.02)]).toEqual(["0.00", "0%", "−2%"]);
  language.value = "es";
  expect(fixed(-1234.5, 1)).toBe("−1234.5");
  expect(t("row.name", { n: whole(1234) })).toBe("Dato 1,234");
  language.value = "en";
});

test("a figure that could not be measured is said in the reader's language", () => {
  const figure = { value: null, low: null, high: null, reason: { en: "too few validation rows to measure this" } };
  language.value = "es";
  expect([figureText(figure), figureText(undefined)]).toEqual(["no se midió", "no se midió"]);
  expect(figureText({ ...figure, value: 0.5, low: 0.4, high: 0.6 })).toBe("0.50 (0.40–0.60)");
  language.value = "en";
});

function sources(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts") && !entry.parentPath.endsWith("texts"))
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"))
    .concat(readFileSync(join(folder, "texts/words.ts"), "utf8"));
}
