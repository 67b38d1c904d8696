/** Between encoded values and the user's: latente.data.table, with what can be (on the grid, within the bounds) for texts. */

import type { Block } from "./block";
import { rint } from "./special";
import { type ColumnDistribution, type InputField, type Kind, PackError } from "./types";

export interface ColumnSpec {
  name: string;
  kind: Kind;
  form: "level" | "truth" | "whole" | "number" | "date" | "moment" | "time" | "duration";
  zone: string | null;
  labels: string[] | null;
  center: number;
  scale: number;
  low: number;
  high: number;
  step: number;
  decimals: number;
  often: number;
  low_ends: number;
  high_ends: number;
}

const ROUNDING = 1e-5; // of the spread: encoded values are of single precision
const NOTHING = 1e-7; // of the spread: a value that is 0 but for single precision
const FARTHEST = 1e9;
const DAY = 86400;
const LASTING = /^(-)?(?:(\d+) days?,? *)?(?:(\d+):(\d\d)(?::(\d\d(?:\.\d+)?))?)$/;

export class Column {
  readonly low: Float64Array;
  readonly high: Float64Array;
  private readonly often: Float64Array;

  constructor(
    readonly spec: ColumnSpec,
    block: Block,
  ) {
    this.low = block.doubles(spec.low_ends);
    this.high = block.doubles(spec.high_ends);
    this.often = block.doubles(spec.often);
  }

  get input(): InputField {
    const { name, kind, labels, low, high, step, form } = this.spec;
    const steps = form === "whole" || form === "level" || form === "truth" ? step || 1 : form === "date" ? step || DAY : step;
    return { name, kind, labels, low: labels ? 0 : low, high: labels ? labels.length - 1 : high, step: steps };
  }

  /** In the user's units, of a level its place; neither rounded nor cut. */
  value(x: number): number {
    return x * this.spec.scale + this.spec.center;
  }

  /** As it can stand in the user's data. */
  text(x: number): string {
    const { form, labels, decimals } = this.spec;
    if (labels) return labels[Math.min(labels.length - 1, Math.max(0, rint(this.value(x))))];
    const value = this.possible(this.value(x));
    if (form === "truth") return value >= 0.5 ? "true" : "false";
    if (form === "whole") return String(rint(value) + 0);
    if (form === "date") return new Date(Math.floor(value / DAY) * DAY * 1000).toISOString().slice(0, 10);
    if (form === "moment") return local(value, this.spec.zone);
    if (form === "time") return new Date(Math.round(value) * 1000).toISOString().slice(11, 19);
    if (form === "duration") return lasting(value);
    return this.often.includes(value) ? plain(value, this.spec.scale) : value.toFixed(decimals).replace(/^-(0(\.0*)?)$/, "$1");
  }

  /** The nearest value that can be: on the grid of the record, within its bounds, and where one often repeats, exactly that. */
  possible(value: number): number {
    const { form, step, low, high, scale } = this.spec;
    let v = form === "whole" ? rint(value) : form === "truth" ? Number(value >= 0.5) : value;
    if (step > 0) v = rint((low + rint((v - low) / step) * step) * 1e10) / 1e10;
    v = Math.min(high, Math.max(low, v));
    if (!this.often.length) return v;
    const nearest = this.often.reduce((best, each) => (Math.abs(each - v) < Math.abs(best - v) ? each : best));
    return Math.abs(nearest - v) <= ROUNDING * scale ? nearest : v;
  }

  /** What was given, encoded; null where nothing was. */
  encoded(given: number | string | null): number | null {
    if (given === null || given === "" || (typeof given === "number" && Number.isNaN(given))) return null;
    const { center, scale } = this.spec;
    const x = (this.number(given) - center) / scale;
    return Math.fround(Math.min(FARTHEST, Math.max(-FARTHEST, x)));
  }

  private number(given: number | string): number {
    const { name, form, labels, zone } = this.spec;
    if (labels) {
      const place = labels.indexOf(String(given));
      if (place < 0) throw new PackError("input", `column ${JSON.stringify(name)} is never ${JSON.stringify(given)}`);
      return place;
    }
    const word = String(given).toLowerCase();
    if (form === "truth" && (word === "true" || word === "false")) return Number(word === "true");
    const value = typeof given === "string" ? said(given, form, zone) : given;
    if (!Number.isFinite(value)) throw new PackError("input", `column ${JSON.stringify(name)} can't hold ${JSON.stringify(given)}`);
    return value;
  }

  histogram(probability: Float64Array): ColumnDistribution {
    return { low: this.low, high: this.high, labels: this.spec.labels, probability };
  }
}

/** A value that repeats, without what rounding added to it. */
function plain(value: number, scale: number): string {
  return String(Math.abs(value) < NOTHING * scale ? 0 : Number(value.toPrecision(12)));
}

/** What a text says in a column of its form. */
function said(text: string, form: ColumnSpec["form"], zone: string | null): number {
  if (form === "date" || form === "moment") return seconds(text, zone);
  const parts = form === "time" || form === "duration" ? LASTING.exec(text.trim()) : null;
  if (!parts) return Number(text);
  const [days, hours, minutes, rest] = parts.slice(2).map((part) => Number(part ?? 0));
  return (parts[1] ? -1 : 1) * (DAY * days + 3600 * hours + 60 * minutes + rest);
}

/** Seconds as "2 days, 3:04:05". */
function lasting(value: number): string {
  const whole = Math.abs(Math.round(value));
  const days = Math.floor(whole / DAY);
  const clock = new Date((whole % DAY) * 1000).toISOString().slice(11, 19).replace(/^0(?=\d:)/, "");
  return `${value < 0 && whole ? "-" : ""}${days ? `${days} day${days > 1 ? "s" : ""}, ` : ""}${clock}`;
}

/** Seconds since 1970 as the clocks of a time zone show them, "2024-03-05 17:30:00". */
function local(value: number, zone: string | null): string {
  const shown = new Date((Math.round(value) + offset(value, zone)) * 1000);
  return Number.isNaN(shown.getTime()) ? "" : shown.toISOString().slice(0, 19).replace("T", " ");
}

/** What a date means: at midnight where no time is said, and in the column's time zone where no other is. */
function seconds(text: string, zone: string | null): number {
  const iso = text.trim().replace(" ", "T");
  const stated = /(Z|[+-]\d\d:?\d\d)$/.test(iso.slice(10));
  const value = Date.parse(stated || iso.length <= 10 ? iso : `${iso}Z`) / 1000;
  return stated ? value : value - offset(value - offset(value, zone), zone);
}

/** How many seconds a time zone's clocks are ahead at a moment. */
function offset(value: number, zone: string | null): number {
  if (zone === null || zone === "UTC" || !Number.isFinite(value)) return 0;
  const whole = Math.floor(value);
  const options = { timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit" } as const;
  const clock = { hour: "2-digit", minute: "2-digit", second: "2-digit" } as const;
  try {
    const parts = new Intl.DateTimeFormat("en-US", { ...options, ...clock }).formatToParts(whole * 1000);
    const part = (type: string) => Number(parts.find((each) => each.type === type)?.value);
    return Date.UTC(part("year"), part("month") - 1, part("day"), part("hour"), part("minute"), part("second")) / 1000 - whole;
  } catch {
    return 0; // a zone that this browser does not know
  }
}
