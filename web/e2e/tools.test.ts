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

describe("ways to move the point", () => {
  test("sliders and random draws", async () => {
    const guest = await Guest.open(browser, "digits");
    const { page } = guest;
    const seen = [await guest.picture(PICTURE)];
    const slider = page.locator(".sliders input").first();
    await slider.focus();
    for (let i = 0; i < 40; i++) await page.keyboard.press("ArrowRight");
    await guest.settled();
    seen.push(await guest.picture(PICTURE));
    await page.getByRole("tab", { name: "Samples" }).click();
    const cards = page.locator(".cards .card");
    expect(await cards.count()).toBe(12);
    const first = await guest.picture(".cards .pixels");
    await cards.nth(5).click();
    await guest.settled();
    seen.push(await guest.picture(PICTURE));
    expect(await guest.picture(".cards .pixels", 5)).toBe(seen[2]);
    await page.getByRole("button", { name: "Sample again" }).click();
    expect(await guest.picture(".cards .pixels")).not.toBe(first);
    await page.getByRole("radio", { name: "N(0, I)" }).check();
    expect(new Set(seen).size).toBe(3);
    await guest.close();
  });

  test("sliders say where the point is wherever the map lets it go", async () => {
    const guest = await Guest.open(browser, "digits");
    const { page } = guest;
    const [low, high] = await page.locator(".sliders input").first().evaluate((input: HTMLInputElement) => [Number(input.min), Number(input.max)]);
    expect(low).toBeLessThan(-3);
    expect(high).toBeGreaterThan(3);
    for (const out of [0, 3]) {
      for (let i = 0; i < out; i++) await page.getByRole("button", { name: "Zoom out" }).click();
      for (const corner of [[0.02, 0.03], [0.98, 0.97]] as [number, number][]) {
        await guest.drag([0.5, 0.5], corner);
        const place = (await page.locator(".place").textContent())!;
        const names = await page.locator(".sliders .slider > span").allTextContents();
        const said = await page.locator(".sliders output").allTextContents();
        const code = place.slice(1, place.indexOf(")")).split("; ");
        expect(said).toEqual(names.map((name) => code[Number(name.slice(1)) - 1]));
        expect(Math.abs(Number(code[0].replace("−", "-")))).toBeGreaterThan(3);
      }
    }
    await guest.close();
  });

  test.each(["no-preference", "reduce"] as const)("a walk from end to end, motion: %s", async (motion) => {
    const guest = await Guest.open(browser, "digits", { motion });
    const { page } = guest;
    await page.getByRole("tab", { name: "Interpolate" }).click();
    await page.getByRole("button", { name: "Start here" }).click();
    await guest.drag([0.5, 0.5], [0.25, 0.35]);
    const end = await guest.picture(PICTURE);
    await page.getByRole("button", { name: "End here" }).click();
    expect(await page.locator(".strip .card").count()).toBe(7);
    await page.locator(".strip .card").first().click();
    await guest.settled();
    expect(await guest.picture(PICTURE)).not.toBe(end);
    await page.getByRole("button", { name: "Play" }).click();
    await page.waitForFunction(() => document.querySelector(".panel output")!.textContent === "100%", null, { timeout: 20_000 });
    await expect.poll(() => guest.picture(PICTURE)).toBe(end);
    await page.getByRole("button", { name: "Remove the path" }).click();
    expect(await page.getByRole("button", { name: "Play" }).isVisible()).toBe(false);
    await guest.close();
  });

  test("near rows are gone to", async () => {
    const guest = await Guest.open(browser, "digits");
    await guest.page.getByRole("tab", { name: "Nearest" }).click();
    await guest.drag([0.5, 0.5], [0.3, 0.4]);
    await guest.page.waitForTimeout(300);
    const before = await guest.picture(PICTURE);
    expect(await guest.page.locator(".near li").count()).toBe(6);
    await guest.page.locator(".near button").nth(3).click();
    await guest.page.waitForTimeout(300);
    expect(await guest.picture(PICTURE)).not.toBe(before);
    expect(await guest.page.locator(".near li").first().textContent()).toContain("0.00");
    await guest.close();
  });

  test("a drawing is encoded, by hand and by keys", async () => {
    const guest = await Guest.open(browser, "digits");
    const { page } = guest;
    await page.getByRole("tab", { name: "Draw" }).click();
    const board = page.locator(".panel .board");
    await board.scrollIntoViewIfNeeded();
    const box = (await board.boundingBox())!;
    await page.mouse.move(box.x + box.width / 2, box.y + 10);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height - 10, { steps: 8 });
    await page.mouse.up();
    await guest.settled();
    const drawn = await page.locator(".panel [role=status]").textContent();
    expect(drawn).toMatch(/Code \(.*\) ±/);
    await board.focus();
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("Space");
    await guest.settled();
    expect(await page.locator(".panel [role=status]").textContent()).not.toBe(drawn);
    await guest.close();
  });

  test("an edited row is encoded, a cell not seen as well", async () => {
    const guest = await Guest.open(browser, "wine-with-rows");
    const { page } = guest;
    await page.getByRole("tab", { name: "Edit" }).click();
    const place = page.locator(".place").first();
    await page.locator(".editor label", { hasText: "alcohol" }).first().locator("input").fill("11.5");
    await guest.settled();
    const before = await place.textContent();
    await page.locator(".editor label", { hasText: "grape" }).locator("select").selectOption("Barbera");
    await guest.settled();
    const after = await place.textContent();
    expect(after).not.toBe(before);
    await page.locator(".editor label", { hasText: "grape" }).locator("select").selectOption("missing");
    await guest.settled();
    expect(await place.textContent()).not.toBe(after);
    await guest.close();
  });

  test("a table answers each column in its own words", async () => {
    const guest = await Guest.open(browser, "wine");
    const { page } = guest;
    const values = () => page.locator(".row-view .value").allTextContents();
    const distributions = () => page.locator(".row-view .distribution-of-0").evaluateAll((paths) => paths.map((path) => path.getAttribute("d")!));
    const [before, distribution] = [await values(), await distributions()];
    await guest.drag([0.5, 0.5], [0.35, 0.3]);
    expect(await values()).not.toEqual(before);
    expect(await distributions()).not.toEqual(distribution);
    expect(before.join(" ")).toMatch(/Barolo|Grignolino|Barbera/);
    expect(before.join(" ")).toMatch(/20\d\d-\d\d-\d\d/);
    expect(await page.locator(".lesson").isVisible()).toBe(false);
    await guest.close();
  });

  test("one gesture moves both models", async () => {
    const guest = await Guest.open(browser, "digits");
    await guest.page.getByRole("checkbox", { name: "Two models" }).check();
    expect(await guest.page.locator(".stage").count()).toBe(2);
    const before = [await guest.picture(PICTURE, 0), await guest.picture(PICTURE, 1)];
    await guest.drag([0.5, 0.5], [0.35, 0.6]);
    expect(await guest.picture(PICTURE, 0)).not.toBe(before[0]);
    expect(await guest.picture(PICTURE, 1)).not.toBe(before[1]);
    await guest.page.getByRole("checkbox", { name: "Two models" }).uncheck();
    expect(await guest.page.locator(".stage").count()).toBe(1);
    await guest.close();
  });

  test("before a picture is decoded its place has its shape, in the page's own colours", async () => {
    const far = pageWithHeader("digits", "far", ({ models: [model] }) => {
      model.computed.decoder = model.computed.encoder = null;
      model.units.shape = [1, 4, 16];
    });
    const grounds = [];
    for (const theme of ["light", "dark"] as const) {
      const guest = await Guest.at(browser, far, { theme });
      const place = guest.page.locator(PICTURE);
      const { width, height } = (await place.boundingBox())!;
      expect(width / height).toBeCloseTo(4, 1);
      const [ground, line] = await place.evaluate((canvas) => {
        const probe = canvas.parentElement!.appendChild(document.createElement("i"));
        probe.style.color = "var(--line)";
        return [getComputedStyle(canvas).backgroundColor, getComputedStyle(probe).color];
      });
      expect(ground).toBe(line);
      grounds.push(ground);
      expect(await guest.page.locator(".decoded .note").textContent()).toContain("latente explore");
      await guest.close();
    }
    expect(new Set(grounds).size).toBe(2);
  });
});
