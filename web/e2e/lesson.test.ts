import type { Browser, Locator } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { has, launch } from "./browser.mjs";
import { Guest, type Visit } from "./visit";

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser.close());

const WIDE = { width: 1280, height: 800 };
const TELEPHONE = { width: 390, height: 844 };

const open = (pack: string, visit: Visit = {}) => Guest.open(browser, pack, { ...WIDE, ...visit, lesson: true });
const slider = (guest: Guest, place = 0) => guest.page.locator(".exhibit > * input[type=range]").nth(place);
const answer = async (guest: Guest) => (await guest.page.locator(".answer").textContent())!;

async function slideTo(guest: Guest, input: Locator, key: "Home" | "End"): Promise<void> {
  await input.focus();
  await guest.page.keyboard.press(key);
  await guest.settled();
}

/** Drags a slider's thumb from one share of its width to another, and lets it go only if asked to. */
async function dragThumb(guest: Guest, input: Locator, from: number, to: number, release = true): Promise<void> {
  const box = (await input.boundingBox())!;
  const at = (share: number): [number, number] => [box.x + 8 + share * (box.width - 16), box.y + box.height / 2];
  await guest.page.mouse.move(...at(from));
  await guest.page.mouse.down();
  await guest.page.mouse.move(...at(to), { steps: 6 });
  if (release) await guest.page.mouse.up();
  await guest.settled();
}

/** What each step asks for. */
const TASKS: ((guest: Guest) => Promise<void>)[] = [
  async (guest) => slideTo(guest, slider(guest), "End"),
  async (guest) => slideTo(guest, slider(guest), "Home"),
  async (guest) => guest.page.locator(".exhibit button.primary").click(),
  async (guest) => {
    for (let i = 0; i < 4; i++) await guest.page.locator(".learning button").nth(i).click();
  },
  async (guest) => slideTo(guest, slider(guest), "End"),
  async (guest) => slideTo(guest, slider(guest), "End"),
];

/** Whether an element is in the window. */
async function inView(locator: Locator): Promise<boolean> {
  return locator.evaluate((element) => {
    const { top, bottom } = element.getBoundingClientRect();
    return top >= 0 && bottom <= innerHeight + 1;
  });
}

describe.each(["demo", "heart", "wine-lesson"].filter(has))("the lesson on %s", (pack) => {
  test.each([
    ["en", WIDE],
    ["es", WIDE],
    ["en", TELEPHONE],
    ["es", TELEPHONE],
  ] as const)("all six steps can be done and answer, in %s, %o", async (lang, size) => {
    const guest = await open(pack, { lang, ...size });
    for (const [i, act] of TASKS.entries()) {
      await guest.step(i + 1);
      expect(await answer(guest), `step ${i + 1}`).toBe("");
      await act(guest);
      await guest.settled();
      expect(await guest.isDone(i + 1), `step ${i + 1}`).toBe(true);
      expect(await answer(guest), `step ${i + 1}`).toMatch(/\w{3}/);
      expect(await answer(guest), `step ${i + 1}`).not.toMatch(/NaN|undefined|\{\w+\}/);
      expect(await inView(guest.page.locator(".answer")), `answer of step ${i + 1} in view`).toBe(true);
      await guest.fits(`step ${i + 1}`);
    }
    expect(await guest.page.locator(".step-button.done").count()).toBe(6);
    await guest.close();
  });

  test("each step is above the fold at 1280 × 800, with its answer", async () => {
    const guest = await open(pack);
    for (let step = 1; step <= 6; step++) {
      await guest.step(step);
      await TASKS[step - 1](guest);
      await guest.page.waitForTimeout(200);
      expect(await guest.scrolls(), `step ${step}`).toBe(false);
      const over = await guest.page.locator(".middle").evaluate((middle) => middle.scrollHeight - middle.clientHeight);
      expect(over, `figure of step ${step}`).toBeLessThanOrEqual(1);
      expect(await inView(guest.page.locator(".step .ends")), `text of step ${step}`).toBe(true);
    }
    await guest.close();
  });
});

