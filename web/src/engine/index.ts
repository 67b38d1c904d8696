/** The engine's only door: everything that the page, and the tests, may use of it. */

export { Block } from "./block";
export { graph } from "./graph";
export { openPack, packInPage, readPack } from "./pack";
export * from "./types";
