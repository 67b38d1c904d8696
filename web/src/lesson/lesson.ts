import { Signal } from "../core/signal";

/** How many things each of the six steps asks the reader to do. */
export const TASKS = [1, 2, 2, 4, 3, 2] as const;
export const STEPS = TASKS.length;

/** Where the reader is, and what was done: it outlives a change of language. */
export class Lesson {
  readonly step = new Signal(0);
  /** Each step's tasks, as far as they are done. */
  readonly done: Signal<boolean>[][] = TASKS.map((count) => Array.from({ length: count }, () => new Signal(false)));

  finish(step: number, task: number): void {
    this.done[step][task].value = true;
  }

  isDone(step: number): boolean {
    return this.done[step].every((task) => task.value);
  }

  go(step: number): void {
    this.step.value = Math.max(0, Math.min(STEPS - 1, step));
  }
}

/** A thing that has been at both ends. */
export class Ends {
  private first = false;
  private last = false;

  constructor(private readonly count: number) {}

  visit(index: number): { first: boolean; last: boolean } {
    this.first ||= index === 0;
    this.last ||= index === this.count - 1;
    return { first: this.first, last: this.last };
  }
}

/** The four learning steps of a VAE come one after the other; a new row begins them again. */
export class Sequence {
  reached = 0;

  /** Whether this step's turn had come. */
  take(step: number): boolean {
    if (step > this.reached) return false;
    this.reached = Math.max(this.reached, step + 1);
    return true;
  }

  restart(): void {
    this.reached = 0;
  }
}

export type Place = "low" | "high" | null;

/** Positions of low and high sensitivity, relative to random codes of the same model. */
export class Restlessness {
  private readonly low: number;
  private readonly high: number;

  constructor(changes: number[]) {
    const sorted = [...changes].sort((a, b) => a - b);
    const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))];
    this.low = at(0.4);
    this.high = at(0.75);
  }

  judge(change: number): Place {
    if (change <= this.low) return "low";
    return change >= this.high ? "high" : null;
  }
}
