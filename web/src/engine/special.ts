/** Distribution functions. */

/** Of N(0, 1), to 1e-15 of itself or so: by a series near 0, by a continued fraction beyond 2 (Abramowitz and Stegun 26.2.10, 26.2.14). */
export function normalCdf(x: number): number {
  if (x > 0) return 1 - normalCdf(-x);
  const density = Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
  if (x > -2) {
    let term = x;
    let sum = x;
    for (let k = 1; Math.abs(term) > 1e-17; k++) sum += term *= (x * x) / (2 * k + 1);
    return 0.5 + density * sum;
  }
  return density / millsFraction(x);
}

/** Its logarithm. */
export function logNormalCdf(x: number): number {
  if (x > 0) return Math.log1p(-normalCdf(-x));
  return x > -2 ? Math.log(normalCdf(x)) : -0.5 * x * x - 0.5 * Math.log(2 * Math.PI) - Math.log(millsFraction(x));
}

function millsFraction(x: number): number {
  let fraction = -x;
  for (let k = 60; k >= 1; k--) fraction = -x + k / fraction;
  return fraction;
}

/** I_x(a, b), by Lentz's continued fraction. */
export function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(a * Math.log(x) + b * Math.log1p(-x) + logGamma(a + b) - logGamma(a) - logGamma(b)) / a;
  let c = 1;
  let d = 1 / (1 - ((a + b) * x) / (a + 1));
  let value = d;
  for (let m = 1; m < 300; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / (1 + even * d);
    c = 1 + even / c;
    value *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / (1 + odd * d);
    c = 1 + odd / c;
    value *= d * c;
    if (Math.abs(d * c - 1) < 1e-15) break;
  }
  return front * value;
}

/** log Γ(x) for x > 0: Stirling's series above 8, the recurrence below. */
export function logGamma(x: number): number {
  if (x < 8) return logGamma(x + 1) - Math.log(x);
  const r = 1 / (x * x);
  const series = (1 / 12 - r * (1 / 360 - r * (1 / 1260 - r * (1 / 1680 - r / 1188)))) / x;
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series;
}

/** To the nearest whole number, halves to the even one, as NumPy does. */
export function rint(x: number): number {
  const rounded = Math.round(x);
  return Math.abs(x % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}

/** A draw from N(0, 1) by two uniform ones (Box and Muller 1958). */
export function normalDraw(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
