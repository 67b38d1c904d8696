/**
 * Types shared by the page and the forward pass. A page is one JSON document ("pack") plus one block of tensors; `openPack`
 * turns both into models that decode and encode in the user's units, and into the layers of the map. Nothing here uses the DOM,
 * so that the tests against Python can run the same code in Node.
 */

/** Kinds of field, as in latente.rows.Field. Times of day and durations are "real": seconds, whose text says it. */
export type Kind = "real" | "positive" | "bounded" | "count" | "integer" | "ordinal" | "binary" | "categorical" | "date" | "image";

/** A histogram of one column in the user's units. */
export interface ColumnDistribution {
  /** Edges of each bin, equal for a single value; the indices 0, 1, … of the levels if there are labels. */
  low: Float64Array;
  high: Float64Array;
  labels: string[] | null;
  /** They sum to 1; all are 0 if nothing is known. */
  probability: Float64Array;
}

export interface DecodedField {
  name: string;
  kind: Kind;
  /** Mean, or most likely level, as it can stand in the user's data: on its grid, within its bounds ("1.25", "2024-03-05", "Private"). */
  text: string;
  /** The mean in the user's units, neither rounded nor cut; dates in seconds since 1970; null for a level. */
  value: number | null;
  /** Over the same bins as this column's in `Pack.population`. */
  distribution: ColumnDistribution;
}

export interface DecodedRow {
  type: "row";
  /** Columns that vary, in the order of `Pack.input.fields`. */
  fields: DecodedField[];
}

export interface DecodedImage {
  type: "image";
  /** 1 or 3, seldom others: draw the first one or three. */
  channels: number;
  height: number;
  width: number;
  /** [H, W, C], from 0 to 1 (of the range that the pictures have). */
  pixels: Float32Array;
}

export interface DecodedSeries {
  type: "series";
  /** In the user's units; `low` and `high` are the ends of the channel's scale. */
  channels: { name: string; low: number; high: number; values: Float64Array }[];
}

/** The columns of a table; [] where rows are pictures or series. */
export function fieldsOf(input: Pack["input"]): InputField[] {
  return input.type === "row" ? input.fields : [];
}

export type Decoded = DecodedRow | DecodedImage | DecodedSeries;

/** A plane through the space of codes: z = origin + u * across + v * up. For d = 1, `up` is 0. */
export interface Plane {
  kind: "whole" | "pair" | "principal" | "own";
  /** Of a pair (and of the whole, where d is 1 or 2) the places of its dimensions; null otherwise. */
  dimensions: [number, number] | null;
  origin: Float32Array;
  across: Float32Array;
  up: Float32Array;
  /** Range of (u, v) that holds the codes: [uMin, uMax, vMin, vMax]. */
  range: [number, number, number, number];
  /**
   * Densities in the plane's coordinates (of codes projected onto it), [side, side], row by row from vMin, at the middles of
   * the cells. `posterior` is the aggregated posterior, null if there were no rows to measure it; `fitted` is the
   * prior fitted to the codes, from which new codes are sampled; `prior` is that of the model (mostly N(0, I)), null for an
   * autoencoder (sample N(0, I) instead).
   */
  side: number;
  posterior: Float32Array | null;
  fitted: Float32Array;
  prior: Float32Array | null;
}

/** Codes of real rows; only where they were exported on purpose, or on the served page. */
export interface Points {
  count: number;
  codes: Float32Array; // [count, d], to a 65,535th of their range
  /** Columns to colour by, each [count]; NaN where unknown; places of levels where there are labels. */
  columns: { name: string; labels: string[] | null; values: Float32Array }[];
  /** The row as text; null where only codes are in the page, or rows are pictures. */
  row(index: number): { name: string; text: string }[] | null;
  /** The row or picture itself, as `encode` takes it; null where only codes are in the page. */
  input(index: number): EncodeInput | null;
}

/** A sentence by language; {} where there is none to say. */
export type Said = Record<string, string>;

