import { type Pack, PackError } from "./types";

/** The pack in a page: the text of `<script type="application/x-latente-pack">`, gzip in base64. */
export async function packInPage(): Promise<Pack> {
  const text = document.querySelector('script[type="application/x-latente-pack"]')?.textContent;
  if (!text) throw new PackError("missing", "there is no pack in this page: 'latente export' writes one");
  return readPack(text);
}

/** A pack from its text. */
export async function readPack(text: string): Promise<Pack> {
  return openPack(new TextEncoder().encode(text));
}

/** A pack from its bytes. */
export function openPack(bytes: Uint8Array): Pack {
  throw new PackError("damaged", `not yet (${bytes.length})`);
}
