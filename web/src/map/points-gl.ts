import { seeded } from "../core/random";
import { FADED, look, type PointPainter, type View } from "./points";
import { reordered, shuffled } from "./shuffle";

const VERTEX = `#version 300 es
in vec2 place;
in float colour;
in float chosen;
uniform vec4 view; // middle, and clip units to a unit of the plane
uniform float size;
uniform float alpha;
uniform bool fades;
uniform sampler2D palette;
out vec4 shade;
void main() {
  gl_Position = vec4((place - view.xy) * view.zw, 0.0, 1.0);
  gl_PointSize = size;
  float opacity = fades && chosen < 0.5 ? alpha * ${FADED} : alpha;
  shade = vec4(texelFetch(palette, ivec2(int(colour * 255.0 + 0.5), 0), 0).rgb * opacity, opacity);
}`;

/** Discs with soft edges; points of two pixels and less are squares, for a disc that small costs more than it shows. */
const FRAGMENT = `#version 300 es
precision highp float;
in vec4 shade;
uniform float size;
out vec4 result;
void main() {
  float edge = size < 3.0 ? 1.0 : clamp((0.5 - length(gl_PointCoord - 0.5)) * size, 0.0, 1.0);
  result = shade * edge;
}`;

const OPTIONS: WebGLContextAttributes = { antialias: false, premultipliedAlpha: true, failIfMajorPerformanceCaveat: true };

/** Names of renderers that are programs: not every browser counts them as a "performance caveat". */
const SOFTWARE = /swiftshader|llvmpipe|softpipe|software|basic render/i;
let hasCard: boolean | null = null;

/** Asked of a canvas of its own, for one that has given out a context gives no other. */
function findCard(): boolean {
  const gl = document.createElement("canvas").getContext("webgl2", OPTIONS);
  if (!gl) return false;
  const info = gl.getExtension("WEBGL_debug_renderer_info");
  const name = String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return !SOFTWARE.test(name);
}

export class GlPoints implements PointPainter {
  private readonly program: WebGLProgram;
  private readonly array: WebGLVertexArrayObject;
  private readonly buffers: WebGLBuffer[];
  private readonly texture: WebGLTexture;
  private readonly uniforms: Record<string, WebGLUniformLocation | null>;
  private count = 0;
  private fades = false;
  private fitted = 0;
  private order: Uint32Array | null = null;

  /** Null where there is no WebGL2 on a graphics card: in software it is slower than no WebGL at all. */
  static on(canvas: HTMLCanvasElement): GlPoints | null {
    if (!(hasCard ??= findCard())) return null;
    const gl = canvas.getContext("webgl2", OPTIONS);
    return gl && new GlPoints(gl, canvas);
  }

  private constructor(
    private readonly gl: WebGL2RenderingContext,
    private readonly canvas: HTMLCanvasElement,
  ) {
    this.program = link(gl);
    this.uniforms = Object.fromEntries(
      ["view", "size", "alpha", "fades", "palette"].map((name) => [name, gl.getUniformLocation(this.program, name)]),
    );
    this.array = gl.createVertexArray();
    this.texture = gl.createTexture();
    this.buffers = [0, 1, 2].map(() => gl.createBuffer());
    gl.bindVertexArray(this.array);
    const attributes: [string, number, number, boolean][] = [
      ["place", 2, gl.FLOAT, false],
      ["colour", 1, gl.UNSIGNED_BYTE, true],
      ["chosen", 1, gl.UNSIGNED_BYTE, false],
    ];
    attributes.forEach(([name, size, type, normalized], i) => {
      const location = gl.getAttribLocation(this.program, name);
      gl.bindBuffer(gl.ARRAY_BUFFER, this.buffers[i]);
      gl.enableVertexAttribArray(location);
      gl.vertexAttribPointer(location, size, type, normalized, 0, 0);
    });
  }

  load(pairs: Float32Array, colours: Uint8Array, palette: Uint8Array): void {
    const gl = this.gl;
    this.count = pairs.length / 2;
    this.fitted = 0;
    if (this.order?.length !== this.count) this.order = shuffled(this.count, seeded(1));
    this.put(0, reordered(pairs, this.order, 2));
    this.put(1, reordered(colours, this.order, 1));
    this.put(2, new Uint8Array(this.count));
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, palette);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
  }

  select(rows: Uint32Array | null): void {
    this.fades = rows !== null;
    if (!rows || !this.order) return;
    const chosen = new Uint8Array(this.count);
    for (const row of rows) chosen[row] = 1;
    this.put(2, reordered(chosen, this.order, 1));
  }

  draw(camera: View, share: number): void {
    const gl = this.gl;
    const ratio = this.canvas.width / camera.width;
    this.fitted ||= camera.scale;
    const count = Math.ceil(this.count * share);
    const { size, alpha } = look(this.count, Math.max(1, camera.scale / this.fitted), camera.em);
    this.clear();
    gl.viewport(0, 0, this.canvas.width, this.canvas.height);
    gl.useProgram(this.program);
    gl.bindVertexArray(this.array);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.uniform4f(this.uniforms.view, camera.u, camera.v, (2 * camera.scale) / camera.width, (2 * camera.scale) / camera.height);
    gl.uniform1f(this.uniforms.size, Math.max(1, size * ratio));
    gl.uniform1f(this.uniforms.alpha, alpha);
    gl.uniform1i(this.uniforms.fades, this.fades ? 1 : 0);
    gl.uniform1i(this.uniforms.palette, 0);
    gl.drawArrays(gl.POINTS, 0, count);
  }

  clear(): void {
    this.gl.clearColor(0, 0, 0, 0);
    this.gl.clear(this.gl.COLOR_BUFFER_BIT);
  }

  dispose(): void {
    for (const buffer of this.buffers) this.gl.deleteBuffer(buffer);
    this.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }

  private put(index: number, data: Float32Array | Uint8Array): void {
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.buffers[index]);
    this.gl.bufferData(this.gl.ARRAY_BUFFER, data, this.gl.DYNAMIC_DRAW);
  }
}

function link(gl: WebGL2RenderingContext): WebGLProgram {
  const program = gl.createProgram();
  for (const [type, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ] as const) {
    const shader = gl.createShader(type)!;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(program) ?? "WebGL");
  return program;
}
