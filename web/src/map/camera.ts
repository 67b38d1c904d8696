/** Which part of a plane the map shows: (u, v) of the middle, and pixels to a unit, the same across and up. */
export class Camera {
  u = 0;
  v = 0;
  scale = 1;
  width = 1;
  height = 1;
  em = 16;
  private fitted = 1;

  /** Shows a range as large as it can be, and takes that for "everything": zooming is bounded around it. */
  fit(range: readonly number[]): void {
    this.show(range);
    this.fitted = this.scale;
  }

  show([uMin, uMax, vMin, vMax]: readonly number[]): void {
    this.u = (uMin + uMax) / 2;
    this.v = (vMin + vMax) / 2;
    this.scale = Math.min(this.width / (uMax - uMin), this.height / (vMax - vMin));
  }

  /** A new size of the map keeps the middle, and as much of the plane as before. */
  resize(width: number, height: number): void {
    const before = Math.min(this.width, this.height);
    this.width = width;
    this.height = height;
    const ratio = Math.min(width, height) / before;
    this.scale *= ratio;
    this.fitted *= ratio;
  }

  toPixels(u: number, v: number): [number, number] {
    return [this.width / 2 + (u - this.u) * this.scale, this.height / 2 - (v - this.v) * this.scale];
  }

  toPlane(x: number, y: number): [number, number] {
    return [this.u + (x - this.width / 2) / this.scale, this.v - (y - this.height / 2) / this.scale];
  }

  /** The part of the plane that is shown: [uMin, uMax, vMin, vMax]. */
  get view(): [number, number, number, number] {
    const [uMin, vMax] = this.toPlane(0, 0);
    const [uMax, vMin] = this.toPlane(this.width, this.height);
    return [uMin, uMax, vMin, vMax];
  }

  pan(x: number, y: number): void {
    this.u -= x / this.scale;
    this.v += y / this.scale;
  }

  /** Zooms so that what lies at (x, y) stays there. */
  zoom(factor: number, x = this.width / 2, y = this.height / 2): void {
    const [u, v] = this.toPlane(x, y);
    this.scale = Math.max(this.fitted / 8, Math.min(this.fitted * 200, this.scale * factor));
    const [nowU, nowV] = this.toPlane(x, y);
    this.u += u - nowU;
    this.v += v - nowV;
  }

  /** Moves as little as needed for (u, v) to be seen. */
  include(u: number, v: number, margin: number): boolean {
    const [x, y] = this.toPixels(u, v);
    const over = (value: number, size: number) =>
      value < margin ? value - margin : value > size - margin ? value - size + margin : 0;
    const [dx, dy] = [over(x, this.width), over(y, this.height)];
    this.pan(-dx, -dy);
    return dx !== 0 || dy !== 0;
  }
}
