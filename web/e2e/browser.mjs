/** What the tests and the bench open: the built page with a pack in it, in Debian's Chromium with WebGL in software. */

import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import { chromium, firefox } from "playwright-core";

const PAGE = new URL("../build/page/explorer.html", import.meta.url);
const FIXTURES = new URL("../fixtures/", import.meta.url);
const HEAD = 16; // bytes of a pack before its header; the last four are the header's length
const folder = mkdtempSync(join(tmpdir(), "explorer-"));

/** LATENTE_BROWSER=firefox takes Debian's Firefox, through WebDriver BiDi. */
export function launch() {
  if (process.env.LATENTE_BROWSER === "firefox") return firefox.launch({ channel: "moz-firefox", executablePath: "/usr/bin/firefox-esr" });
  return chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
      "--use-gl=angle",
      "--use-angle=swiftshader",
      "--enable-unsafe-swiftshader",
    ],
  });
}

/** Whether the pack of that name was made: some are of data that are not always at hand. */
export function has(pack) {
  return existsSync(new URL(`${pack}.pack`, FIXTURES));
}

/** The address of a page that holds the pack of that name, as `latente export` writes it. */
export function pageWith(pack) {
  return page(gzipSync(readFileSync(new URL(`${pack}.pack`, FIXTURES))).toString("base64"), pack);
}

/** The same with another header: what `change` makes of it. */
export function pageWithHeader(pack, name, change) {
  const bytes = readFileSync(new URL(`${pack}.pack`, FIXTURES));
  const start = HEAD + bytes.readUInt32LE(HEAD - 4);
  const header = JSON.parse(bytes.toString("utf8", HEAD, start));
  change(header);
  const text = Buffer.from(JSON.stringify(header));
  const filled = Buffer.concat([text, Buffer.alloc(-text.length & 7, " ")]);
  const head = Buffer.from(bytes.subarray(0, HEAD));
  head.writeUInt32LE(filled.length, HEAD - 4);
  return page(gzipSync(Buffer.concat([head, filled, bytes.subarray(start)])).toString("base64"), name);
}

/** The same with any text where the pack is; null for a page without one. */
export function page(text, name) {
  const script = text === null ? "" : `<script type="application/x-latente-pack">${text}</script>`;
  const path = join(folder, `${name}.html`);
  writeFileSync(path, readFileSync(PAGE, "utf8").replace("<!--latente-pack-->", () => script));
  return pathToFileURL(path).href;
}
