import { Signal } from "../core/signal";
import type { Vector } from "../core/linear";
import { seeded } from "../core/random";
import type { LatentModel, Pack } from "../engine/types";
import { transport } from "../space/moments";
import { chartOf, type Chart, type PlaneChoice } from "../space/plane";

export type Layer = "none" | "posterior" | "prior" | "holes" | "sensitivity" | "decoded";
export type Gesture = "move" | "pan" | "lasso";

/** What the pointer drew last: an event for the lesson and for screen readers. */
export type Cause = "drag" | "keys" | "slider" | "sample" | "row" | "walk" | "encode" | "lesson" | "start";

export interface Walk {
  from: Vector[];
  to: Vector[];
  share: number;
}

/** Marks that a tool or a lesson puts on the map of one model, besides the point itself. */
export interface Marks {
  model: LatentModel;
  /** q(z | x) of the current row. */
  cloud?: { mean: Vector; sd: Vector };
  /** A place to go to. */
  target?: [number, number];
  /** Where an error pulls the code. */
  arrow?: { from: Vector; to: Vector };
}

/** The state that all parts of the page share. Nothing here draws. */
export class Explorer {
  /** One model, or two beside each other. */
  readonly models: Signal<LatentModel[]>;
  /** A code for each model shown. */
  readonly codes: Signal<Vector[]>;
  readonly plane = new Signal<PlaneChoice>({ kind: "given", index: 0 });
  readonly layer = new Signal<Layer>("posterior");
  readonly showPoints = new Signal(true);
  /** The column by which points are coloured; -1 for none. */
  readonly colour = new Signal(0);
  /** The column of a table whose decoded value the map shows. */
  readonly field = new Signal(0);
  readonly gesture = new Signal<Gesture>("move");
  readonly selection = new Signal<Uint32Array | null>(null);
  readonly walk = new Signal<Walk | null>(null);
  readonly marks = new Signal<Marks | null>(null);
  /** The parts of models' maps that a lesson points to. */
  readonly frames = new Signal<{ model: LatentModel; middle: Vector; reach: number }[]>([]);
  /** The row whose codes are shown, if one was chosen. */
  readonly row = new Signal<number | null>(null);
  readonly lessonOpen: Signal<boolean>;
  /** Changes when a gesture on a map ends: a lesson counts what was done then, and not on the way. */
  readonly ended = new Signal(0);
  /** Whether the maps are shown; some steps of the lesson have a figure of their own instead. */
  readonly mapsShown = new Signal(true);
  cause: Cause = "start";
  /** Random draws of this session differ from page to page; the first ones are the same for everybody. */
  readonly random = seeded(20);

  constructor(readonly pack: Pack) {
    this.models = new Signal(pack.models.slice(0, 1));
    this.codes = new Signal([this.beginning(pack.models[0])]);
    this.lessonOpen = new Signal(pack.lesson !== null);
    if (!chartOf(pack.models[0], this.plane.value).posterior) this.layer.value = "prior";
    if (!pack.models[0].points?.columns.length) this.colour.value = -1;
  }

  get main(): LatentModel {
    return this.models.value[0];
  }

  get code(): Vector {
    return this.codes.value[0];
  }

  chart(model: LatentModel): Chart {
    return chartOf(model, this.plane.value);
  }

  endGesture(): void {
    this.ended.value++;
  }

  codeOf(model: LatentModel): Vector {
    return this.codes.value[this.models.value.indexOf(model)];
  }

  /** Moves the point of one model to z; the point of a second model moves to the same sample of its own fitted prior. */
  moveTo(z: Vector, cause: Cause, model = this.main): void {
    this.cause = cause;
    this.row.value = null;
    this.codes.value = this.models.value.map((other) => transport(model, other, z));
  }

  /** Each model's own code for the same thing. */
  moveAll(codes: Vector[], cause: Cause): void {
    this.cause = cause;
    this.row.value = null;
    this.codes.value = codes;
  }

  /** Puts the point of every model at its own code of a real row. */
  moveToRow(row: number, cause: Cause = "row"): void {
    this.moveAll(
      this.models.value.map((model) => this.codeOfRow(model, row) ?? transport(this.main, model, this.codeOfRow(this.main, row)!)),
      cause,
    );
    this.row.value = row;
  }

  codeOfRow(model: LatentModel, row: number): Vector | null {
    const points = model.points;
    return points && row < points.count ? points.codes.slice(row * model.d, (row + 1) * model.d) : null;
  }

  /** Shows other models, with the point where it was in the first one, as far as they allow. */
  show(models: LatentModel[]): void {
    const before = this.main;
    if (models.length === this.models.value.length && models.every((model, i) => model === this.models.value[i])) return;
    const code = this.code;
    const row = this.row.value;
    this.walk.value = null;
    this.marks.value = null;
    if (models[0].points?.count !== before.points?.count) this.selection.value = null;
    this.codes.value = models.map((model) => transport(before, model, code));
    this.models.value = models;
    if (row !== null && models.every((model) => this.codeOfRow(model, row))) this.moveToRow(row, "lesson");
  }

  /** Where the page begins: the code of the first row, or the middle of the codes. */
  private beginning(model: LatentModel): Vector {
    return this.codeOfRow(model, 0) ?? model.centre.slice();
  }
}
