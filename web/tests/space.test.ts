import { describe, expect, test } from "vitest";
import { normal, seeded } from "../src/core/random";
import { Finder } from "../src/space/finder";
import { circle, composition, inside } from "../src/space/lasso";
import { continuityAt } from "../src/space/local";
import { transport, whiten } from "../src/space/moments";
import { Nearness } from "../src/space/nearness";
import { nearestRows } from "../src/space/nearest";
import { neighbourhood } from "../src/space/neighbourhood";
import { Chart, chartOf } from "../src/space/plane";
import { order } from "../src/space/progressive";
import { descent, sensitivityAt } from "../src/space/sensitivity";
import { model, pack, plane } from "./fake";

const slanted = () =>
  new Chart(model({ d: 3 }), {
    ...plane(),
    origin: Float32Array.of(1, 2, 3),
    across: Float32Array.of(1, 1, 0),
    up: Float32Array.of(0, 1, 1),
  });

describe("planes", () => {
  test("what is lifted is projected back, on axes that are not perpendicular", () => {
    const [u, v] = slanted().project(slanted().lift(0.7, -1.3));
    expect([u, v]).toEqual([expect.closeTo(0.7, 5), expect.closeTo(-1.3, 5)]);
  });

  test("a code is its place on the plane and what is off it", () => {
    const z = Float32Array.of(0.3, -2, 5);
    const chart = slanted();
    const back = chart.lift(...chart.project(z), chart.residual(z));
    back.forEach((value, i) => expect(value).toBeCloseTo(z[i], 4));
  });

  test("all rows are projected as each of them", () => {
    const random = seeded(1);
    const codes = Float32Array.from({ length: 30 }, () => normal(random));
    const pairs = slanted().projectAll(codes);
    for (let row = 0; row < 10; row++)
      slanted()
        .project(codes.slice(3 * row, 3 * row + 3))
        .forEach((value, axis) => expect(pairs[2 * row + axis]).toBeCloseTo(value, 4));
  });

  test("a code of one number lies at v = 0", () => {
    const chart = chartOf(model({ d: 1 }), { kind: "given", index: 0 });
    expect(chart.project([2])).toEqual([2, 0]);
    expect([...chart.lift(2, 9)]).toEqual([2]);
  });

  test("a model without the chosen plane shows its first one", () => {
    const small = model();
    expect(chartOf(small, { kind: "pair", across: 4, up: 5 }).plane).toBe(small.planes[0]);
    expect(chartOf(small, { kind: "given", index: 7 }).plane).toBe(small.planes[0]);
    expect(chartOf(small, { kind: "rows", rows: [0, 1, 2] }).plane).toBe(small.planes[0]);
  });
});

describe("where rows are, in all dimensions", () => {
  const random = seeded(4);
  const d = 3;
  /** A shell of rows around an empty middle, in a plane of which the middle looks full. */
  const onShell = () => {
    const way = Array.from({ length: d }, () => normal(random));
    return way.map((value) => (2 * value) / Math.hypot(...way));
  };
  const shell = Float32Array.from(Array.from({ length: 600 }, onShell).flat());
  const points = { count: 600, codes: shell, columns: [], row: () => null, input: () => null };
  const hollow = model({ d, points, spread: new Float32Array(d).fill(1.15) });

  test("a place that a plane shows as full is a hole where rows are only above and below it", () => {
    expect(neighbourhood(hollow).at(Float32Array.of(0, 0, 0))).toBe("hole");
    expect(["many", "some"]).toContain(neighbourhood(hollow).at(Float32Array.of(0, 0, 2)));
    expect(neighbourhood(hollow).at(Float32Array.of(0, 0, 40))).toBe("none");
    expect(nearestRows(hollow, Float32Array.of(0, 0, 0), 1)[0].distance).toBeGreaterThan(1);
    expect(neighbourhood(hollow).holes).toBeGreaterThan(0.2);
  });

  test("without rows the fitted prior says where they are", () => {
    const bare = model();
    expect(neighbourhood(bare).at(Float32Array.of(0, 0))).toBe("many");
    expect(["none", "hole"]).toContain(neighbourhood(bare).at(Float32Array.of(9, 9)));
    expect(neighbourhood(bare).holes).toBeLessThan(0.05);
  });

  test("how common a code is falls from the middle outwards", () => {
    const common = [0, 1, 2, 3.5].map((u) => neighbourhood(model()).commonness(Float32Array.of(u, 0)));
    expect([...common].sort((a, b) => b - a)).toEqual(common);
  });
});

describe("near real rows", () => {
  const random = seeded(6);
  const rows = Array.from({ length: 200 }, () => Float32Array.of(random(), random()));
  const points = { count: 200, codes: new Float32Array(400), columns: [], row: () => null, input: (row: number) => ({ type: "image" as const, pixels: rows[row] }) };
  const near = new Nearness(pack(), points);
  const at = (u: number, v: number) => Float32Array.of(u, v);

  test("what is among them is a hit, what is far from them is none, beyond white too", () => {
    expect(near.isNear(model(), rows[7], random)).toBe(true);
    expect(near.isNear(model(), at(2, 2), random)).toBe(false);
    expect([near.share(model(), rows[7]), near.share(model(), at(2, 2))]).toEqual([1, 0]);
  });
});

