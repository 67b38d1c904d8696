// What the page's engine makes of graphs: node operations.mjs ENGINE PACK, which prints their results as JSON
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [engine, packFile] = process.argv.slice(2);
const { Block, graph } = await import(pathToFileURL(engine));
const block = new Block(new Uint8Array(readFileSync(packFile)));
const { graphs, inputs } = block.header;
console.log(JSON.stringify(graphs.map((spec, i) => [...graph(spec, block)(inputs[i])])));
