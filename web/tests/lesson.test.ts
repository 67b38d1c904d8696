import "./globals";
import { describe, expect, test } from "vitest";
import { Explorer } from "../src/app/explorer";
import { seeded } from "../src/core/random";
import { interpolated } from "../src/lesson/curves";
import { turnedTo } from "../src/space/turned";
import { anomaly, attachCodes, divergence, errorOf, errorsOf, examples, mean, noisy, share95 } from "../src/lesson/material";
import { Lesson, Sequence, STEPS } from "../src/lesson/lesson";
import { tellingColumns } from "../src/space/telling";
import { model, pack } from "./fake";

const number = { low: Float64Array.of(0, 50), high: Float64Array.of(50, 100), labels: null, probability: Float64Array.of(0.5, 0.5) };
const level = { low: Float64Array.of(0, 1), high: Float64Array.of(0, 1), labels: ["a", "b"], probability: Float64Array.of(0.8, 0.2) };
const field = (distribution: typeof number | typeof level, value: number | null, text: string) => ({ name: "", kind: "real" as const, text, value, distribution });
const input = (name: string, labels: string[] | null = null) => ({ name, kind: "real" as const, low: 0, high: 100, step: 0, labels });
const table = pack({ input: { type: "row", fields: [input("x"), input("y", ["a", "b"]), input("z")] }, population: [number, level, number] });

describe("the lesson", () => {
  test("a step is done when its one thing was done, and every further time is a turn", () => {
    const lesson = new Lesson();
    expect(lesson.done[2].value).toBe(false);
    lesson.finish(2);
    lesson.finish(2);
    expect([lesson.done[2].value, lesson.turns.value]).toEqual([true, 2]);
    expect(lesson.done.filter((one) => one.value).length).toBe(1);
  });

  test("it has six steps, and no way out of them", () => {
    const lesson = new Lesson();
    lesson.go(-3);
    expect(lesson.step.value).toBe(0);
    lesson.go(99);
    expect(lesson.step.value).toBe(STEPS - 1);
    expect(STEPS).toBe(6);
  });

  test("learning steps come in their order, may be repeated, and begin again with a row", () => {
    const sequence = new Sequence();
    expect(sequence.take(1)).toBe(false);
    expect([0, 1, 1, 2, 0].map((step) => sequence.take(step))).toEqual([true, true, true, true, true]);
    expect(sequence.take(2)).toBe(false);
    sequence.restart();
    expect(sequence.take(1)).toBe(false);
  });
});

describe("its material", () => {
  test("noise is that of its level, the same each time, and stays where values can be", () => {
    const picture = { type: "image" as const, pixels: new Float32Array(400).fill(0.5) };
    const [one, again] = [0, 1].map(() => noisy(pack(), picture, 0.1, 3) as typeof picture);
    expect(one).toEqual(again);
    const deviation = Math.sqrt(one.pixels.reduce((sum, value) => sum + (value - 0.5) ** 2, 0) / 400);
    expect(deviation).toBeCloseTo(0.1, 1);
    expect(noisy(pack(), picture, 0, 3)).toEqual(picture);
    const row = noisy(table, { type: "row", values: [99, "a", null] }, 1, 5);
    if (row.type !== "row") throw new Error();
    expect(row.values[0]).not.toBe(99);
    expect(row.values[0]).toBeLessThanOrEqual(100);
    expect(row.values[2]).toBeNull();
  });

  test("an anomaly has usual parts in an unusual order", () => {
    const square = pack({ input: { type: "image", channels: 1, height: 2, width: 2 } });
    const found = anomaly(square, [{ type: "image", pixels: Float32Array.of(1, 2, 3, 4) }], 0);
    expect(found).toEqual({ type: "image", pixels: Float32Array.of(4, 3, 2, 1) });
    const rows = [1, 2, 3].map((value) => ({ type: "row" as const, values: [value, value, value] }));
    expect(anomaly(table, rows, 1)).toEqual({ type: "row", values: [2, 3, 1] });
  });

  test("codes of the page's rows are computed for a model that comes without them", () => {
    const inputs = [0, 1, 2].map((value) => ({ type: "image" as const, pixels: Float32Array.of(value, -value) }));
    const points = { count: 3, codes: new Float32Array(6), columns: [], row: () => null, input: (row: number) => inputs[row] };
    const [small, explorer] = [model(), new Explorer(pack({ models: [model({ points })] }))];
    attachCodes(explorer, small);
    expect([...small.points!.codes]).toEqual([0, -0, 1, -1, 2, -2]);
  });
});

