/** Work that waits for the next frame. Asked for twice, it is done once: the newest state is what gets drawn. */

const waiting = new Set<() => void>();
let asked = false;

/** A task may ask for another one (a code moves, so a picture changes); these rounds let both be in the same frame. */
const ROUNDS = 4;

export function nextFrame(task: () => void): void {
  waiting.add(task);
  if (asked) return;
  asked = true;
  requestAnimationFrame(run);
}

export function frameIsWaiting(): boolean {
  return asked;
}

function run(): void {
  for (let round = 0; round < ROUNDS && waiting.size > 0; round++) {
    const tasks = [...waiting];
    waiting.clear();
    for (const task of tasks) task();
  }
  asked = waiting.size > 0;
  if (asked) requestAnimationFrame(run);
}
