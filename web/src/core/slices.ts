import { frameIsWaiting } from "./frame";

/** Milliseconds that long work may take before the page gets its turn, and while somebody is dragging. */
const CALM = 10;
const BUSY = 3;

/**
 * Does long work in slices: `step` does a small part and says whether there is more. Returns what stops it.
 * A drag must be answered within a frame, so a slice is short while one is under way.
 */
export function inSlices(step: () => boolean): () => void {
  let stopped = false;
  const channel = new MessageChannel();
  const slice = () => {
    if (stopped) return;
    const until = performance.now() + (frameIsWaiting() ? BUSY : CALM);
    while (performance.now() < until)
      if (!step()) {
        channel.port1.close();
        return;
      }
    channel.port2.postMessage(null);
  };
  channel.port1.onmessage = slice;
  channel.port2.postMessage(null);
  return () => {
    stopped = true;
    channel.port1.close();
  };
}
