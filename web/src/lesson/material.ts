import type { Explorer } from "../app/explorer";
import { quantile, usualRange } from "../decoded/distribution";
import type { Vector } from "../core/linear";
import { type ColumnDistribution, type Decoded, type EncodeInput, fieldsOf, type InputField, type LatentModel, type Pack, type Points } from "../engine/types";
import { normal, seeded } from "../core/random";
import { asInput } from "../space/local";
import { spreadOver } from "../space/neighbourhood";

const COUNT = 8;
const JUDGED = 200;

/** Rows to look at: real ones where rows are in the page, else some that the model generates. */
export function examples(explorer: Explorer, count = COUNT): EncodeInput[] {
  const { pack } = explorer;
  const points = pack.models[0].points;
  const real = points ? spreadOver(points.count, count).map((row) => points.input(row)) : [];
  const given = real.filter((input): input is EncodeInput => input !== null);
  if (given.length) return given;
  const random = seeded(41);
  const model = [...pack.models, ...(pack.lesson?.squeeze ?? [])].find((one) => one.inPage);
  if (!model) return [];
  return Array.from({ length: count }, () => asInput(model.decode(model.sample("fitted", random))));
}

/** What a model makes of a row after its own code. */
export function rebuilt(model: LatentModel, input: EncodeInput): Decoded {
  return model.decode(model.encode(input).mean);
}

/**
 * How far off a decoded row is, from 0 to 1: for pictures the mean difference of a pixel, for tables the mean over the columns,
 * where a number counts by its distance in the column's usual range, and a level by the probability of the other ones.
 */
export function errorOf(pack: Pack, input: EncodeInput, decoded: Decoded): number {
  return mean(differences(pack, input, decoded));
}

function differences(pack: Pack, input: EncodeInput, decoded: Decoded): number[] {
  if (input.type === "image" && decoded.type === "image") return Array.from(input.pixels, (value, i) => Math.abs(value - decoded.pixels[i]));
  if (input.type !== "row" || decoded.type !== "row") return [];
  return decoded.fields.flatMap((field, i) => {
    const truth = input.values[i];
    if (truth === null) return [];
    // Of a level counts how sure the decoder is of it, so that learning has a slope to go down.
    if (field.distribution.labels) return [1 - (field.distribution.probability[field.distribution.labels.indexOf(String(truth))] ?? 0)];
    if (field.value === null || typeof truth !== "number") return [];
    const [low, high] = usualRange(pack.population[i]);
    return [Math.min(1, Math.abs(field.value - truth) / (high - low || 1))];
  });
}

/**
 * An error that anybody can picture: squared differences of pixels, summed; for tables that of each column in its usual range.
 * Training goes down -log p(x | z), of which the page has no figure; both fall where the decoder comes nearer to the row.
 */
export function squaredError(pack: Pack, input: EncodeInput, decoded: Decoded): number {
  return differences(pack, input, decoded).reduce((sum, value) => sum + value * value, 0);
}

/** The errors of several rows, each after its own code, in increasing order. */
export function errorsOf(explorer: Explorer, model: LatentModel, count = JUDGED): number[] {
  return examples(explorer, count)
    .map((input) => errorOf(explorer.pack, input, rebuilt(model, input)))
    .sort((a, b) => a - b);
}

export function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export function share95(sorted: number[]): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(0.95 * sorted.length))];
}

/** A row as something that can be drawn like what is decoded. */
export function asDecoded(pack: Pack, input: EncodeInput): Decoded {
  if (input.type === "image" && pack.input.type === "image") return { ...pack.input, type: "image", pixels: input.pixels };
  const fields = pack.input.type === "row" ? pack.input.fields : [];
  const values = input.type === "row" ? input.values : [];
  return {
    type: "row",
    fields: fields.map((field, i) => ({
      name: field.name,
      kind: field.kind,
      text: written(values[i], field),
      value: typeof values[i] === "number" ? values[i] : null,
      distribution: pack.population[i],
    })),
  };
}

function written(value: number | string | null, { kind, step }: InputField): string {
  if (value === null) return "–";
  if (typeof value === "string") return value;
  if (kind === "date") return new Date(1000 * value).toISOString().slice(0, 10);
  return step ? String(Number(value.toPrecision(12))) : String(Number(value.toPrecision(4)));
}

/** Noise on a row: of pixels and numbers, normal noise of so many standard deviations; so many levels are drawn anew. */
export function noisy(pack: Pack, input: EncodeInput, level: number, seed: number): EncodeInput {
  const random = seeded(seed);
  if (input.type === "image")
    return { type: "image", pixels: input.pixels.map((value) => Math.min(1, Math.max(0, value + level * normal(random)))) };
  const fields = pack.input.type === "row" ? pack.input.fields : [];
  return { type: "row", values: input.values.map((value, i) => shaken(value, fields[i], pack.population[i], level, random)) };
}

function shaken(value: number | string | null, field: InputField, all: ColumnDistribution, level: number, random: () => number): number | string | null {
  const [chance, noise] = [random(), normal(random)];
  if (value === null) return null;
  if (typeof value === "string") return chance < level / 2 ? (all.labels![drawn(all.probability, random)] ?? value) : value;
  const deviation = (quantile(all, 0.84) - quantile(all, 0.16)) / 2;
  const moved = Math.min(field.high, Math.max(field.low, value + level * deviation * noise));
  return field.step ? field.low + Math.round((moved - field.low) / field.step) * field.step : moved;
}

function drawn(probability: Float64Array, random: () => number): number {
  let left = random();
  return probability.findIndex((share) => (left -= share) <= 0);
}

/**
 * A row that none of the data is like, made of them: a picture whose quarters change places, or a row each of whose columns is
 * from another row. Each part is usual, and only together they are not.
 */
export function anomaly(pack: Pack, rows: EncodeInput[], place: number): EncodeInput {
  const row = rows[place % rows.length];
  if (row.type === "row") {
    const from = (i: number) => rows[(place + i) % rows.length];
    return { type: "row", values: row.values.map((_, i) => (from(i) as typeof row).values[i]) };
  }
  const { channels, height, width } = pack.input as Pack["input"] & { type: "image" };
  const [down, right] = [height >> 1, width >> 1];
  const source = (at: number) => {
    const [y, x] = [Math.floor(at / channels / width), Math.floor(at / channels) % width];
    return (((y + down) % height) * width + ((x + right) % width)) * channels + (at % channels);
  };
  return { type: "image", pixels: row.pixels.map((_, at) => row.pixels[source(at)]) };
}

/** The codes of the page's rows in a model of the lesson, which comes without them. */
export function attachCodes(explorer: Explorer, model: LatentModel): void {
  const from = explorer.pack.models[0].points;
  if (model.points || !from || !model.inPage) return;
  const rows = Array.from({ length: from.count }, (_, row) => from.input(row));
  if (rows.some((row) => row === null)) return;
  const codes = new Float32Array(rows.length * model.d);
  rows.forEach((row, i) => codes.set(model.encode(row!).mean, i * model.d));
  model.points = { ...from, codes } satisfies Points;
}

/** The number of values that a row has. */
export function inputSize({ input }: Pack): number {
  return input.type === "image" ? input.channels * input.height * input.width : fieldsOf(input).length;
}

/** KL(q(z|x) ‖ N(0, I)) of a diagonal normal distribution, in nats. */
export function divergence(mean: Vector, sd: Vector): number {
  return mean.reduce((sum, mu, i) => sum + (mu * mu + sd[i] * sd[i] - 1) / 2 - Math.log(Math.max(sd[i], 1e-12)), 0);
}
