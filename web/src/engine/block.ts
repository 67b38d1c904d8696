/** A pack's bytes: see latente.explorer.block, which writes them. */

import { PackError } from "./types";

const MAGIC = "LATENTE\0";
const VERSION = 3;
const HEAD = 16;

export interface Tensor {
  shape: number[];
  values: Float32Array | Float64Array | Uint8Array | Uint16Array | Int32Array;
}

const TYPES = { f2: Uint16Array, f4: Float32Array, f8: Float64Array, u1: Uint8Array, u2: Uint16Array, i4: Int32Array };

interface Entry {
  type: keyof typeof TYPES;
  shape: number[];
  at: number;
}

/** The value of 16 bits of half precision. */
function half(bits: number): number {
  const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}

/** The header, and arrays by their place in it, as views on the bytes. */
export class Block {
  readonly header: Record<string, any>;
  private readonly entries: Entry[];
  private readonly start: number;

  constructor(private readonly bytes: Uint8Array) {
    if (bytes.length < HEAD || String.fromCharCode(...bytes.subarray(0, 8)) !== MAGIC)
      throw new PackError("damaged", "this is not a pack of Latente");
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const version = view.getUint32(8, true);
    if (version > VERSION)
      throw new PackError("newer", `the pack was written by a newer Latente (format ${version}; this page knows up to ${VERSION})`);
    this.start = HEAD + view.getUint32(12, true);
    if (this.start > bytes.length || this.start % 8) throw new PackError("damaged", "the pack is cut short");
    this.header = JSON.parse(new TextDecoder().decode(bytes.subarray(HEAD, this.start)));
    this.entries = this.header.tensors;
  }

  tensor(place: number): Tensor {
    const entry = this.entries[place];
    const kind = entry && TYPES[entry.type];
    if (!entry || !kind) throw new PackError("damaged", `the pack lacks its array ${place}`);
    const length = entry.shape.reduce((a, b) => a * b, 1);
    const at = this.start + entry.at;
    if (!(length >= 0) || at + length * kind.BYTES_PER_ELEMENT > this.bytes.length)
      throw new PackError("damaged", "the pack is cut short");
    const values = new kind(this.bytes.buffer as ArrayBuffer, this.bytes.byteOffset + at, length);
    return { shape: entry.shape, values: entry.type === "f2" ? Float32Array.from(values, half) : values };
  }

  floats(place: number): Float32Array {
    const { values } = this.tensor(place);
    return values instanceof Float32Array ? values : Float32Array.from(values);
  }

  doubles(place: number): Float64Array {
    const { values } = this.tensor(place);
    return values instanceof Float64Array ? values : Float64Array.from(values);
  }
}

/** Bytes from base64 of gzip. */
export async function unpacked(text: string): Promise<Uint8Array> {
  try {
    const zipped = new Blob([fromBase64(text.trim()) as BlobPart]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(zipped).arrayBuffer());
  } catch {
    throw new PackError("damaged", "the pack in this page is cut short, or was altered");
  }
}

function fromBase64(text: string): Uint8Array {
  const direct = (Uint8Array as { fromBase64?: (text: string) => Uint8Array }).fromBase64;
  if (direct) return direct.call(Uint8Array, text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}
