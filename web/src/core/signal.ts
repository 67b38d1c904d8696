import { nextFrame } from "./frame";

/** A value that says when it changes. */
export class Signal<T> {
  private readonly listeners = new Set<() => void>();

  constructor(private current: T) {}

  get value(): T {
    return this.current;
  }

  set value(next: T) {
    if (Object.is(next, this.current)) return;
    this.current = next;
    for (const listener of [...this.listeners]) listener();
  }

  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

/** What a part of the page has to let go of when it is taken away. */
export class Scope {
  private readonly cleanups: (() => void)[] = [];
  private alive = true;

  add(cleanup: () => void): void {
    this.cleanups.push(cleanup);
  }

  /** Draws now, and again in the first frame after one of the signals changed. */
  watch(signals: Signal<any>[], draw: () => void): void {
    const later = () => {
      if (this.alive) draw();
    };
    for (const signal of signals) this.add(signal.listen(() => nextFrame(later)));
    draw();
  }

  /** Answers each change at once: for what has to be there before the frame is drawn, or must see every value. */
  follow(signal: Signal<any>, answer: () => void): void {
    this.add(signal.listen(answer));
  }

  /** Builds now, and at once when the signal changes. */
  build(signal: Signal<any>, make: () => void): void {
    this.follow(signal, make);
    make();
  }

  on<K extends keyof HTMLElementEventMap>(
    target: EventTarget,
    name: K,
    answer: (event: HTMLElementEventMap[K]) => void,
    options?: AddEventListenerOptions,
  ): void {
    target.addEventListener(name, answer as EventListener, options);
    this.add(() => target.removeEventListener(name, answer as EventListener, options));
  }

  /** A part inside this one, which goes when this one goes, or before. */
  child(): Scope {
    const inner = new Scope();
    this.add(() => inner.dispose());
    return inner;
  }

  dispose(): void {
    this.alive = false;
    for (const cleanup of this.cleanups.splice(0).reverse()) cleanup();
  }
}
