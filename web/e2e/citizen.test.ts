import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launch, page } from "./browser.mjs";
import { Guest } from "./visit";

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());

describe("languages and themes", () => {
  test("the reader's language, the address's, and the one chosen on the page", async () => {
    const guest = await Guest.open(browser, "digits", { lang: "es", lesson: true });
    const title = () => guest.page.locator(".step-title").textContent();
    expect(await title()).toBe("Codificar y decodificar");
    expect(await guest.page.evaluate(() => document.documentElement.lang)).toBe("es");
    await guest.page.getByLabel("Idioma").selectOption("English");
    expect(await title()).toBe("Encode and decode");
    expect(await guest.page.evaluate(() => document.activeElement!.tagName)).toBe("SELECT");
    await guest.page.locator(".exhibit input[type=range]").focus();
    await guest.page.keyboard.press("End");
    expect(await guest.isDone(1)).toBe(true);
    await guest.page.getByLabel("Language").selectOption("Español");
    expect(await guest.isDone(1)).toBe(true);
    await guest.page.goto(`${guest.page.url()}?lang=en`);
    await guest.page.waitForSelector(".stage", { state: "attached" });
    expect(await title()).toBe("Encode and decode");
    expect(guest.errors).toEqual([]);
    await guest.page.close();
  });

  test("light and dark, by system and by hand", async () => {
    const guest = await Guest.open(browser, "digits", { theme: "dark" });
    const ground = () => guest.page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const dark = await ground();
    const map = await guest.picture(".stage > canvas", 0);
    await guest.page.getByLabel("Colours").selectOption("light");
    expect(await ground()).not.toBe(dark);
    await guest.settled();
    expect(await guest.picture(".stage > canvas", 0)).not.toBe(map);
    await guest.page.getByLabel("Colours").selectOption("as the system");
    expect(await ground()).toBe(dark);
    await guest.close();
  });
});

describe.each([
  ["en", "light"],
  ["es", "dark"],
] as const)("axe-core and widths, %s, %s", (lang, theme) => {
  test("each step of the lesson", async () => {
    const guest = await Guest.open(browser, "digits", { lang, theme, lesson: true });
    for (let step = 1; step <= 6; step++) {
      await guest.step(step);
      if (step === 4) for (let i = 0; i < 4; i++) await guest.page.locator(".learning button").nth(i).click();
      await guest.isAccessible(`step ${step}`);
    }
    await guest.close();
  });

  test.each(["digits", "wine-with-rows", "wine"])("each tab of %s", async (pack) => {
    const guest = await Guest.open(browser, pack, { lang, theme });
    const tabs = guest.page.getByRole("tab");
    for (let i = 0; i < (await tabs.count()); i++) {
      await tabs.nth(i).click();
      if (i === 2) await guest.page.locator(".panel button").nth(2).click();
      await guest.page.waitForTimeout(200);
      await guest.isAccessible(`tab ${i}`);
    }
    await guest.close();
  });

  test("two models, and a selection", async () => {
    const guest = await Guest.open(browser, "wine-with-rows", { lang, theme });
    await guest.page.locator(".switches input").last().check();
    await guest.stage.focus();
    await guest.page.keyboard.press("s");
    await guest.settled();
    await guest.isAccessible("two models");
    await guest.close();
  });

  test.each([360, 700, 1000, 1200, 3840])("nothing is cut off at %i pixels", async (width) => {
    for (const pack of ["digits", "wine-with-rows"]) {
      const guest = await Guest.open(browser, pack, { lang, theme, width, height: width === 3840 ? 2160 : 780, lesson: pack === "digits" });
      if (pack === "digits")
        for (let step = 1; step <= 6; step++) {
          await guest.step(step);
          await guest.settled();
          await guest.fits(`step ${step}`);
        }
      if (pack === "digits") await guest.page.locator(".switches input").first().uncheck();
      const tabs = guest.page.getByRole("tab");
      for (let i = 0; i < (await tabs.count()); i++) {
        await tabs.nth(i).click();
        await guest.fits(`tab ${i}`);
      }
      await guest.page.locator(".switches input").last().check();
      await guest.settled();
      await guest.fits("two models");
      expect((await guest.stage.boundingBox())!.height).toBeGreaterThan(150);
      await guest.close();
    }
  });
});

describe("a page that can't be shown says so", () => {
  const whole = readFileSync(new URL("../fixtures/wine.pack", import.meta.url));
  const text = (bytes: Uint8Array) => gzipSync(bytes).toString("base64");
  test.each([
    ["no pack", null, "There is no model in this file", "no contiene ningún modelo"],
    ["not base64", "¡hola!", "damaged", "dañado"],
    ["another file", text(Buffer.from("PNG or anything else")), "damaged", "dañado"],
    ["half a pack", text(whole.subarray(0, whole.length >> 1)), "damaged", "dañado"],
  ])("%s", async (name, content, english, spanish) => {
    for (const [lang, sentence] of [["en", english], ["es", spanish]] as const) {
      const guest = await Guest.at(browser, page(content, name.replaceAll(" ", "-")), { lang });
      expect(await guest.page.locator(".failure").textContent()).toContain(sentence);
      await guest.isAccessible(name);
      await guest.close();
    }
  });
});