export interface LatentModel {
  /** "vae", "autoencoder", … and a title in the reader's words comes from the texts. */
  recipe: string;
  /** beta of the objective, where it has one; 0 for an autoencoder. */
  beta: number | null;
  /** Whether a row has a distribution over codes, and not one code. */
  stochastic: boolean;
  d: number;
  dimensionNames: string[];
  /** The dimensions on which the decoded row depends most come first; inactive ones are left out. */
  active: number[];
  /** For each dimension: mean and standard deviation of the codes. */
  centre: Float32Array;
  spread: Float32Array;
  /** The exported planes; the first one is shown at the start. */
  planes: Plane[];
  /** Set by the lesson for its own models, whose codes the page computes. */
  points: Points | null;
  /** Figures of the certificate: value, low, high (null where unknown) and the reason why it is unknown. */
  certificate: Record<string, { value: number | null; low: number | null; high: number | null; reason: Said }>;
  /** The certificate's verdicts, the most serious first; null where it was not measured. */
  verdicts: Said[] | null;
  /** What `latente fit` measured, as far as it is known: loss, distortion, rate in nats per held-out row, …; `variance_kept` is a share. */
  figures: Record<string, number | null>;
  multiplyAdds: number;
  /** Whether the decoder is in the page. Where not, `decode`, `means` and `encode` throw a PackError, and `decodeSoon` asks the server. */
  inPage: boolean;
  /** Means of p(x | z), in the user's units. */
  decode(z: Float32Array): Decoded;
  /** The same, by the server where the model is too large for the page. Null where a newer request has come in, or there is no server. */
  decodeSoon(z: Float32Array): Promise<Decoded | null>;
  /** Means of p(x | z) in encoded units, [F] (of levels the probability of each: [F'] is longer then), for sensitivity and distances. */
  means(z: Float32Array): Float64Array;
  /** q(z | x): mean and standard deviation (0 for a point mass) of a row or picture in the user's units. */
  encode(input: EncodeInput): { mean: Float32Array; sd: Float32Array };
  /** The same, by the server where the encoder is not in the page; null as in `decodeSoon`. */
  encodeSoon(input: EncodeInput): Promise<{ mean: Float32Array; sd: Float32Array } | null>;
  /** A sample of the prior fitted to the codes, or of the model's own prior (N(0, I) if it has none). */
  sample(from: "fitted" | "prior", random: () => number): Float32Array;
  /** Logarithm of the density of the fitted prior at z, in all d dimensions. */
  logDensity(z: Float32Array): number;
  /** The exported plane of a pair, or one made now: its fitted prior is exact, its posterior is counted from points if there are any. */
  pair(i: number, j: number): Plane;
  /** The plane through three codes that are not on one line; null where they are. */
  through(a: Float32Array, b: Float32Array, c: Float32Array): Plane | null;
}

/** A picture [H, W, C] from 0 to 1, or values in the order of `Pack.input.fields`: numbers, texts of levels and dates; null is missing. */
export type EncodeInput = { type: "image"; pixels: Float32Array } | { type: "row"; values: (number | string | null)[] };

export interface InputField {
  name: string;
  kind: Kind;
  low: number;
  high: number;
  /** Values are multiples of it above `low`; 0 where they are continuous. */
  step: number;
  labels: string[] | null;
}

export interface Pack {
  title: string;
  /** How many rows the model was fitted on. */
  rows: number;
  /** Whether `latente explore` serves this page (then `decodeSoon` can ask it). */
  served: boolean;
  /** Whether rows, and not only what was learnt from them, are in the page. */
  holdsRows: boolean;
  /** Notes for the reader of this page: a fitted prior that was approximated, a model that is too large, … */
  notes: Said[];
  /** What an input may be: fields with their range or levels, for the editor; the picture's shape; the channels of a window of series. */
  input: { type: "image"; channels: number; height: number; width: number } | { type: "row"; fields: InputField[] } | { type: "series"; channels: string[]; steps: number };
  /** The distribution of each column over all rows, to stand behind a decoded row's; [] for pictures. */
  population: ColumnDistribution[];
  /** The main model first; a second one to compare with where there is. */
  models: LatentModel[];
  /** Of pictures, the distance to a real one within which a decoded one is a hit; null where the rows of the page say it. */
  near: number | null;
  lesson: LessonModels | null;
}

/** Small models for the lesson, whose codes the page computes itself. */
export interface LessonModels {
  /** Autoencoders by d. */
  squeeze: LatentModel[];
  /** Models of one d by beta; the first is an autoencoder, beta 0. */
  regularisation: LatentModel[];
  /** What was measured of each of these; null where unknown. */
  curves: Curve[];
  /** Snapshots of the training of one of these; null where none were recorded. */
  training: Snapshots | null;
}

export interface Curve {
  /** C of rows decoded from N(0, I), and K. */
  completeness: number | null;
  continuity: number | null;
}

export interface Snapshots {
  /** Which rows of the points, and their codes at each snapshot, [T][N * 2]. */
  rows: Int32Array;
  codes: Float32Array[];
  epochs: number[];
  reconstruction: number[];
  kl: number[];
}

/** A pack that can't be opened or used; the message is a sentence in English, `code` is what texts are chosen by. */
export class PackError extends Error {
  constructor(
    readonly code: "missing" | "damaged" | "newer" | "too-large" | "unsupported" | "input",
    message: string,
  ) {
    super(message);
    this.name = "PackError";
  }
}
