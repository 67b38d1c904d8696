/** An order in which the first ones of many rows are a fair sample: what is drawn while the map moves. */
export function shuffled(count: number, random: () => number): Uint32Array {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1));
    [order[i], order[other]] = [order[other], order[i]];
  }
  return order;
}

/** Values in that order; `size` of them belong together. */
export function reordered<T extends Float32Array | Uint8Array>(values: T, order: Uint32Array, size: number): T {
  const result = values.slice() as T;
  for (let i = 0; i < order.length; i++)
    for (let k = 0; k < size; k++) result[i * size + k] = values[order[i] * size + k];
  return result;
}
