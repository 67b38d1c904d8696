import { Signal } from "../core/signal";

export const STEPS = 6;

/** Where the reader is, and what was done: it outlives a change of language. */
export class Lesson {
  readonly step = new Signal(0);
  /** Each step asks for one thing. */
  readonly done: Signal<boolean>[] = Array.from({ length: STEPS }, () => new Signal(false));
  /** Changes whenever the thing was done again: the answer is about what was done last. */
  readonly turns = new Signal(0);

  /** Called when a gesture ended that did what the step asks for. */
  finish(step: number): void {
    this.done[step].value = true;
    this.turns.value++;
  }

  go(step: number): void {
    this.step.value = Math.max(0, Math.min(STEPS - 1, step));
  }
}

/** The four learning steps of a VAE come one after the other; a new row begins them again. */
export class Sequence {
  reached = 0;

  /** Whether this step's turn had come. */
  take(step: number): boolean {
    if (step > this.reached) return false;
    this.reached = step + 1;
    return true;
  }

  restart(): void {
    this.reached = 0;
  }
}
