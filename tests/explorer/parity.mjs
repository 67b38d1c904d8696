// What the page's engine makes of a pack, as doubles in a file: node parity.mjs ENGINE PACK ASKED OUT
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [engine, packFile, askedFile, out] = process.argv.slice(2);
const { openPack } = await import(pathToFileURL(engine));
const pack = openPack(new Uint8Array(readFileSync(packFile)));
const asked = JSON.parse(readFileSync(askedFile));
const model = pack.models[0];
const found = { means: [], values: [], laws: [], pixels: [], mean: [], sd: [] };
const texts = [];
for (const code of asked.codes) {
  const z = Float32Array.from(code);
  found.means.push(...model.means(z));
  const decoded = model.decode(z);
  if (decoded.type === "image") for (const pixel of decoded.pixels) found.pixels.push(pixel);
  else {
    texts.push(decoded.fields.map((field) => field.text));
    for (const { value, distribution } of decoded.fields) {
      found.values.push(value ?? NaN);
      for (const p of distribution.probability) found.laws.push(p);
    }
  }
}
for (const row of asked.rows) {
  const input = pack.input.type === "image" ? { type: "image", pixels: Float32Array.from(row) } : { type: "row", values: row };
  const { mean, sd } = model.encode(input);
  found.mean.push(...mean);
  found.sd.push(...sd);
}
const sizes = Object.fromEntries(Object.entries(found).map(([name, values]) => [name, values.length]));
const fields = pack.input.type === "row" ? pack.input.fields.map(({ name }) => name) : [];
const population = pack.population.map((law) => [...law.probability].reduce((a, b) => a + b, 0));
writeFileSync(`${out}.json`, JSON.stringify({ sizes, texts, fields, population, notes: pack.notes, inPage: model.inPage }));
writeFileSync(out, new Uint8Array(Float64Array.from(Object.values(found).flat()).buffer));
