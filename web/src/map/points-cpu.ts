import { seeded } from "../core/random";
import { FADED, look, type PointPainter, type View } from "./points";
import { reordered, shuffled } from "./shuffle";

/**
 * Points without a graphics card: blended into an array of pixels. Software WebGL needs a second for a million points, this
 * some twenty milliseconds.
 */
export class CpuPoints implements PointPainter {
  private pairs: Float32Array = new Float32Array(0);
  private colours: Uint8Array = new Uint8Array(0);
  private palette: Uint8Array = new Uint8Array(0);
  private order: Uint32Array = new Uint32Array(0);
  private chosen: Uint8Array | null = null;
  private fitted = 0;
  private image: ImageData | null = null;
  private readonly context: CanvasRenderingContext2D;

  constructor(private readonly canvas: HTMLCanvasElement) {
    this.context = canvas.getContext("2d")!;
  }

  load(pairs: Float32Array, colours: Uint8Array, palette: Uint8Array): void {
    if (this.order.length !== colours.length) this.order = shuffled(colours.length, seeded(1));
    this.pairs = reordered(pairs, this.order, 2);
    this.colours = reordered(colours, this.order, 1);
    this.palette = palette;
    this.fitted = 0;
  }

  select(rows: Uint32Array | null): void {
    if (!rows) return void (this.chosen = null);
    const chosen = new Uint8Array(this.order.length);
    for (const row of rows) chosen[row] = 1;
    this.chosen = reordered(chosen, this.order, 1);
  }

  draw(camera: View, share: number): void {
    const { width, height } = this.canvas;
    if (this.image?.width !== width || this.image.height !== height) this.image = this.context.createImageData(width, height);
    else this.image.data.fill(0);
    this.fitted ||= camera.scale;
    const { size, alpha } = look(this.order.length, Math.max(1, camera.scale / this.fitted), camera.em);
    this.blend(this.image.data, camera, Math.ceil(this.order.length * share), disc((size * width) / camera.width, alpha));
    unmultiply(this.image.data);
    this.context.putImageData(this.image, 0, 0);
  }

  clear(): void {
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
  }

  dispose(): void {
    this.image = null;
  }

  /** Colour over colour, multiplied by opacity: C + a (c - C) in each channel, with a in 256ths. */
  private blend(data: Uint8ClampedArray, camera: View, count: number, { side, opacity }: Disc): void {
    const { pairs, colours, palette, chosen } = this;
    const { width, height } = this.canvas;
    const scale = (camera.scale * width) / camera.width;
    const left = width / 2 - camera.u * scale - (side - 1) / 2;
    const top = height / 2 + camera.v * scale - (side - 1) / 2;
    const faded = opacity.map((a) => Math.round(a * FADED));
    for (let i = 0; i < count; i++) {
      const x = Math.floor(left + pairs[2 * i] * scale);
      const y = Math.floor(top - pairs[2 * i + 1] * scale);
      if (x < 0 || y < 0 || x + side > width || y + side > height) continue;
      const colour = 4 * colours[i];
      const red = palette[colour];
      const green = palette[colour + 1];
      const blue = palette[colour + 2];
      const mask = chosen && !chosen[i] ? faded : opacity;
      for (let row = 0, m = 0; row < side; row++) {
        let at = 4 * ((y + row) * width + x);
        for (let column = 0; column < side; column++, m++, at += 4) {
          const a = mask[m];
          data[at] += ((red - data[at]) * a) >> 8;
          data[at + 1] += ((green - data[at + 1]) * a) >> 8;
          data[at + 2] += ((blue - data[at + 2]) * a) >> 8;
          data[at + 3] += ((255 - data[at + 3]) * a) >> 8;
        }
      }
    }
  }
}

interface Disc {
  side: number;
  opacity: Uint16Array;
}

/** A disc with soft edges as opacities, 256 for all of it; a single pixel where it is that small. */
export function disc(size: number, alpha: number): Disc {
  if (size < 2) return { side: 1, opacity: Uint16Array.of(Math.round(256 * alpha)) };
  const side = Math.ceil(size);
  const opacity = Uint16Array.from({ length: side * side }, (_, i) => {
    const away = Math.hypot((i % side) - (side - 1) / 2, Math.floor(i / side) - (side - 1) / 2);
    return Math.round(256 * alpha * Math.max(0, Math.min(1, size / 2 - away + 0.5)));
  });
  return { side, opacity };
}

/** Canvases want colours that are not yet multiplied by their opacity. */
function unmultiply(data: Uint8ClampedArray): void {
  const pixels = new Uint32Array(data.buffer);
  for (let i = 0; i < pixels.length; i++) {
    if (pixels[i] === 0) continue;
    const at = 4 * i;
    const opacity = data[at + 3];
    if (opacity === 0 || opacity === 255) continue;
    data[at] = (data[at] * 255) / opacity;
    data[at + 1] = (data[at + 1] * 255) / opacity;
    data[at + 2] = (data[at + 2] * 255) / opacity;
  }
}
