/**
 * How fast the page answers, in headless Chromium that draws in software: `make web-fixtures`, `npm run build -- --outDir
 * build/page`, then `node bench/run.mjs`. Prints each figure beside the bar of the project's plan; it is no test, for a busy
 * machine is slower.
 */

import { has, launch, pageWith } from "../e2e/browser.mjs";

const MOVES = 200;
const SIZE = { width: 1280, height: 800 };

/** Milliseconds from an event of the mouse to the end of the frame that shows its answer. */
async function dragged(page) {
  await page.evaluate(() => {
    window.times = [];
    const done = new MessageChannel();
    const begun = [];
    done.port1.onmessage = () => window.times.push(performance.now() - begun.shift());
    document.querySelector(".stage").addEventListener("pointermove", (event) => {
      begun.push(event.timeStamp);
      requestAnimationFrame(() => done.port2.postMessage(null));
    });
  });
  const box = await page.locator(".stage").first().boundingBox();
  const at = (i) => [box.x + box.width * (0.5 + 0.3 * Math.cos(i / 9)), box.y + box.height * (0.5 + 0.3 * Math.sin(i / 7))];
  await page.mouse.move(...at(0));
  await page.mouse.down();
  for (let i = 1; i <= MOVES; i++) {
    await page.mouse.move(...at(i));
    // Any phase of the screen's own beat.
    await page.waitForTimeout(4 + ((i * 7) % 23));
  }
  await page.mouse.up();
  return page.evaluate(() => window.times);
}

/** Frames a second while the map is moved and zoomed without a pause. */
async function frames(page) {
  return page.evaluate(async () => {
    const stage = document.querySelector(".stage");
    const { left, top, width, height } = stage.getBoundingClientRect();
    const place = { clientX: left + width / 2, clientY: top + height / 2, bubbles: true, pointerId: 1 };
    const drag = (x) => stage.dispatchEvent(new PointerEvent("pointermove", { ...place, clientX: place.clientX + x, buttons: 4 }));
    stage.setPointerCapture = () => {};
    stage.dispatchEvent(new PointerEvent("pointerdown", { ...place, buttons: 4, button: 1 }));
    let count = 0;
    const begun = performance.now();
    while (performance.now() - begun < 6000) {
      drag(60 * Math.sin(count / 10));
      if (count % 2) stage.dispatchEvent(new WheelEvent("wheel", { ...place, deltaY: 60 * Math.cos(count / 15), cancelable: true }));
      await new Promise(requestAnimationFrame);
      count++;
    }
    stage.dispatchEvent(new PointerEvent("pointerup", place));
    return (1000 * count) / (performance.now() - begun);
  });
}

function quantile(values, share) {
  return [...values].sort((a, b) => a - b)[Math.floor(share * (values.length - 1))];
}

const browser = await launch();
for (const pack of ["demo", "digits", "mnist-like", "wine-with-rows", "million"].filter(has)) {
  const url = pageWith(pack);
  const page = await browser.newPage({ viewport: SIZE });
  const begun = performance.now();
  await page.goto(url, { waitUntil: "commit" });
  await page.waitForSelector(".stage", { state: "attached" });
  const ready = performance.now() - begun;
  await page.locator(".switches input").first().uncheck();
  await page.waitForTimeout(1500);
  const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0].startTime);
  const times = await dragged(page);
  const line = [
    `first paint ${paint.toFixed(0)} ms (bar 2000)`,
    `ready ${ready.toFixed(0)} ms`,
    `drag to drawn, median ${quantile(times, 0.5).toFixed(1)} ms (bar 16), 95% ${quantile(times, 0.95).toFixed(1)} ms (bar 33)`,
  ];
  if (pack === "million") line.push(`moving the map ${(await frames(page)).toFixed(1)} frames/s (bar 20)`);
  console.log(`${pack}: ${line.join(" · ")}`);
  await page.close();
}
await browser.close();
