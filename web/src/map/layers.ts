import { category, viridis, type Rgb } from "../colour/scales";
import type { Ink } from "../colour/theme";
import type { Vector } from "../core/linear";
import type { Layer } from "../app/explorer";
import { usualRange } from "../decoded/distribution";
import type { ColumnDistribution } from "../engine/types";
import type { Density } from "../space/density";
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
  /** The values themselves, for other parts of the page. */
  values?: Progressive;
}

const SIDE = 64;

export interface Circumstances {
  chart: Chart;
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
  if (layer === "holes" && chart.holes) return holes(chart, ink);
  if (!chart.model.inPage) return null;
  if (layer === "sensitivity") return sensitivity(at);
  if (layer === "decoded") return decoded(at);
  return null;
}

function still(raster: Raster): Ground {
  return { draw: (context, camera) => raster.draw(context, camera), stop: () => {} };
}

/** A density as a tint: the square root of it shows thin places, too. */
function cloud(density: Density, [r, g, b]: Rgb): Raster {
  const most = density.values.reduce((high, value) => Math.max(high, value), 0) || 1;
  return new Raster(density, (cell) => [r, g, b, 165 * Math.sqrt(density.values[cell] / most)]);
}

/** The sampling density as a pale tint; holes as hatching, which is visible without colours. */
function holes(chart: Chart, ink: Ink): Ground {
  const found = chart.holes!;
  const pale = cloud(found.sampling, ink.quiet);
  const mask = new Raster(found, (cell) => [...ink.warm, found.inside[cell] ? 255 : 0]);
  const sheet = document.createElement("canvas");
  return {
    draw: (context, camera) => {
      context.globalAlpha = 0.5;
      pale.draw(context, camera);
      context.globalAlpha = 1;
      hatch(sheet, mask, camera, ink.warm);
      context.drawImage(sheet, 0, 0);
    },
    stop: () => {},
  };
}

function hatch(sheet: HTMLCanvasElement, mask: Raster, camera: Camera, [r, g, b]: Rgb): void {
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
  mask.draw(context, camera);
}

/** Doublings of the median sensitivity that the colours span, down and up. */
const DOUBLINGS = 2;

function sensitivity({ chart, residual, changed }: Circumstances): Ground {
  const values = new Progressive(SIDE, chart.plane.range, (u, v) => sensitivityAt(chart, u, v, residual), changed);
  return progressive(values, () => {
    const usual = median(values.values);
    return (value) => viridis((Math.log2(value / usual) / DOUBLINGS + 1) / 2);
  });
}

/** The decoder's output at each position: pictures, or one column's value for a table. */
function decoded(at: Circumstances): Ground {
  const { chart, residual, field, population, changed } = at;
  const first = chart.model.decode(chart.model.centre);
  if (first.type === "image") return new Thumbnails(chart, residual, changed);
  const labels = first.fields[field]?.distribution.labels;
  const fieldAt = (z: Vector) => {
    const row = chart.model.decode(z);
    const one = row.type === "row" ? row.fields[field] : undefined;
    return one ? (labels ? labels.indexOf(one.text) : (one.value ?? NaN)) : NaN;
  };
  const values = new Progressive(SIDE, chart.plane.range, (u, v) => fieldAt(chart.lift(u, v, residual)), changed);
  const [low, high] = labels ? [0, 1] : usualRange(population[field]);
  return progressive(values, () => (labels ? category : (value) => viridis((value - low) / (high - low || 1))));
}

/** A layer that is computed while it is looked at. */
function progressive(values: Progressive, scale: () => (value: number) => Rgb): Ground {
  let raster: Raster | null = null;
  let seen = -1;
  return {
    values,
    draw: (context, camera) => {
      if (seen !== values.version) {
        seen = values.version;
        const colour = scale();
        raster = new Raster(values, (cell) => {
          const value = values.values[cell];
          return Number.isNaN(value) ? [0, 0, 0, 0] : [...colour(value), 215];
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
