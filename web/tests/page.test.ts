import "./globals";
import { describe, expect, test } from "vitest";
import { CATEGORIES, palette, paletteIndex, viridis, type Rgb } from "../src/colour/scales";
import { rebinned, quantile, said, usualRange } from "../src/decoded/distribution";
import { Camera } from "../src/map/camera";
import { tickStep } from "../src/map/axes";
import { look } from "../src/map/points";
import { disc } from "../src/map/points-cpu";
import { shuffled } from "../src/map/shuffle";
import { seeded } from "../src/core/random";
import { reachOf } from "../src/tools/sliders";
import { model, plane } from "./fake";

describe("colours", () => {
  const luminance = ([r, g, b]: Rgb) => 0.2126 * r + 0.7152 * g + 0.0722 * b;

  test("viridis grows lighter all the way, so that it reads in grey", () => {
    const light = Array.from({ length: 21 }, (_, i) => luminance(viridis(i / 20)));
    expect([...light].sort((a, b) => a - b)).toEqual(light);
  });

  test("categories stay apart for those who lack red or green", () => {
    // Viénot, Brettel and Mollon 1999, on linear light.
    const deuteranope = ([r, g, b]: Rgb): Rgb => [0.29275 * r + 0.70725 * g, 0.29275 * r + 0.70725 * g, -0.02234 * r + 0.02234 * g + b];
    const linear = (c: Rgb) => c.map((value) => (value / 255) ** 2.2) as unknown as Rgb;
    const seen = CATEGORIES.slice(0, 8).map((colour) => deuteranope(linear(colour)).map((value) => Math.max(value, 0) ** 0.45));
    const apart = seen.flatMap((a, i) => seen.slice(i + 1).map((b) => Math.hypot(...a.map((value, k) => value - b[k]))));
    expect(Math.min(...apart)).toBeGreaterThan(0.08);
  });

  test("what is unknown has a colour of its own", () => {
    const column = { labels: null, values: Float32Array.of(1, 2, NaN, 3) };
    expect([...paletteIndex(column)]).toEqual([0, 127, 255, 254]);
    expect([...paletteIndex({ labels: ["a", "b"], values: Float32Array.of(1, 0, NaN, 40) })]).toEqual([1, 0, 255, 255]);
    expect(palette(null).slice(4 * 255)).toEqual(Uint8Array.of(140, 140, 140, 255));
  });
});

describe("distributions of columns", () => {
  const distribution = { low: Float64Array.of(0, 1, 2), high: Float64Array.of(1, 2, 4), labels: null, probability: Float64Array.of(0.25, 0.5, 0.25) };

  test("quantiles lie within bins", () => {
    expect(quantile(distribution, 0.5)).toBeCloseTo(1.5);
    expect(quantile(distribution, 0.875)).toBeCloseTo(3);
    expect(usualRange(distribution)).toEqual([expect.closeTo(0.04), expect.closeTo(3.92)]);
  });

  test("other bins hold the same in all", () => {
    const bins = rebinned(distribution, 0, 4, 8);
    expect(bins.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1);
    expect(bins[2]).toBeCloseTo(0.25);
    const atom = { low: Float64Array.of(2), high: Float64Array.of(2), labels: null, probability: Float64Array.of(1) };
    expect(rebinned(atom, 0, 4, 4)).toEqual(Float64Array.of(0, 0, 1, 0));
  });

  test("values keep the decimals of their column, and days lose their midnight", () => {
    const field = { name: "", kind: "real" as const, distribution };
    expect(said({ ...field, text: "1972", value: 1972 })).toBe("1972");
    expect(said({ ...field, text: "12345.50", value: 12345.5 })).toBe("12,345.50");
    expect(said({ ...field, text: "-3", value: -3 })).toBe("−3");
    expect(said({ ...field, text: "Private", value: null })).toBe("Private");
    expect(said({ ...field, kind: "date", text: "2021-01-29 00:00:00", value: 1 })).toBe("2021-01-29");
  });
});

describe("the map", () => {
  const camera = () => Object.assign(new Camera(), { width: 400, height: 200 });

  test("pixels and places are the inverse of each other, and up is up", () => {
    const map = camera();
    map.fit([-4, 4, -2, 2]);
    expect(map.toPixels(0, 0)).toEqual([200, 100]);
    expect(map.toPixels(0, 1)[1]).toBeLessThan(100);
    expect(map.toPlane(...map.toPixels(1.5, -0.5))).toEqual([1.5, -0.5]);
  });

  test("zooming keeps what is under the pointer", () => {
    const map = camera();
    map.fit([-4, 4, -2, 2]);
    const before = map.toPlane(30, 40);
    map.zoom(3, 30, 40);
    map.toPlane(30, 40).forEach((value, i) => expect(value).toBeCloseTo(before[i]));
    map.zoom(1e9);
    expect(map.scale).toBeLessThan(1e5);
  });

  test("the map follows a point that leaves it, and no further", () => {
    const map = camera();
    map.fit([-4, 4, -2, 2]);
    expect(map.include(0, 0, 20)).toBe(false);
    expect(map.include(10, 0, 20)).toBe(true);
    expect(map.toPixels(10, 0)[0]).toBeCloseTo(380);
  });

  test("ticks are round and apart", () => {
    for (const scale of [0.013, 1, 47, 3000]) {
      const step = tickStep(scale);
      expect(step * scale).toBeGreaterThanOrEqual(90);
      expect([1, 2, 5, 10]).toContain(Math.round(step / 10 ** Math.floor(Math.log10(step * 1.0001))));
    }
  });

  test("points are smaller and fainter the more there are", () => {
    const sizes = [100, 10_000, 1_000_000].map((count) => look(count, 1, 16));
    expect(sizes[0].size).toBeGreaterThan(sizes[1].size);
    expect(sizes[1].size).toBeGreaterThan(sizes[2].size);
    expect(sizes[0].alpha).toBeGreaterThan(sizes[2].alpha);
    expect(look(10_000, 20, 16).size).toBeGreaterThan(sizes[1].size);
  });

  test("a disc is full in its middle and symmetrical", () => {
    const { side, opacity } = disc(5, 1);
    expect(side).toBe(5);
    expect(opacity[12]).toBe(256);
    expect([...opacity].reverse()).toEqual([...opacity]);
    expect(disc(1.2, 0.5)).toEqual({ side: 1, opacity: Uint16Array.of(128) });
  });

  test("a shuffled order has each row once", () => {
    expect([...shuffled(100, seeded(1))].sort((a, b) => a - b)).toEqual([...Array(100).keys()]);
  });
});

describe("sliders", () => {
  test("go as far as the codes, and as far as the planes", () => {
    const collapsed = model({ centre: Float32Array.of(0.5, 0), spread: Float32Array.of(0.01, 2) });
    expect(reachOf(collapsed, 0)).toEqual([-4, 4]);
    expect(reachOf(collapsed, 1)).toEqual([-6, 6]);
    const slanted = { ...plane(), across: Float32Array.of(0.6, 0.8), up: Float32Array.of(-0.8, 0.6) };
    expect(reachOf(model({ planes: [slanted] }), 0)).toEqual([expect.closeTo(-5.6), expect.closeTo(5.6)]);
  });
});
