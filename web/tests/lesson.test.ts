import "./globals";
import { describe, expect, test } from "vitest";
import { Explorer } from "../src/app/explorer";
import { errorOf, examples, meanError } from "../src/lesson/examples";
import { divergence } from "../src/lesson/learning";
import { Ends, Lesson, Restlessness, Sequence, STEPS } from "../src/lesson/lesson";
import { model, pack } from "./fake";

describe("the lesson", () => {
  test("a step is done when all its tasks are", () => {
    const lesson = new Lesson();
    lesson.finish(2, 0);
    expect(lesson.isDone(2)).toBe(false);
    lesson.finish(2, 1);
    expect(lesson.isDone(2)).toBe(true);
  });

  test("it has six steps, and no way out of them", () => {
    const lesson = new Lesson();
    lesson.go(-3);
    expect(lesson.step.value).toBe(0);
    lesson.go(99);
    expect(lesson.step.value).toBe(STEPS - 1);
    expect(STEPS).toBe(6);
  });

  test("both ends count when they were visited, in any order", () => {
    const ends = new Ends(4);
    expect(ends.visit(2)).toEqual({ first: false, last: false });
    expect(ends.visit(3)).toEqual({ first: false, last: true });
    expect(ends.visit(0)).toEqual({ first: true, last: true });
  });

  test("learning steps come in their order, may be repeated, and begin again with a row", () => {
    const sequence = new Sequence();
    expect(sequence.take(1)).toBe(false);
    expect([0, 1, 1, 2].map((step) => sequence.take(step))).toEqual([true, true, true, true]);
    sequence.restart();
    expect(sequence.take(2)).toBe(false);
  });

  test("low and high sensitivity are relative to the model itself", () => {
    const places = new Restlessness([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(places.judge(1)).toBe("low");
    expect(places.judge(6)).toBeNull();
    expect(places.judge(10)).toBe("high");
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
    const number = { low: Float64Array.of(0), high: Float64Array.of(100), labels: null, probability: Float64Array.of(1) };
    const level = { low: Float64Array.of(0, 1), high: Float64Array.of(0, 1), labels: ["a", "b"], probability: Float64Array.of(0.8, 0.2) };
    const table = pack({ input: { type: "row", fields: [] }, population: [number, level, number] });
    const field = (distribution: typeof number | typeof level, value: number | null, text: string) => ({ name: "", kind: "real" as const, text, value, distribution });
    const decoded = { type: "row" as const, fields: [field(number, 49, "49"), field(level, null, "a"), field(number, 3, "3")] };
    expect(errorOf(table, { type: "row", values: [0, "b", null] }, decoded)).toBeCloseTo((0.5 + 0.8) / 2);
  });

  test("a model that gives back what it got is not off", () => {
    const explorer = new Explorer(pack());
    expect(examples(explorer).length).toBe(8);
    expect(meanError(explorer.pack, explorer.main, examples(explorer))).toBeCloseTo(0);
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
