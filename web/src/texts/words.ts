import type { Explorer } from "../app/explorer";
import type { LatentModel } from "../engine/types";
import { neighbourhood } from "../space/neighbourhood";
import type { Chart, PlaneChoice } from "../space/plane";
import type { Vector } from "../core/linear";
import { coordinates, number, t, type Key } from "./index";

/** Sentences that several parts of the page say. */

const RECIPES: Record<string, Key> = { autoencoder: "model.autoencoder", vae: "model.vae", "beta-vae": "model.vae" };

export function modelTitle(model: LatentModel): string {
  const name = model.recipe in RECIPES ? t(RECIPES[model.recipe]) : model.recipe;
  return model.beta !== null && model.beta !== 1 && model.stochastic ? t("model.beta", { name, beta: number(model.beta) }) : name;
}

/** The names of a plane's axes; mixtures of dimensions have none of their own. */
export function axisTitles(chart: Chart): [string, string] {
  const { dimensions, model } = chart;
  if (!dimensions) return [t("axis.across"), t("axis.up")];
  const [across, up] = dimensions.map((i) => model.dimensionNames[i] ?? "");
  return [across, model.d > 1 ? up : ""];
}

export function planeTitle(model: LatentModel, choice: PlaneChoice): string {
  if (choice.kind === "rows") return t("plane.rows");
  if (choice.kind === "pair") return t("plane.pair", names(model, choice.across, choice.up));
  const plane = model.planes[choice.index];
  if (plane.kind === "principal") return t("plane.principal");
  if (plane.kind === "own") return t("plane.own");
  if (model.d === 1) return model.dimensionNames[0];
  return plane.dimensions ? t("plane.pair", names(model, ...plane.dimensions)) : t("plane.own");
}

function names(model: LatentModel, across: number, up: number): { across: string; up: string } {
  return { across: model.dimensionNames[across], up: model.dimensionNames[up] };
}

/** How many rows there are around a code, in a few words. */
export function crowdAt(model: LatentModel, z: Vector): Key {
  return `here.${neighbourhood(model).at(z)}`;
}

/** Where the point is, and whether rows are there. */
export function where(explorer: Explorer, model: LatentModel): string {
  const z = explorer.codeOf(model);
  return `${coordinates(z)} · ${t(crowdAt(model, z))}`;
}
