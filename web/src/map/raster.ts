import type { Density } from "../space/density";
import type { Camera } from "./camera";

/** A grid of values as a picture that lies in the plane. */
export class Raster {
  private readonly canvas = document.createElement("canvas");

  constructor(
    private readonly grid: Pick<Density, "side" | "range">,
    rgba: (cell: number) => readonly [number, number, number, number],
  ) {
    const { side } = grid;
    this.canvas.width = this.canvas.height = side;
    const context = this.canvas.getContext("2d")!;
    const image = context.createImageData(side, side);
    for (let row = 0; row < side; row++)
      for (let column = 0; column < side; column++)
        // Rows of a plane begin at its foot, rows of a picture at its top.
        image.data.set(rgba(row * side + column), 4 * ((side - 1 - row) * side + column));
    context.putImageData(image, 0, 0);
  }

  draw(context: CanvasRenderingContext2D, camera: Camera, smooth = true): void {
    const [uMin, uMax, vMin, vMax] = this.grid.range;
    const [left, top] = camera.toPixels(uMin, vMax);
    const [right, bottom] = camera.toPixels(uMax, vMin);
    context.imageSmoothingEnabled = smooth;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.canvas, left, top, right - left, bottom - top);
  }
}
