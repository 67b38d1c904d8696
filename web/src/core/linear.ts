/** The little linear algebra that the map needs, on vectors of a code's length. */

export type Vector = Float32Array;

export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** a + t b */
export function along(a: ArrayLike<number>, b: ArrayLike<number>, t: number): Vector {
  return Float32Array.from(a, (value, i) => value + t * b[i]);
}

export function subtract(a: ArrayLike<number>, b: ArrayLike<number>): Vector {
  return along(a, b, -1);
}

export function between(a: ArrayLike<number>, b: ArrayLike<number>, share: number): Vector {
  return Float32Array.from(a, (value, i) => (1 - share) * value + share * b[i]);
}

export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return Math.sqrt(sum);
}

/** Lower triangular L with L Lᵀ = matrix [d, d]. What is not positive (an idle dimension) becomes a tiny spread of its own. */
export function cholesky(matrix: Float64Array, d: number): Float64Array {
  const lower = new Float64Array(d * d);
  for (let i = 0; i < d; i++)
    for (let j = 0; j <= i; j++) {
      let sum = matrix[i * d + j];
      for (let k = 0; k < j; k++) sum -= lower[i * d + k] * lower[j * d + k];
      lower[i * d + j] = i === j ? Math.sqrt(Math.max(sum, 1e-8)) : sum / lower[j * d + j];
    }
  return lower;
}

/** L x */
export function multiplyLower(lower: Float64Array, x: ArrayLike<number>): Vector {
  const d = x.length;
  return Float32Array.from({ length: d }, (_, i) => {
    let sum = 0;
    for (let j = 0; j <= i; j++) sum += lower[i * d + j] * x[j];
    return sum;
  });
}

/** x with L x = y */
export function solveLower(lower: Float64Array, y: ArrayLike<number>): Vector {
  const d = y.length;
  const x = new Float32Array(d);
  for (let i = 0; i < d; i++) {
    let sum = y[i];
    for (let j = 0; j < i; j++) sum -= lower[i * d + j] * x[j];
    x[i] = sum / lower[i * d + i];
  }
  return x;
}
