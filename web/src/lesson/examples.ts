import type { Explorer } from "../app/explorer";
import { usualRange } from "../decoded/distribution";
import type { Decoded, EncodeInput, LatentModel, Pack } from "../engine/types";
import { seeded } from "../core/random";
import { asInput } from "../space/local";

const COUNT = 8;

/** Rows to look at: those that came with the pack, real ones where rows are there, else some that the model makes up. */
export function examples(explorer: Explorer): EncodeInput[] {
  const { pack } = explorer;
  const points = pack.models[0].points;
  const real = points ? spreadOut(points.count).map((row) => points.input(row)) : [];
  const given = real.filter((input): input is EncodeInput => input !== null);
  if (given.length) return given;
  const random = seeded(41);
  const model = [...pack.models, ...(pack.lesson?.squeeze ?? [])].find((one) => one.inPage);
  if (!model) return [];
  return Array.from({ length: COUNT }, () => asInput(model.decode(model.sample("fitted", random))));
}

/** Row numbers all over the table. */
function spreadOut(count: number): number[] {
  const shown = Math.min(COUNT, count);
  return Array.from({ length: shown }, (_, i) => Math.floor(((i + 0.5) * count) / shown));
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
  if (input.type === "image" && decoded.type === "image")
    return Array.from(input.pixels, (value, i) => Math.abs(value - decoded.pixels[i]));
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

/** The same over several rows, each after its own code. */
export function meanError(pack: Pack, model: LatentModel, inputs: EncodeInput[]): number {
  return mean(inputs.map((input) => errorOf(pack, input, rebuilt(model, input))));
}

function mean(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
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
      text: values[i] === null ? "–" : String(values[i]),
      value: typeof values[i] === "number" ? values[i] : null,
      distribution: pack.population[i],
    })),
  };
}
