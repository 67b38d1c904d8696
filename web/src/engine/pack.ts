/** From bytes to models. */

import { Block, unpacked } from "./block";
import { Model, type ModelSpec, isPicture, isSeries } from "./model";
import { Remote, type Socket } from "./remote";
import { type ColumnDistribution, type Curve, type LatentModel, type LessonModels, type Pack, PackError, type Snapshots } from "./types";

/** The pack in a page: the text of `<script type="application/x-latente-pack">`, gzip in base64. */
export async function packInPage(): Promise<Pack> {
  const text = document.querySelector('script[type="application/x-latente-pack"]')?.textContent;
  if (!text) throw new PackError("missing", "there is no pack in this page: 'latente export' writes one");
  return openPack(await unpacked(text), () => {
    const url = new URL("socket", location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    return new WebSocket(url);
  });
}

/** A pack from its text in a page. */
export async function readPack(text: string): Promise<Pack> {
  return openPack(await unpacked(text));
}

/** A pack from its bytes; `connect` opens a socket to the server of a served page. */
export function openPack(bytes: Uint8Array, connect?: () => Socket): Pack {
  try {
    return opened(new Block(bytes), connect);
  } catch (error) {
    if (error instanceof PackError) throw error;
    throw new PackError("damaged", `the pack does not hold together: ${error instanceof Error ? error.message : error}`);
  }
}

function opened(block: Block, connect?: () => Socket): Pack {
  const { header } = block;
  const remote = header.served && connect ? new Remote(connect) : null;
  const models = (header.models as ModelSpec[]).map((spec, place) => new Model(spec, block, place, remote));
  const small = (specs: ModelSpec[]): LatentModel[] => specs.map((spec) => new Model(spec, block, -1, null));
  const { lesson } = header;
  return {
    title: header.title,
    rows: header.rows,
    served: header.served,
    holdsRows: models.some((model) => model.points !== null),
    notes: header.notes,
    input: input(models[0]),
    population: population(models[0], header.population as number[], block),
    models,
    near: header.near ?? null,
    lesson: lesson && lessonModels(lesson, small, block),
  };
}

interface LessonSpec {
  squeeze: ModelSpec[];
  regularisation: ModelSpec[];
  curves?: Curve[];
  training?: { rows: number; codes: number; low: number; high: number; epochs: number[]; reconstruction: number[]; kl: number[] } | null;
}

function lessonModels(spec: LessonSpec, small: (specs: ModelSpec[]) => LatentModel[], block: Block): LessonModels {
  const { training, curves } = spec;
  return {
    squeeze: small(spec.squeeze),
    regularisation: small(spec.regularisation),
    curves: curves ?? [],
    training: training ? { ...training, rows: block.tensor(training.rows).values as Int32Array, codes: frames(training, block) } : null,
  };
}

/** Codes are stored in 16 bits, [T, N, 2]. */
function frames({ codes, low, high }: { codes: number; low: number; high: number }, block: Block): Snapshots["codes"] {
  const { shape, values } = block.tensor(codes);
  const all = Float32Array.from(values, (step) => low + ((high - low) * step) / 65535);
  const size = all.length / shape[0];
  return Array.from({ length: shape[0] }, (_, frame) => all.subarray(frame * size, (frame + 1) * size));
}

function input({ units }: Model): Pack["input"] {
  if (isSeries(units)) return { type: "series", channels: units.channels.map(({ name }) => name), steps: units.steps };
  if (!isPicture(units)) return { type: "row", fields: units.map((column) => column.input) };
  const [channels, height, width] = units;
  return { type: "image", channels, height, width };
}

function population({ units }: Model, places: number[], block: Block): ColumnDistribution[] {
  return isPicture(units) || isSeries(units) ? [] : units.map((column, f) => column.histogram(block.doubles(places[f])));
}
