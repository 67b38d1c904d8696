import { launch, pageWith } from "./e2e/browser.mjs";
const browser = await launch();
for (const name of process.argv.slice(2)) for (const locale of ["en-US", "es-MX"]) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 850 }, locale });
  const page = await context.newPage();
  const errors=[]; page.on("pageerror", (e)=>errors.push(String(e))); page.on("console", (m)=>m.type()==="error"&&errors.push(m.text()));
  await page.goto(pageWith(name));
  await page.waitForSelector(".stage", {timeout: 60000});
  await page.waitForTimeout(2500);
  await page.screenshot({ path: `/tmp/shot-${name}-${locale.slice(0,2)}.png` });
  console.log(name, locale, errors);
  await context.close();
}
await browser.close();