describe("its figures", () => {
  test("the cost of a cloud is its divergence from N(0, I)", () => {
    expect(divergence(Float32Array.of(0, 0), Float32Array.of(1, 1))).toBeCloseTo(0);
    expect(divergence(Float32Array.of(1), Float32Array.of(1))).toBeCloseTo(0.5);
    expect(divergence(Float32Array.of(0), Float32Array.of(0.5))).toBeCloseTo((0.25 - 1) / 2 + Math.log(2));
  });

  test("pictures are off by their mean difference, tables by what each column allows", () => {
    const picture = { type: "image" as const, channels: 1, height: 1, width: 2, pixels: Float32Array.of(0.5, 1) };
    expect(errorOf(pack(), { type: "image", pixels: Float32Array.of(0, 1) }, picture)).toBeCloseTo(0.25);
    const decoded = { type: "row" as const, fields: [field(number, 49, "49"), field(level, null, "a"), field(number, 3, "3")] };
    expect(errorOf(table, { type: "row", values: [0, "b", null] }, decoded)).toBeCloseTo((0.5 + 0.8) / 2);
  });

  test("a model that gives back what it got is not off", () => {
    const explorer = new Explorer(pack());
    expect(examples(explorer).length).toBe(8);
    expect(mean(errorsOf(explorer, explorer.main, 5))).toBeCloseTo(0);
    expect(share95([...Array(100).keys()])).toBe(95);
  });

  test("a curve between two models is between their values, and unknown beside an unknown one", () => {
    expect([0, 0.25, 1, 1.5, 2].map((place) => interpolated([4, 8, null], place))).toEqual([4, 5, 8, null, null]);
  });

  test("frames are turned to each other, and turned over where that is nearer", () => {
    const random = seeded(1);
    const frame = Float32Array.from({ length: 40 }, random);
    const turned = frame.map((_, i) => (i % 2 ? frame[i - 1] : -frame[i + 1]));
    const over = frame.map((value, i) => (i % 2 ? -value : value));
    for (const other of [turned, over]) turnedTo(other, frame).forEach((value, i) => expect(value).toBeCloseTo(frame[i], 5));
  });

  test("cards show the columns that differ most", () => {
    const row = (x: number, y: string, z: number) => ({ type: "row" as const, fields: [field(number, x, ""), field(level, null, y), field(number, z, "")] });
    expect(tellingColumns(table, [row(50, "a", 0), row(51, "b", 100)], 2)).toEqual([2, 1]);
    expect(tellingColumns(table, [row(0, "a", 50), row(99, "a", 50)], 1)).toEqual([0]);
  });
});

describe("the explorer", () => {
  const points = (codes: number[]) => ({ count: codes.length / 2, codes: Float32Array.from(codes), columns: [], row: () => null, input: () => null });

  test("one gesture moves both models; a row moves each to its own code", () => {
    const pair = [model({ points: points([0, 0, 1, 1]) }), model({ points: points([5, 5, 7, 7]), centre: Float32Array.of(6, 6) })];
    const explorer = new Explorer(pack({ models: pair }));
    explorer.show(pair);
    explorer.moveTo(Float32Array.of(1, 0), "drag");
    expect(explorer.codes.value[1][0]).toBeCloseTo(7, 0);
    explorer.moveToRow(1);
    expect([...explorer.codes.value[1]]).toEqual([7, 7]);
    expect(explorer.row.value).toBe(1);
  });

  test("without rows it begins in the middle, with the fitted prior where no posterior is known", () => {
    const bare = model({ centre: Float32Array.of(2, 3) });
    bare.planes[0].posterior = null;
    const explorer = new Explorer(pack({ models: [bare] }));
    expect([...explorer.code]).toEqual([2, 3]);
    expect(explorer.layer.value).toBe("prior");
    expect(explorer.colour.value).toBe(-1);
  });
});