describe("points", () => {
  const random = seeded(2);
  const pairs = Float32Array.from({ length: 4000 }, () => normal(random));

  test("the finder finds what a search of all finds", () => {
    const finder = new Finder(pairs);
    for (let trial = 0; trial < 50; trial++) {
      const [u, v] = [normal(random), normal(random)];
      let best = -1;
      for (let i = 0; i < 2000; i++) {
        const away = Math.hypot(pairs[2 * i] - u, pairs[2 * i + 1] - v);
        if (away < 0.1 && (best < 0 || away < Math.hypot(pairs[2 * best] - u, pairs[2 * best + 1] - v))) best = i;
      }
      expect(finder.nearest(u, v, 0.1)).toBe(best);
    }
  });

  test("a lasso holds what is inside of it, also where it is hollow", () => {
    const found = inside(pairs, circle(0.5, 0, 0.7));
    const far = (i: number) => Math.hypot(pairs[2 * i] - 0.5, pairs[2 * i + 1]);
    expect(found.length).toBeGreaterThan(100);
    for (const i of found) expect(far(i)).toBeLessThanOrEqual(0.7);
    expect(found.length).toBe([...Array(2000).keys()].filter((i) => far(i) < 0.697).length + near());
    function near() {
      return [...found].filter((i) => far(i) >= 0.697).length;
    }
    const hollow: [number, number][] = [[-2, -2], [2, -2], [2, 2], [0, 0], [-2, 2]];
    expect(inside(Float32Array.of(0, 1, 0, -1), hollow)).toEqual(Uint32Array.of(1));
    expect(inside(pairs, [[0, 0], [1, 1]]).length).toBe(0);
  });

  test("a selection is counted by label, or averaged", () => {
    const values = Float32Array.of(0, 1, 1, NaN);
    const rows = Uint32Array.of(0, 1, 2, 3);
    expect(composition(rows, { labels: ["a", "b"], values }).counts).toEqual([
      { label: 1, count: 2 },
      { label: 0, count: 1 },
    ]);
    expect(composition(rows, { labels: null, values }).mean).toBeCloseTo(2 / 3);
  });

  test("the nearest rows are those of a search of all, each dimension by the spread of the codes", () => {
    const codes = Float32Array.of(0, 0, 1, 0, 0, 10, 3, 90);
    const points = { count: 4, codes, columns: [], row: () => null, input: () => null };
    const wide = model({ points, spread: Float32Array.of(1, 1) });
    expect(nearestRows(wide, Float32Array.of(0, 0), 2).map(({ row }) => row)).toEqual([0, 2]);
    expect(nearestRows(model(), Float32Array.of(0, 0), 2)).toEqual([]);
  });
});

describe("what the decoder does to the space", () => {
  test("sensitivity is the largest singular value", () => {
    const linear = model({ means: (z) => Float64Array.of(3 * z[0], 0.5 * z[1], 0) });
    expect(sensitivityAt(chartOf(linear, { kind: "given", index: 0 }), 0.3, 0.2, null)).toBeCloseTo(3, 4);
  });

  test("the error falls along its descent", () => {
    const pull = descent((z) => (z[0] - 1) ** 2 + 4 * z[1] ** 2, Float32Array.of(0, 1), Float32Array.of(1, 1));
    expect([...pull]).toEqual([expect.closeTo(2, 2), expect.closeTo(-8, 2)]);
  });

  test("continuity is 1 where nothing changes around a code, and falls where the decoder is steep", () => {
    const bent = model({ means: (z) => Float64Array.of(Math.max(0, z[0]) * 4 + z[0], z[1]) });
    const [left, right] = [-1, 1].map((u) => continuityAt(bent, Float32Array.of(u, 0)));
    expect(left).toBeGreaterThan(0.9);
    expect(right).toBeLessThan(left);
    expect(continuityAt(model({ means: () => Float64Array.of(1) }), Float32Array.of(0, 0))).toBe(0);
  });
});

describe("two models", () => {
  const one = model({ centre: Float32Array.of(1, -1), spread: Float32Array.of(2, 0.5) });
  const other = model({ centre: Float32Array.of(-5, 0), spread: Float32Array.of(0.1, 3) });

  test("a gesture is the same sample of both fitted priors, there and back", () => {
    const z = Float32Array.of(3, -0.5);
    const there = transport(one, other, z);
    expect(there[0]).toBeCloseTo(-4.9, 1);
    transport(other, one, there).forEach((value, i) => expect(value).toBeCloseTo(z[i], 4));
  });

  test("codes of other lengths get what they have, and 0", () => {
    expect(transport(one, model({ d: 3 }), Float32Array.of(1, -1)).length).toBe(3);
    expect(whiten(one, one.centre).every((value) => Math.abs(value) < 0.1)).toBe(true);
  });
});

test("a progressive grid visits every cell once, coarse ones first", () => {
  const cells = order(20);
  expect(new Set(cells.map(({ row, column }) => row * 20 + column)).size).toBe(400);
  expect(cells.length).toBe(400);
  const strides = cells.map(({ stride }) => stride);
  expect([...strides].sort((a, b) => b - a)).toEqual(strides);
});