describe("the steps", () => {
  test("a task counts when the gesture ends there, and not on the way", async () => {
    const guest = await open("demo");
    await guest.step(2);
    await dragThumb(guest, slider(guest), 1, 0, false);
    expect(await guest.isDone(2)).toBe(false);
    await guest.page.mouse.up();
    await guest.settled();
    expect(await guest.isDone(2)).toBe(true);
    await guest.step(5);
    await dragThumb(guest, slider(guest), 0, 1, false);
    await guest.page.mouse.move(700, 90, { steps: 4 });
    await guest.page.mouse.up();
    expect(await guest.isDone(5)).toBe(false);
    await guest.close();
  });

  test("1: noise is partly removed, an anomaly is not rebuilt, a drawing passes through", async () => {
    const guest = await open("demo");
    const { page } = guest;
    const output = () => guest.picture(".portrait .pixels", 1);
    const clean = await output();
    await slideTo(guest, slider(guest), "End");
    const [added, left] = [...(await page.locator(".exhibit .result").textContent())!.matchAll(/([\d.]+)%/g)].map((found) => Number(found[1]));
    expect(left).toBeLessThan(added);
    await slideTo(guest, slider(guest), "Home");
    expect(await output()).toBe(clean);
    await page.getByRole("button", { name: "Send an anomaly" }).click();
    await guest.settled();
    expect(await page.locator(".gauge .far").count()).toBe(1);
    expect(await page.locator(".exhibit .result").textContent()).toContain("anomaly");
    const board = page.locator(".board");
    const box = (await board.boundingBox())!;
    await page.mouse.move(box.x + box.width / 2, box.y + 20);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height - 20, { steps: 6 });
    await page.mouse.up();
    await guest.settled();
    expect(await guest.picture(".portrait .pixels", 0)).toBe(await guest.picture(".board .pixels"));
    await guest.close();
  });

  test("2: one slider changes pipeline, map and error together", async () => {
    const guest = await open("demo");
    const { page } = guest;
    await guest.step(2);
    const state = async () => [
      await guest.picture(".portrait .pixels", 1),
      await page.locator(".code figcaption").textContent(),
      await page.locator(".line-chart strong").textContent(),
      await page.locator(".gauge-words").textContent(),
      await page.locator(".place").textContent(),
    ];
    const wide = await state();
    await slideTo(guest, slider(guest), "Home");
    (await state()).forEach((part, i) => expect(part).not.toBe(wide[i]));
    const before = await guest.picture(".portrait .pixels", 1);
    await guest.drag([0.5, 0.5], [0.6, 0.5]);
    expect(await guest.picture(".portrait .pixels", 1)).not.toBe(before);
    await guest.close();
  });

  test("3: the same draws are counted for both models", async () => {
    const guest = await open("demo");
    const { page } = guest;
    await guest.step(3);
    await page.getByRole("button", { name: "Generate 24" }).click();
    const sides = page.locator(".side-of-two");
    for (const place of [0, 1]) {
      const hits = await sides.nth(place).locator(".draw.hit").count();
      expect(await sides.nth(place).locator(".draw").count()).toBe(24);
      expect(await sides.nth(place).locator(".tally").textContent()).toContain(`${hits} hits of 24`);
    }
    await page.getByRole("button", { name: "Generate 24" }).click();
    expect(await sides.first().locator(".tally").textContent()).toContain("of 48");
    await page.getByRole("radio", { name: "the fitted prior" }).check();
    expect(await page.locator(".draw.hit").count()).toBe(0);
    await page.getByRole("button", { name: "Generate 24" }).click();
    expect(await page.locator(".draw").count()).toBe(48);
    await guest.close();
  });

  test("4: a cloud gives other samples, a point the same one; the four parts come in order and the error falls", async () => {
    const guest = await open("demo");
    const { page } = guest;
    await guest.step(4);
    const samples = (strip: number) => page.locator(".samples-strip").nth(strip).locator("canvas").evaluateAll((all) => all.map((one) => (one as HTMLCanvasElement).toDataURL()));
    expect(new Set(await samples(0)).size).toBe(1);
    expect(new Set(await samples(1)).size).toBeGreaterThan(4);
    const learn = page.locator(".learning button");
    await learn.nth(2).click({ force: true });
    expect(await page.locator(".learning .result").nth(2).textContent()).toBe("");
    let fell = 0;
    for (let row = 0; row < 4; row++) {
      for (let i = 0; i < 4; i++) await learn.nth(i).click();
      const [, before, after] = /from ([\d.]+) to ([\d.]+)\./.exec((await page.locator(".learning .result").nth(3).textContent())!)!;
      expect(Number(after)).toBeLessThanOrEqual(Number(before));
      fell += Number(after) < Number(before) ? 1 : 0;
      await page.getByRole("button", { name: "Next row" }).click();
      expect(await page.locator(".learning .result").nth(0).textContent()).toBe("");
    }
    expect(fell).toBeGreaterThan(2);
    await guest.close();
  });

  test.each(["no-preference", "reduce"] as const)("4: the training plays as a film, motion: %s", async (motion) => {
    const guest = await open("demo", { motion });
    const { page } = guest;
    await guest.step(4);
    await page.waitForTimeout(300);
    const last = await guest.picture(".flow canvas");
    await page.getByRole("button", { name: "Play" }).click();
    await page.waitForTimeout(800);
    expect(await guest.picture(".flow canvas")).not.toBe(last);
    await page.waitForFunction(() => document.querySelector(".film button")!.textContent === "Play", null, { timeout: 20_000 });
    await expect.poll(() => guest.picture(".flow canvas")).toBe(last);
    await guest.close();
  });

  test("5: a walk moves both points, random codes too, and K and C are those of the point", async () => {
    const guest = await open("demo");
    const { page } = guest;
    await guest.step(5);
    const places = () => page.locator(".place").allTextContents();
    const figures = () => page.locator(".local").allTextContents();
    const [start, local] = [await places(), await figures()];
    expect(local.every((words) => /K here \d\.\d\d · C here \d\.\d\d/.test(words))).toBe(true);
    await slideTo(guest, slider(guest), "End");
    (await places()).forEach((place, i) => expect(place).not.toBe(start[i]));
    expect(await figures()).not.toEqual(local);
    const end = await places();
    await page.getByRole("button", { name: "Random code" }).click();
    await guest.settled();
    (await places()).forEach((place, i) => expect(place).not.toBe(end[i]));
    await guest.close();
  });

  test("6: all rows move continuously, and three curves, C and K stay in view", async () => {
    const guest = await open("demo");
    const { page } = guest;
    await guest.step(6);
    await guest.page.waitForTimeout(300);
    const seen = new Set<string>();
    await slider(guest).focus();
    for (let i = 0; i < 4; i++) {
      await page.keyboard.press("ArrowRight");
      await guest.settled();
      seen.add(await guest.picture(".flow canvas"));
    }
    expect(seen.size).toBe(4);
    expect(await page.locator(".line-chart").count()).toBe(3);
    await slideTo(guest, slider(guest), "End");
    expect(await page.locator(".space-figures").textContent()).toMatch(/C = \d\.\d\d · continuity K = \d\.\d\d/);
    expect(await inView(page.locator(".space-figures"))).toBe(true);
    await guest.close();
  });

  test("what a file can't teach it says, and closing the lesson gives the map back to the file's own model", async () => {
    const guest = await open("wine-with-rows");
    const { page } = guest;
    await guest.step(2);
    expect(await page.locator(".exhibit").textContent()).toContain("latente demo");
    await guest.step(4);
    await guest.settled();
    expect(await page.locator(".stage").count()).toBe(2);
    await page.getByRole("checkbox", { name: "Lesson" }).uncheck();
    await guest.settled();
    expect(await page.locator(".map figcaption").allTextContents()).toEqual([expect.stringContaining("Variational")]);
    await guest.close();
  });
});
