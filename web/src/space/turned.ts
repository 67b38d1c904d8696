/** The frame turned, or turned over, so that its points are as close as possible to those of another (orthogonal Procrustes). */
export function turnedTo(frame: Float32Array, other: Float32Array): Float32Array {
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let i = 0; i < frame.length; i += 2) {
    a += frame[i] * other[i];
    b += frame[i] * other[i + 1];
    c += frame[i + 1] * other[i];
    d += frame[i + 1] * other[i + 1];
  }
  const [turn, flip] = [Math.hypot(a + d, b - c), Math.hypot(a - d, b + c)];
  const angle = turn >= flip ? Math.atan2(b - c, a + d) : Math.atan2(b + c, a - d);
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  const sign = turn >= flip ? 1 : -1;
  return Float32Array.from(frame, (_, i) => {
    const [u, v] = [frame[i - (i % 2)], frame[i - (i % 2) + 1]];
    return i % 2 === 0 ? cos * u - sign * sin * v : sin * u + sign * cos * v;
  });
}
