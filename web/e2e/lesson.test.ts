import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { launch } from "./browser.mjs";
import { Guest } from "./visit";

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());

const PLACES = [...Array(100).keys()].map((i): [number, number] => [0.05 + 0.1 * (i % 10), 0.05 + 0.1 * Math.floor(i / 10)]);

/** Puts the point all over the map until the step is done. */
async function roam(guest: Guest, step: number): Promise<void> {
  for (const place of PLACES) {
    if (await guest.isDone(step)) return;
    await guest.drag(place, place);
  }
}

async function slideTo(guest: Guest, key: "Home" | "End"): Promise<void> {
  await guest.page.locator(".step input[type=range]").focus();
  await guest.page.keyboard.press(key);
  await guest.settled();
}

describe("the lesson", () => {
  test.each(["en", "es"] as const)("all six steps can be done and answer, in %s", async (lang) => {
    const guest = await Guest.open(browser, "digits", { lang });
    const { page } = guest;
    const answer = () => page.locator(".answer").textContent();
    await guest.settled();
    expect(await answer()).toBe("");
    await guest.drag([0.5, 0.5], [0.2, 0.3]);
    expect(await guest.isDone(1)).toBe(true);
    expect(await answer()).toContain("64");

    await page.locator(".step .ends button").last().click();
    expect(await page.locator("[aria-current=step]").textContent()).toBe("2");
    await slideTo(guest, "Home");
    expect(await guest.isDone(2)).toBe(false);
    const squeezed = await guest.picture(".pair-row:last-of-type .pixels", 0);
    await slideTo(guest, "End");
    expect(await guest.picture(".pair-row:last-of-type .pixels", 0)).not.toBe(squeezed);
    expect(await guest.isDone(2)).toBe(true);

    await guest.step(3);
    await guest.page.waitForTimeout(300);
    await roam(guest, 3);
    await roam(guest, 3);
    expect(await guest.isDone(3)).toBe(true);
    expect(await answer()).toMatch(/%/);

    await guest.step(4);
    const learn = page.locator(".learning button");
    await learn.nth(2).click({ force: true });
    expect(await page.locator(".result").nth(2).textContent()).toBe("");
    for (let i = 0; i < 4; i++) {
      await learn.nth(i).click();
      await guest.settled();
      expect(await page.locator(".result").nth(i).textContent()).toMatch(/\d/);
    }
    expect(await guest.isDone(4)).toBe(true);

    await guest.step(5);
    await page.waitForTimeout(1500);
    await roam(guest, 5);
    expect(await guest.isDone(5)).toBe(true);

    await guest.step(6);
    await slideTo(guest, "Home");
    await slideTo(guest, "End");
    expect(await guest.isDone(6)).toBe(true);
    expect(await page.locator(".step-button.done").count()).toBe(6);
    expect((await answer())!.length).toBeGreaterThan(80);
    await guest.close();
  });

  test("the error falls in the fourth step, for each of the rows", async () => {
    const guest = await Guest.open(browser, "digits");
    await guest.step(4);
    let fell = 0;
    for (let row = 0; row < 4; row++) {
      for (let i = 0; i < 4; i++) await guest.page.locator(".learning button").nth(i).click();
      const [, before, after] = /from ([\d.]+) to ([\d.]+)\./.exec((await guest.page.locator(".result").nth(3).textContent())!)!;
      expect(Number(after)).toBeLessThanOrEqual(Number(before));
      fell += Number(after) < Number(before) ? 1 : 0;
      await guest.page.getByRole("button", { name: "Next row" }).click();
      expect(await guest.page.locator(".result").nth(0).textContent()).toBe("");
    }
    expect(fell).toBeGreaterThan(2);
    await guest.close();
  });

  test("what a file can't teach it says, and closing the lesson gives the map back to the file's own model", async () => {
    const guest = await Guest.open(browser, "wine-with-rows");
    const { page } = guest;
    await page.getByRole("checkbox", { name: "Lesson" }).check();
    await guest.step(2);
    expect(await page.locator(".step").textContent()).toContain("latente demo");
    await guest.step(3);
    await guest.settled();
    expect(await page.locator(".map figcaption").textContent()).toContain("Autoencoder");
    await page.getByRole("checkbox", { name: "Lesson" }).uncheck();
    await guest.settled();
    expect(await page.locator(".map figcaption").textContent()).toContain("Variational");
    await guest.close();
  });
});
