import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launch, pageWithHeader } from "./browser.mjs";
import { Guest } from "./visit";

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());

const PICTURE = ".decoded .pixels";

describe("the map", () => {
  test("a drag is answered by another picture, without a request", async () => {
    const guest = await Guest.open(browser, "digits");
    const before = await guest.picture(PICTURE);
    await guest.drag([0.5, 0.5], [0.3, 0.4]);
    const after = await guest.picture(PICTURE);
    expect(after).not.toBe(before);
    await guest.drag([0.3, 0.4], [0.7, 0.7]);
    expect(await guest.picture(PICTURE)).not.toBe(after);
    await guest.close();
  });

  test("keys move the point, fine steps with Shift, and what is decoded is said", async () => {
    const guest = await Guest.open(browser, "digits");
    const { page, stage } = guest;
    await stage.focus();
    const place = page.locator(".place").first();
    const begun = await place.textContent();
    await page.keyboard.press("Shift+ArrowRight");
    await guest.settled();
    const fine = await place.textContent();
    expect(fine).not.toBe(begun);
    const before = await guest.picture(PICTURE);
    for (const key of ["ArrowUp", "ArrowUp", "ArrowLeft", "ArrowLeft"]) await page.keyboard.press(key);
    await guest.settled();
    expect(await guest.picture(PICTURE)).not.toBe(before);
    await page.waitForFunction(() => document.getElementById("spoken")!.textContent!.includes("bright"));
    expect(await page.locator("#spoken").textContent()).toMatch(/Most similar to a row with digit = \d/);
    await page.keyboard.press("Enter");
    await page.keyboard.press("s");
    await page.waitForSelector(".selection:not([hidden])");
    await page.keyboard.press("Escape");
    await page.waitForSelector(".selection", { state: "hidden" });
    await guest.close();
  });

  test.each([
    [true, ["step-button", "primary", "SELECT", "SUMMARY"]],
    [false, ["stage", "SELECT", "SUMMARY", "panel"]],
  ])("everything can be reached by Tab, and the focus is seen, lesson: %s", async (lesson, kinds) => {
    const guest = await Guest.open(browser, "digits", { lesson });
    const { page } = guest;
    const reached = new Set<string>();
    for (let i = 0; i < 45; i++) {
      await page.keyboard.press("Tab");
      const [kind, ring] = await page.evaluate(() => {
        const element = document.activeElement!;
        const ringed = element.matches(".chips input") ? element.nextElementSibling! : element;
        return [element.className || element.tagName, getComputedStyle(ringed).outlineStyle];
      });
      reached.add(kind);
      if (kind !== "BODY") expect(ring, kind).not.toBe("none");
    }
    for (const kind of kinds) expect([...reached]).toContain(kind);
    await guest.close();
  });

  test.each([
    ["digits", ["codes", "prior", "holes", "sensitivity", "images", "nothing"]],
    ["wine-with-rows", ["codes", "prior", "holes", "sensitivity", "column", "nothing"]],
  ])("layers of %s differ from each other", async (pack, layers) => {
    const guest = await Guest.open(browser, pack);
    const seen = new Set<string>();
    for (const layer of layers) {
      await guest.page.locator(".toolbar .chips label", { hasText: layer }).first().click();
      await guest.page.waitForTimeout(500);
      seen.add(await guest.picture(".stage > canvas", 0));
    }
    expect(seen.size).toBe(layers.length);
    await guest.close();
  });

  test("pan, zoom and everything again", async () => {
    const guest = await Guest.open(browser, "digits");
    const { page } = guest;
    await guest.openSettings();
    const whole = await guest.picture(".stage > canvas", 1);
    await page.getByRole("button", { name: "Zoom in" }).click();
    await page.waitForTimeout(250);
    const near = await guest.picture(".stage > canvas", 1);
    expect(near).not.toBe(whole);
    await page.getByRole("radio", { name: "moves the map" }).check();
    await guest.drag([0.5, 0.5], [0.6, 0.6]);
    await page.waitForTimeout(250);
    expect(await guest.picture(".stage > canvas", 1)).not.toBe(near);
    await page.getByRole("button", { name: "Show everything" }).click();
    await page.waitForTimeout(250);
    expect(await guest.picture(".stage > canvas", 1)).toBe(whole);
    await guest.close();
  });

  test("a lasso selects rows and says what they are", async () => {
    const guest = await Guest.open(browser, "digits");
    await guest.openSettings();
    await guest.page.getByRole("radio", { name: "selects rows" }).check();
    await guest.drag([0.4, 0.4], [0.7, 0.4], [0.7, 0.7], [0.4, 0.7]);
    expect(await guest.page.locator(".selection").textContent()).toMatch(/\d+ rows selected\. digit: \d: \d+%/);
    const faded = await guest.picture(".stage > canvas", 1);
    await guest.page.getByRole("button", { name: "Clear" }).click();
    await guest.settled();
    expect(await guest.picture(".stage > canvas", 1)).not.toBe(faded);
    await guest.close();
  });

  test("hovering shows the row", async () => {
    const guest = await Guest.open(browser, "wine-with-rows");
    const box = (await guest.stage.boundingBox())!;
    const tip = guest.page.locator(".tip");
    search: for (let x = 0.2; x < 0.8; x += 0.03)
      for (let y = 0.2; y < 0.8; y += 0.06) {
        await guest.page.mouse.move(box.x + x * box.width, box.y + y * box.height);
        if (await tip.isVisible()) break search;
      }
    expect(await tip.textContent()).toMatch(/Row \d+.*alcohol/);
    await guest.close();
  });

  test("a row's box goes when a drag begins, and stays away after it", async () => {
    const guest = await Guest.open(browser, "digits");
    const box = (await guest.stage.boundingBox())!;
    const tip = guest.page.locator(".tip");
    const at = (x: number, y: number): [number, number] => [box.x + x * box.width, box.y + y * box.height];
    let place: [number, number] = [0, 0];
    search: for (let x = 0.3; x < 0.7; x += 0.02)
      for (let y = 0.3; y < 0.7; y += 0.04) {
        place = at(x, y);
        await guest.page.mouse.move(...place);
        if (await tip.isVisible()) break search;
      }
    expect(await tip.isVisible()).toBe(true);
    await guest.page.mouse.down();
    await guest.settled();
    expect(await tip.isVisible()).toBe(false);
    await guest.page.mouse.move(...at(0.02, 0.02), { steps: 4 });
    await guest.page.mouse.up();
    await guest.settled();
    expect(await tip.isVisible()).toBe(false);
    await guest.close();
  });

  test("two maps have room at 1280 pixels", async () => {
    const guest = await Guest.open(browser, "digits", { width: 1280, height: 800 });
    await guest.page.getByRole("checkbox", { name: "Two models" }).check();
    await guest.settled();
    for (const stage of await guest.page.locator(".stage").all()) {
      const { width, height } = (await stage.boundingBox())!;
      expect(Math.min(width, height)).toBeGreaterThan(390);
    }
    await guest.close();
  });

  test("a layer covers what the map shows, also after it was moved", async () => {
    const guest = await Guest.open(browser, "digits");
    const { page } = guest;
    await page.locator(".toolbar .chips label", { hasText: "sensitivity" }).click();
    await page.getByRole("button", { name: "Zoom out" }).click();
    await page.waitForTimeout(900);
    const alpha = await page.locator(".stage > canvas").first().evaluate((canvas) => {
      const { width, height } = canvas as HTMLCanvasElement;
      const context = (canvas as HTMLCanvasElement).getContext("2d")!;
      return [[3, 3], [width - 4, 3], [3, height - 30], [width - 4, height - 30]].map(([x, y]) => context.getImageData(x, y, 1, 1).data[3]);
    });
    for (const corner of alpha) expect(corner).toBeGreaterThan(150);
    await guest.close();
  });

  test("the certificate's verdicts are above the map, in the reader's language", async () => {
    const verdicts = [{ en: "collapsed: the code is empty", es: "colapsado: el código está vacío" }, { en: "holes: some", es: "huecos: algunos" }];
    const url = pageWithHeader("wine", "judged", ({ models: [model] }) => (model.verdicts = verdicts));
    for (const [lang, words] of [["en", "collapsed"], ["es", "colapsado"]] as const) {
      const guest = await Guest.at(browser, url, { lang });
      expect(await guest.page.locator(".banner").textContent()).toContain(words);
      expect(await guest.page.locator(".banner details p").count()).toBe(1);
      await guest.isAccessible("a banner");
      await guest.close();
    }
    const fine = await Guest.at(browser, pageWithHeader("wine", "fine", ({ models: [model] }) => (model.verdicts = [])));
    expect(await fine.page.locator(".banner").isVisible()).toBe(false);
    await fine.close();
  });

  test("a plane through three rows of four dimensions", async () => {
    const guest = await Guest.open(browser, "wine-with-rows");
    const { page } = guest;
    await guest.openSettings();
    const before = await guest.picture(".stage > canvas", 1);
    await page.getByText("A plane through three rows").click();
    await page.getByLabel("Row 2 of the plane").fill("0");
    await page.getByRole("button", { name: "Show", exact: true }).click();
    expect(await page.locator(".rows-plane").textContent()).toContain("Enter three different row numbers");
    await page.getByLabel("Row 2 of the plane").fill("60");
    await page.getByRole("button", { name: "Show", exact: true }).click();
    await page.waitForTimeout(300);
    expect(await guest.picture(".stage > canvas", 1)).not.toBe(before);
    await guest.close();
  });

  test("points by a graphics card, where there is one", async () => {
    const guest = await Guest.open(browser, "digits", {
      before: () => {
        // Software WebGL passes for a card here.
        const ask = WebGL2RenderingContext.prototype.getParameter;
        WebGL2RenderingContext.prototype.getParameter = function (name: number) {
          return name === 0x9246 || name === 0x1f01 ? "a card" : ask.call(this, name);
        };
        const give = HTMLCanvasElement.prototype.getContext as (...args: unknown[]) => unknown;
        HTMLCanvasElement.prototype.getContext = function (this: HTMLCanvasElement, kind: string, options?: object) {
          return give.call(this, kind, kind === "webgl2" ? { ...options, preserveDrawingBuffer: true, failIfMajorPerformanceCaveat: false } : options);
        } as typeof HTMLCanvasElement.prototype.getContext;
      },
    });
    await guest.page.waitForTimeout(300);
    const [kind, inked] = await guest.page.locator(".stage > canvas").nth(1).evaluate((canvas) => {
      const gl = (canvas as HTMLCanvasElement).getContext("webgl2");
      if (!gl) return ["no WebGL", 0];
      const pixels = new Uint8Array(4 * gl.drawingBufferWidth * gl.drawingBufferHeight);
      gl.readPixels(0, 0, gl.drawingBufferWidth, gl.drawingBufferHeight, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
      return ["WebGL", pixels.filter((value) => value > 0).length];
    });
    expect(kind).toBe("WebGL");
    expect(inked).toBeGreaterThan(1000);
    await guest.page.close();
  });
});
