import type { Explorer } from "../app/explorer";
import { ink } from "../colour/theme";
import { h, newId } from "../core/dom";
import { nextFrame } from "../core/frame";
import { Scope } from "../core/signal";
import type { LatentModel } from "../engine/types";
import { inside } from "../space/lasso";
import { t } from "../texts";
import { modelTitle, axisTitles, where } from "../texts/words";
import { drawAxes } from "./axes";
import { Camera } from "./camera";
import { Crowd } from "./crowd";
import { groundOf, type Ground } from "./layers";
import { legend } from "./legend";
import { Overlay } from "./overlay";
import { listenToPeople } from "./people";
import { CpuPoints } from "./points-cpu";
import { GlPoints } from "./points-gl";
import type { PointPainter } from "./points";
import { RowTip } from "./tip";

/** A map rests when it was not moved for so long, in milliseconds: then every point is drawn. */
const REST = 140;

/** The map of one model: layers, points and what moves over them, each on its own canvas. */
export class MapView {
  readonly element: HTMLElement;
  readonly camera = new Camera();
  ground: Ground | null = null;
  readonly stage: HTMLElement;
  private readonly canvases = [0, 1, 2].map(() => h("canvas", { "aria-hidden": "true" }));
  private readonly under = this.canvases[0].getContext("2d")!;
  private readonly painter: PointPainter;
  private readonly crowd: Crowd | null;
  private readonly overlay: Overlay;
  private readonly tip: RowTip;
  private moving = 0;
  private sized = false;

  constructor(
    private readonly scope: Scope,
    private readonly explorer: Explorer,
    readonly model: LatentModel,
  ) {
    const help = newId("help");
    this.stage = h(
      "div",
      { class: "stage", tabindex: "0", role: "application", "aria-label": t("map.label", { model: modelTitle(model) }), "aria-describedby": help },
      ...this.canvases,
    );
    this.tip = new RowTip(this.stage, explorer.pack);
    const place = h("p", { class: "place" });
    this.element = h(
      "figure",
      { class: "map" },
      h("figcaption", {}, h("strong", {}, modelTitle(model)), place),
      this.stage,
      legend(scope, explorer, model),
      h("p", { id: help, class: "unseen" }, t("map.keys")),
    );
    this.painter = GlPoints.on(this.canvases[1]) ?? new CpuPoints(this.canvases[1]);
    this.crowd = model.points && new Crowd(model.points, this.painter);
    this.overlay = new Overlay(this.canvases[2].getContext("2d")!, this.camera, explorer, model);
    this.listen(place);
  }

  zoom(factor: number): void {
    this.camera.zoom(factor);
    this.moved();
  }

  reset(): void {
    this.camera.fit(this.explorer.chart(this.model).plane.range);
    this.moved();
  }

  /** What somebody asked to be seen, or everything. */
  private look(): void {
    if (!this.sized) return;
    const frame = this.explorer.frames.value.find(({ model }) => model === this.model);
    this.reset();
    if (!frame) return;
    const [u, v] = this.explorer.chart(this.model).project(frame.middle);
    this.camera.show([u - frame.reach, u + frame.reach, v - frame.reach, v + frame.reach]);
    this.moved();
  }

  private listen(place: HTMLElement): void {
    const { scope, explorer, model } = this;
    const { plane, colour, layer, codes, showPoints, selection, walk, marks, field, frames } = explorer;
    const observer = new ResizeObserver(() => this.resize());
    observer.observe(this.stage);
    scope.add(() => observer.disconnect());
    scope.add(() => this.painter.dispose());
    scope.add(() => this.ground?.stop());
    // Frames that are still asked for find nothing to draw on.
    scope.add(() => (this.sized = false));
    scope.watch([plane, colour], () => this.load());
    scope.watch([frames], () => this.look());
    scope.watch([plane, layer, field, ink], () => this.lay());
    // Layers that show the slice through the point follow it when it leaves the plane, not when it moves along.
    let residual = this.residual();
    scope.watch([codes], () => {
      const now = this.residual();
      if (now.some((value, i) => Math.abs(value - residual[i]) > 1e-4 * model.spread[i])) {
        residual = now;
        if (this.ground && layer.value !== "posterior" && layer.value !== "prior") this.lay();
      }
      if (explorer.cause === "keys" || explorer.cause === "lesson") this.followPoint();
      place.textContent = where(explorer, model);
    });
    scope.watch([showPoints, layer], () => {
      this.canvases[1].classList.toggle("faint", (layer.value === "decoded" || layer.value === "sensitivity") && model.inPage);
      this.drawPoints();
    });
    scope.watch([selection], () => {
      this.painter.select(selection.value);
      this.drawPoints();
    });
    scope.watch([codes, walk, marks, ink], () => this.drawOver());
    listenToPeople(scope, explorer, this);
  }

