import { category, viridis, type Rgb } from "../colour/scales";
import type { Ink } from "../colour/theme";
import type { Vector } from "../core/linear";
import type { Layer } from "../app/explorer";
import { usualRange } from "../decoded/distribution";
import type { ColumnDistribution } from "../engine/types";
import type { Density } from "../space/density";
import { neighbourhood } from "../space/neighbourhood";
import type { Chart } from "../space/plane";
import { Progressive } from "../space/progressive";
import { sensitivityAt } from "../space/sensitivity";
import type { Camera } from "./camera";
import { Raster } from "./raster";
import { Thumbnails } from "./thumbnails";

/** The background of the map. */
export interface Ground {
  draw(context: CanvasRenderingContext2D, camera: Camera): void;
  stop(): void;
  /** Whether it covers what the map shows, and is computed anew when that changes. */
  follows?: boolean;
  /** The values themselves, for other parts of the page. */
  values?: Progressive;
}

const SIDE = 64;

export interface Circumstances {
  chart: Chart;
  /** The part of the plane that the map shows. */
  view: Density["range"];
  residual: Vector | null;
  ink: Ink;
  /** The column of a table to show, and its distribution over all rows, which colours are spread over. */
  field: number;
  population: ColumnDistribution[];
  changed: () => void;
}

/** The layer of that name, on that plane. */
export function groundOf(layer: Layer, at: Circumstances): Ground | null {
  const { chart, ink } = at;
  if (layer === "posterior" && chart.posterior) return still(cloud(chart.posterior, ink.accent));
  if (layer === "prior") return still(cloud(chart.fitted, ink.warm));
  if (layer === "holes") return holes(at);
  if (!chart.model.inPage) return null;
  if (layer === "sensitivity") return sensitivity(at);
  if (layer === "decoded") return decoded(at);
  return null;
}

function still(raster: Raster): Ground {
  return { draw: (context, camera) => raster.draw(context, camera), stop: () => {} };
}

/** The outer share of a density's grid over which it fades towards an ellipse, so that it does not end in a square. */
const RIM = 0.3;

/** A density as a tint: the square root of it shows thin places, too. */
function cloud(density: Density, [r, g, b]: Rgb): Raster {
  const { side, values } = density;
  const most = values.reduce((high, value) => Math.max(high, value), 0) || 1;
  const outwards = (place: number) => (2 * place + 1) / side - 1;
  const fade = (cell: number) => Math.max(0, Math.min(1, (1 - Math.hypot(outwards(cell % side), outwards(Math.floor(cell / side)))) / RIM));
  return new Raster(density, (cell) => [r, g, b, 165 * Math.sqrt(values[cell] / most) * fade(cell)]);
}

/** The fitted prior as a pale tint; holes of the slice through the point as hatching, which is visible without colours. */
function holes({ chart, view, residual, ink, changed }: Circumstances): Ground {
  const { model } = chart;
  const around = neighbourhood(model);
  const values = new Progressive(SIDE, view, (u, v) => Number(around.at(chart.lift(u, v, residual)) === "hole"), changed);
  const sheet = document.createElement("canvas");
  const hatched = progressive(values, () => (value) => [...ink.warm, value > 0.5 ? 255 : 0] as const);
  const pale = cloud(chart.fitted, ink.quiet);
  return {
    ...hatched,
    draw: (context, camera) => {
      context.globalAlpha = 0.5;
      pale.draw(context, camera);
      context.globalAlpha = 1;
      hatch(sheet, (sheetContext) => hatched.draw(sheetContext, camera), camera, ink.warm);
      context.drawImage(sheet, 0, 0);
    },
  };
}

function hatch(sheet: HTMLCanvasElement, mask: (context: CanvasRenderingContext2D) => void, camera: Camera, [r, g, b]: Rgb): void {
  sheet.width = Math.max(1, Math.round(camera.width));
  sheet.height = Math.max(1, Math.round(camera.height));
  const context = sheet.getContext("2d")!;
  context.fillStyle = `rgb(${r} ${g} ${b} / 0.22)`;
  context.fillRect(0, 0, sheet.width, sheet.height);
  context.strokeStyle = `rgb(${r} ${g} ${b} / 0.9)`;
  context.lineWidth = 1.5;
  for (let x = -sheet.height; x < sheet.width; x += 8) {
    context.moveTo(x, sheet.height);
    context.lineTo(x + sheet.height, 0);
  }
  context.stroke();
  context.globalCompositeOperation = "destination-in";
  mask(context);
}

/** Doublings of the median sensitivity that the colours span, down and up. */
const DOUBLINGS = 2;

function sensitivity({ chart, view, residual, changed }: Circumstances): Ground {
  const values = new Progressive(SIDE, view, (u, v) => sensitivityAt(chart, u, v, residual), changed);
  return progressive(values, () => {
    const usual = median(values.values);
    return (value) => opaque(viridis((Math.log2(value / usual) / DOUBLINGS + 1) / 2));
  });
}

/** The decoder's output at each position: pictures, or one column's value for a table. */
function decoded(at: Circumstances): Ground | null {
  const { chart, view, residual, field, population, changed } = at;
  const first = chart.model.decode(chart.model.centre);
  if (first.type === "image") return new Thumbnails(chart, residual, changed);
  if (first.type === "series") return null;
  const labels = first.fields[field]?.distribution.labels;
  const fieldAt = (z: Vector) => {
    const row = chart.model.decode(z);
    const one = row.type === "row" ? row.fields[field] : undefined;
    return one ? (labels ? labels.indexOf(one.text) : (one.value ?? NaN)) : NaN;
  };
  const values = new Progressive(SIDE, view, (u, v) => fieldAt(chart.lift(u, v, residual)), changed);
  const [low, high] = labels ? [0, 1] : usualRange(population[field]);
  return progressive(values, () => (value) => opaque(labels ? category(value) : viridis((value - low) / (high - low || 1))));
}

type Rgba = readonly [number, number, number, number];

function opaque(colour: Rgb): Rgba {
  return [...colour, 215];
}

/** A layer that is computed while it is looked at. */
function progressive(values: Progressive, scale: () => (value: number) => Rgba): Ground {
  let raster: Raster | null = null;
  let seen = -1;
  return {
    values,
    follows: true,
    draw: (context, camera) => {
      if (seen !== values.version) {
        seen = values.version;
        const colour = scale();
        raster = new Raster(values, (cell) => {
          const value = values.values[cell];
          return Number.isNaN(value) ? [0, 0, 0, 0] : colour(value);
        });
      }
      raster?.draw(context, camera, values.done);
    },
    stop: () => values.stop(),
  };
}

export function median(values: Float32Array): number {
  const known = values.filter((value) => value > 0).sort();
  return known[known.length >> 1] ?? 1;
}
