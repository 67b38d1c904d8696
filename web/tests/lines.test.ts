import "./globals";
import { expect, test } from "vitest";
import { lineOf } from "../src/decoded/lines";

test("a line goes through values at equal steps, the lowest at the bottom", () => {
  expect(lineOf(Float64Array.of(0, 2, 1), 0, 2, 10, 12)).toBe("M0.0 11.0L5.0 1.0L10.0 6.0");
  expect(lineOf(Float64Array.of(3), 3, 3, 10, 12)).toBe("M0.0 11.0");
});