  /** Selects the rows inside of a line, in the plane's coordinates. */
  select(line: [number, number][]): void {
    if (!this.crowd) return;
    const rows = inside(this.crowd.all, line);
    this.explorer.selection.value = rows.length ? rows : null;
  }

  hover(x: number, y: number): void {
    const reach = 12 / this.camera.scale;
    const row = this.explorer.showPoints.value ? (this.crowd?.nearest(...this.camera.toPlane(x, y), reach) ?? -1) : -1;
    this.overlay.hovered = row < 0 ? null : this.crowd!.place(row);
    this.tip.show(row < 0 ? null : { model: this.model, row, x, y });
    nextFrame(this.drawOver);
  }

  private residual(): Float32Array {
    return this.explorer.chart(this.model).residual(this.explorer.codeOf(this.model));
  }

  private load(): void {
    const { explorer, model } = this;
    this.crowd?.load(explorer.chart(model), explorer.colour.value);
    this.painter.select(explorer.selection.value);
    this.overlay.labels = this.crowd?.labels(model, explorer.colour.value) ?? [];
    this.look();
    this.drawAll();
  }

  private lay(): void {
    this.ground?.stop();
    this.ground = groundOf(this.explorer.layer.value, {
      chart: this.explorer.chart(this.model),
      view: this.camera.view,
      residual: this.residual(),
      ink: ink.value,
      field: this.explorer.field.value,
      population: this.explorer.pack.population,
      changed: () => nextFrame(this.drawUnder),
    });
    this.drawUnder();
  }

  private followPoint(): void {
    const [u, v] = this.explorer.chart(this.model).project(this.explorer.codeOf(this.model));
    if (this.sized && this.camera.include(u, v, 24)) this.moved();
  }

  /** Shows a line that is being drawn, in pixels; none clears it. */
  sketch(line: [number, number][]): void {
    this.overlay.line = line;
    nextFrame(this.drawOver);
  }

  /** After the camera was moved. */
  moved(): void {
    this.moving = performance.now();
    nextFrame(this.drawAll);
    setTimeout(() => performance.now() - this.moving >= REST && this.rest(), REST + 10);
  }

  /** The map rests: all points are drawn, and a layer that covers what is shown covers it again. */
  private rest(): void {
    this.drawPoints();
    if (this.sized && this.ground?.follows) this.lay();
  }

  private resize(): void {
    const { clientWidth: width, clientHeight: height } = this.stage;
    if (!width || !height) return;
    const ratio = Math.min(devicePixelRatio, 2);
    for (const canvas of this.canvases) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    for (const canvas of [this.canvases[0], this.canvases[2]]) canvas.getContext("2d")!.scale(ratio, ratio);
    this.camera.em = parseFloat(getComputedStyle(document.documentElement).fontSize);
    this.camera.resize(width, height);
    const first = !this.sized;
    this.sized = true;
    if (first) this.look();
    if (this.ground?.follows) this.lay();
    this.drawAll();
  }

  private readonly drawAll = () => {
    this.drawUnder();
    this.drawPoints();
    this.drawOver();
  };

  private readonly drawUnder = () => {
    if (!this.sized) return;
    const { under, camera } = this;
    under.clearRect(0, 0, camera.width, camera.height);
    this.ground?.draw(under, camera);
    drawAxes(under, camera, ink.value, axisTitles(this.explorer.chart(this.model)), this.camera.em * 0.75);
  };

  private readonly drawPoints = () => {
    if (!this.sized) return;
    const shown = this.crowd && this.explorer.showPoints.value;
    const moving = performance.now() - this.moving < REST;
    if (shown) this.painter.draw(this.camera, this.crowd!.shareOf(moving));
    else this.painter.clear();
  };

  private readonly drawOver = () => {
    if (this.sized) this.overlay.draw(ink.value, this.camera.em * 0.75);
  };

}
