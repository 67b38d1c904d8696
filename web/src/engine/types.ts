/**
 * What the page and the forward pass agree on. A page is one JSON document ("pack") plus one block of float32 and integer
 * tensors; `openPack` turns both into models that decode and encode in the user's units, and into the layers of the map.
 * Nothing here knows of the DOM, so that the same code runs in Node for the tests against Python.
 */

/** Kinds of field, as in latente.rows.Field. */
export type Kind = "real" | "positive" | "count" | "integer" | "ordinal" | "binary" | "categorical" | "date" | "image";

/** The law of one decoded column: a histogram over the column's own cells or a bell curve, in the user's units. */
export interface FieldLaw {
  /** Ends of each bin, equal where it is one value; labels in place of numbers for levels. */
  low: Float64Array;
  high: Float64Array;
  labels: string[] | null;
  /** They add up to 1. */
  probability: Float64Array;
}

export interface DecodedField {
  name: string;
  kind: Kind;
  /** Mean, or most likely level, as the user writes it ("1,2", "2024-03-05", "Private"). */
  text: string;
  /** The number behind it in the user's units; null for a level or a constant text. */
  value: number | null;
  law: FieldLaw;
}

export interface DecodedRow {
  type: "row";
  fields: DecodedField[];
}

export interface DecodedImage {
  type: "image";
  channels: 1 | 3;
  height: number;
  width: number;
  /** [H, W, C], from 0 to 1 (of the range that the pictures have). */
  pixels: Float32Array;
}

export type Decoded = DecodedRow | DecodedImage;

/** A plane through the space of codes: z = origin + u * across + v * up. */
export interface Plane {
  name: string;
  origin: Float32Array;
  across: Float32Array;
  up: Float32Array;
  /** Range of (u, v) that holds the codes: [uMin, uMax, vMin, vMax]. */
  range: [number, number, number, number];
  /** Density of the aggregated posterior and of the law in the plane's coordinates, [side, side] row by row from vMin. */
  side: number;
  posterior: Float32Array;
  law: Float32Array;
}

/** Codes of real rows; only where they were exported on purpose, or on the served page. */
export interface Points {
  count: number;
  codes: Float32Array; // [count, d]
  /** Columns to colour by, each [count]; NaN where unknown. */
  columns: { name: string; labels: string[] | null; values: Float32Array }[];
  /** The rows as text, in the order of the codes; null where they are not in the page. */
  row(index: number): { name: string; text: string }[] | null;
}

export interface LatentModel {
  /** "vae", "autoencoder", … and a title in the reader's words comes from the texts. */
  recipe: string;
  /** beta of the objective, where it has one. */
  beta: number | null;
  d: number;
  dimensionNames: string[];
  /** Most telling first. */
  active: number[];
  planes: Plane[];
  points: Points | null;
  /** Figures of the certificate: value, low, high (null where unknown) and the reason why it is unknown. */
  certificate: Record<string, { value: number | null; low: number | null; high: number | null; reason: string }>;
  /** The distribution means of p(x | z), in the user's units. */
  decode(z: Float32Array): Decoded;
  /** Raw decoder means [F] in encoded units, for local stretch and distances. */
  means(z: Float32Array): Float32Array;
  /** q(z | x): mean and standard deviation (0 for a point mass) of a row or picture in the user's units. */
  encode(input: EncodeInput): { mean: Float32Array; sd: Float32Array };
  /** A draw from the law fitted to the codes, or from the prior. */
  sample(law: "law" | "prior", random: () => number): Float32Array;
}

export type EncodeInput = { type: "image"; pixels: Float32Array } | { type: "row"; values: (number | string | null)[] };

export interface Pack {
  title: string;
  rows: number;
  /** What an input may be: fields with their range or levels, for the editor; the picture's shape. */
  input:
    | { type: "image"; channels: 1 | 3; height: number; width: number }
    | { type: "row"; fields: { name: string; kind: Kind; low: number; high: number; step: number; labels: string[] | null }[] };
  /** The distribution of each column over all rows, to stand behind a decoded row's. */
  population: FieldLaw[];
  /** The main model first; a second one to compare with where there is. */
  models: LatentModel[];
  /** Small models for the lesson: at several d and at several beta. */
  lesson: { squeeze: LatentModel[]; regularisation: LatentModel[] } | null;
}
