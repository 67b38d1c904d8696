import type { DecodedImage } from "../engine/types";

/** Paints a picture into a canvas of its own size; style sheets make it large, with its pixels as they are. */
export function paint(canvas: HTMLCanvasElement, picture: DecodedImage): void {
  const { width, height } = picture;
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(width, height);
  toRgba(picture, image.data);
  context.putImageData(image, 0, 0);
}

function toRgba({ pixels, channels, width, height }: DecodedImage, data: Uint8ClampedArray): void {
  const colours = channels >= 3 ? 3 : 1;
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) data[4 * i + c] = 255 * pixels[i * channels + (colours === 3 ? c : 0)];
    data[4 * i + 3] = 255;
  }
}

/** A canvas for a picture that is not drawn on the page itself. */
export function painted(picture: DecodedImage): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  paint(canvas, picture);
  return canvas;
}

/** Mean brightness, from 0 to 1. */
export function brightness(picture: DecodedImage): number {
  return picture.pixels.reduce((sum, value) => sum + value, 0) / picture.pixels.length;
}
