import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { type DecodedRow, PackError, openPack, readPack } from "../src/engine";
import type { Socket } from "../src/engine/remote";
import { incompleteBeta, logNormalCdf, normalCdf, normalDraw, rint } from "../src/engine/special";
import { Writer, linear } from "./packs";

const code = (run: () => unknown) => {
  try {
    run();
  } catch (error) {
    return (error as PackError).code;
  }
  return "opened";
};
const field = (options: Parameters<typeof linear>[0], ...z: number[]) =>
  (openPack(linear(options)).models[0].decode(Float32Array.from(z)) as DecodedRow).fields[0];

/** Numbers that look random and are the same in every run. */
function steady(seed = 1): () => number {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

describe("packs", () => {
  it("open", () => {
    const pack = openPack(linear());
    expect(pack.title).toBe("linear");
    expect(pack.holdsRows).toBe(false);
    expect(pack.input).toEqual({ type: "row", fields: [{ name: "a", kind: "real", low: -10, high: 10, step: 0, labels: null }] });
    expect([...pack.population[0].probability]).toEqual([0.2, 0.6, 0.2]);
  });

  it("open from their text", async () => {
    const pack = await readPack(gzipSync(linear()).toString("base64"));
    expect(pack.models[0].d).toBe(2);
  });

  it("that are foreign, cut short, newer or in disorder are said to be so", async () => {
    expect(code(() => openPack(new Uint8Array(100)))).toBe("damaged");
    expect(code(() => openPack(linear().subarray(0, 40)))).toBe("damaged");
    expect(code(() => openPack(linear().slice(0, linear().length - 16)))).toBe("damaged");
    expect(code(() => openPack(new Writer().bytes({}, 4)))).toBe("newer");
    expect(code(() => openPack(new Writer().bytes({ models: [{}] })))).toBe("damaged");
    expect(code(() => openPack(linear({ product: "unheard-of" })))).toBe("unsupported");
    await expect(readPack("H4sIAAAA")).rejects.toBeInstanceOf(PackError);
    await expect(readPack("<script>")).rejects.toBeInstanceOf(PackError);
    const text = gzipSync(linear()).toString("base64");
    await expect(readPack(text.slice(0, text.length / 2))).rejects.toBeInstanceOf(PackError);
  });
});

describe("a model", () => {
  it("decodes and encodes", () => {
    const [model] = openPack(linear()).models;
    expect([...model.means(Float32Array.of(1, 3))]).toEqual([0]);
    const { mean, sd } = model.encode({ type: "row", values: [3] });
    expect([...mean]).toEqual([3, -3]);
    expect(sd[0]).toBeCloseTo(Math.exp(-2));
  });

  it("says what is wrong with an input", () => {
    const [model] = openPack(linear()).models;
    expect(code(() => model.encode({ type: "row", values: ["many"] }))).toBe("input");
    expect(code(() => model.encode({ type: "row", values: [] }))).toBe("input");
    expect(code(() => model.encode({ type: "image", pixels: new Float32Array(4) }))).toBe("input");
    expect(code(() => model.decode(new Float32Array(3)))).toBe("input");
  });

  it("stays finite wherever the code is", () => {
    expect(field({}, Number.NaN, Number.POSITIVE_INFINITY).value).toSatisfy(Number.isFinite);
  });

  it("writes values as they can stand in the data", () => {
    expect(field({}, 0.25, 0).text).toBe("1.50");
    expect(field({ column: { form: "whole", decimals: 0 } }, 0.75, 0).text).toBe("2");
    expect(field({ column: { form: "whole", decimals: 0 } }, 0, 1.2).text).toBe("0");
    expect(field({ column: { step: 0.25 } }, 0.3, 0).text).toBe("1.50");
    expect(field({ column: { high: 1.2 } }, 5, 0).text).toBe("1.20");
    expect(field({ column: { form: "truth", kind: "binary", low: 0, high: 1 } }, 5, 0).text).toBe("true");
    const date = { kind: "date", form: "date", center: 1709596800, scale: 86400, low: 0, high: 4e9, step: 86400 };
    expect(field({ column: date }, 0, 0).text).toBe("2024-03-06");
    expect(field({ column: { ...date, form: "moment", step: 0, zone: "Europe/Madrid" } }, 0, 0).text).toBe("2024-03-06 01:00:00");
    expect(field({ column: { form: "level", kind: "categorical", labels: ["no", "yes"] }, ends: [[0, 1], [0, 1]] }, 5, 0).text).toBe("yes");
  });

  it("reads dates in the column's time zone", () => {
    const date = { kind: "date", form: "moment", center: 1709683200, scale: 3600, low: 0, high: 4e9, zone: "Europe/Madrid" };
    const [model] = openPack(linear({ column: date })).models;
    for (const [text, hours] of [["2024-03-06 01:00:00", 0], ["2024-03-06T00:00:00Z", 0], ["2024-03-06", -1], ["2024-07-06 02:00", 24 * 122]] as const)
      expect(model.encode({ type: "row", values: [text] }).mean[0]).toBe(hours);
  });

  it("gives the distribution of a column over the column's bins", () => {
    const { distribution } = field({}, 0, 1);
    expect(distribution.probability[1]).toBeCloseTo(normalCdf(2) - normalCdf(-2), 12);
    expect(distribution.probability.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
  });
});

describe("planes", () => {
  const [model] = openPack(linear()).models;
  const total = (grid: Float32Array, [a, b, c, d]: number[], side: number) => (grid.reduce((x, y) => x + y) * (b - a) * (d - c)) / side ** 2;

  it("hold densities", () => {
    const [plane] = model.planes;
    expect(total(plane.fitted, plane.range, plane.side)).toBeCloseTo(1, 3);
    expect(total(plane.prior as Float32Array, plane.range, plane.side)).toBeCloseTo(1, 3);
    expect(plane.posterior).toBeNull();
  });

  it("can be turned round", () => {
    const turned = model.pair(1, 0);
    expect([...turned.across]).toEqual([0, 1]);
    expect(turned.range[1]).toBeGreaterThan(6);
    expect(total(turned.fitted, turned.range, turned.side)).toBeCloseTo(1, 2);
    expect(model.pair(0, 1)).toBe(model.planes[0]);
  });

  it("go through three codes, unless these are on one line", () => {
    const [a, b, c] = [Float32Array.of(0, 0), Float32Array.of(2, 0), Float32Array.of(1, 1)];
    const plane = model.through(a, b, c);
    expect(plane?.across[0]).toBeCloseTo(1);
    expect(plane?.up[1]).toBeCloseTo(1);
    expect(model.through(a, b, Float32Array.of(5, 0))).toBeNull();
    expect(model.through(a, a, c)).toBeNull();
  });

  it("have draws to match", () => {
    const random = steady();
    const drawn = Array.from({ length: 4000 }, () => model.sample("fitted", random)[1]);
    expect(drawn.reduce((a, b) => a + b * b) / 4000).toBeGreaterThan(3.6);
    expect(drawn.reduce((a, b) => a + b * b) / 4000).toBeLessThan(4.4);
    expect(model.sample("prior", random)).toHaveLength(2);
  });
});

describe("the server's part", () => {
  class Fake implements Socket {
    readyState = 0;
    binaryType = "";
    sent: { id: number }[] = [];
    private readonly listeners: Record<string, ((event: unknown) => void)[]> = {};
    addEventListener(type: string, listener: (event: unknown) => void): void {
      (this.listeners[type] ??= []).push(listener);
    }
    send(text: string): void {
      this.sent.push(JSON.parse(text));
    }
    tell(type: string, event: unknown = {}): void {
      if (type === "open") this.readyState = 1;
      for (const listener of this.listeners[type] ?? []) listener(event);
    }
    answer(id: number, ...values: number[]): void {
      this.tell("message", { data: Float64Array.of(id, ...values).buffer });
    }
  }

  it("is asked where the decoder is not in the page, and the newest request wins", async () => {
    const socket = new Fake();
    const [model] = openPack(linear({ decoder: false, served: true }), () => socket).models;
    expect(model.inPage).toBe(false);
    expect(code(() => model.decode(new Float32Array(2)))).toBe("too-large");
    const old = model.decodeSoon(Float32Array.of(1, 1));
    const late = model.decodeSoon(Float32Array.of(2, 2));
    expect(await old).toBeNull();
    socket.tell("open");
    await Promise.resolve();
    socket.answer(1, 7);
    socket.answer(2, 1.5);
    expect(((await late) as DecodedRow).fields[0].text).toBe("1.50");
  });

  it("may be lost, and is found again", async () => {
    const sockets: Fake[] = [];
    const connect = () => {
      sockets.push(new Fake());
      return sockets[sockets.length - 1];
    };
    const [model] = openPack(linear({ decoder: false, served: true }), connect).models;
    const asked = model.decodeSoon(Float32Array.of(1, 1));
    sockets[0].tell("close");
    expect(await asked).toBeNull();
    const again = model.encodeSoon({ type: "row", values: [1] });
    sockets[1].tell("open");
    await Promise.resolve();
    sockets[1].answer(2, 3, 4, 0.5, 0.25);
    expect([...((await again)?.sd ?? [])]).toEqual([0.5, 0.25]);
  });

  it("is not there on an exported page", async () => {
    const [model] = openPack(linear({ decoder: false })).models;
    expect(await model.decodeSoon(Float32Array.of(1, 1))).toBeNull();
  });
});

describe("distribution functions", () => {
  it("are those of the tables", () => {
    for (const [x, p] of [[0, 0.5], [1.959963984540054, 0.975], [-3, 0.0013498980316301], [-8, 6.220960574271785e-16], [2.5, 0.9937903346742238]])
      expect(normalCdf(x) / p).toBeCloseTo(1, 12);
    for (const [x, p] of [[3, -0.0013508099647481923], [-1, -1.8410216450092634], [-40, -804.6084420137538]]) expect(logNormalCdf(x) / p).toBeCloseTo(1, 12);
    for (const [x, a, b, p] of [[0.4, 2, 3, 0.5248], [0.9, 0.5, 0.5, 0.7951672353008665], [0.01, 4, 50, 0.0019819916]]) expect(incompleteBeta(x, a, b)).toBeCloseTo(p, 8);
  });

  it("round as NumPy does", () => {
    expect([0.5, 1.5, 2.5, -0.5, -1.5, 2.4, -2.6].map((x) => rint(x) + 0)).toEqual([0, 2, 2, 0, -2, 2, -3]);
  });

  it("draw", () => {
    const random = steady();
    const drawn = Array.from({ length: 4000 }, () => normalDraw(random));
    expect(Math.abs(drawn.reduce((a, b) => a + b) / 4000)).toBeLessThan(0.06);
  });
});
