import axe from "axe-core";
import type { Browser, Locator, Page } from "playwright-core";
import { expect } from "vitest";
import { pageWith } from "./browser.mjs";

export interface Visit {
  lang?: "en" | "es";
  theme?: "light" | "dark";
  width?: number;
  height?: number;
  motion?: "reduce" | "no-preference";
  /** Whether the lesson is open; of a page that opens with it, it is closed otherwise. */
  lesson?: boolean;
  /** Runs before the page's own script. */
  before?: () => void;
}

/** A page, with every request but its own file, and every error, written down. */
export class Guest {
  readonly requests: string[] = [];
  readonly errors: string[] = [];

  private constructor(readonly page: Page) {
    page.on("request", (request) => this.requests.push(request.url()));
    page.on("pageerror", (error) => this.errors.push(String(error)));
    page.on("console", (message) => message.type() === "error" && this.errors.push(message.text()));
  }

  static async open(browser: Browser, pack: string, visit: Visit = {}): Promise<Guest> {
    return Guest.at(browser, pageWith(pack), visit);
  }

  static async at(browser: Browser, url: string, { lang = "en", theme = "light", width = 1200, height = 850, motion, lesson = false, before }: Visit = {}): Promise<Guest> {
    const page = await browser.newPage({ locale: lang, colorScheme: theme, viewport: { width, height }, reducedMotion: motion ?? "no-preference" });
    const guest = new Guest(page);
    if (before) await page.addInitScript(before);
    await page.goto(url);
    await page.waitForSelector(".stage, .failure", { state: "attached" });
    await guest.toggleLesson(lesson);
    return guest;
  }

  private async toggleLesson(open: boolean): Promise<void> {
    const box = this.page.locator(".switches input").first();
    if ((await box.count()) && (await box.isChecked()) !== open) await box.setChecked(open);
  }

  get stage(): Locator {
    return this.page.locator(".stage").first();
  }

  /** Presses the mouse in the map and moves it, in shares of the map's width and height. */
  async drag(...path: [number, number][]): Promise<void> {
    const box = (await this.stage.boundingBox())!;
    const at = ([x, y]: [number, number]): [number, number] => [box.x + x * box.width, box.y + y * box.height];
    await this.page.mouse.move(...at(path[0]));
    await this.page.mouse.down();
    for (const place of path.slice(1)) await this.page.mouse.move(...at(place), { steps: 4 });
    await this.page.mouse.up();
    await this.settled();
  }

  /** What a canvas shows, as a text to compare. */
  picture(selector: string, index = 0): Promise<string> {
    return this.page.locator(selector).nth(index).evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
  }

  /** Unfolds the map's settings; the map is smaller then, and comes to rest. */
  async openSettings(): Promise<void> {
    await this.page.locator(".settings > summary").click();
    await this.page.waitForTimeout(300);
  }

  step(number: number): Promise<void> {
    return this.page.locator(".step-button").nth(number - 1).click();
  }

  isDone(number: number): Promise<boolean> {
    return this.page.locator(".step-button").nth(number - 1).evaluate((button) => button.classList.contains("done"));
  }

  /** Two frames later what was asked for is drawn. */
  settled(): Promise<void> {
    return this.page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done()))));
  }

  /** No finding of axe-core, in the state that the page is in. */
  async isAccessible(state: string): Promise<void> {
    await this.page.evaluate(axe.source);
    // A colour on its way from one to another is neither: what counts is where it comes to rest.
    await this.page.evaluate(() => Promise.all(document.getAnimations().map((one) => one.finished.catch(() => one))));
    await this.settled();
    const found = await this.page.evaluate(async () => {
      const { violations } = await (window as unknown as { axe: typeof axe }).axe.run();
      return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`);
    });
    expect(found, state).toEqual([]);
  }

  /** Nothing is wider than the window. */
  async fits(state: string): Promise<void> {
    const over = await this.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    expect(over, state).toBeLessThanOrEqual(0);
  }

  /** Whether the page as a whole scrolls, and not only its columns. */
  scrolls(): Promise<boolean> {
    return this.page.evaluate(() => document.documentElement.scrollHeight > document.documentElement.clientHeight);
  }

  async close(): Promise<void> {
    expect(this.errors).toEqual([]);
    expect(this.requests.filter((url) => !/^(file|data|blob):/.test(url))).toEqual([]);
    expect(this.requests.filter((url) => url.startsWith("file:")).length).toBeLessThanOrEqual(1);
    await this.page.close();
  }
}
