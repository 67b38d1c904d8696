/** The engine's only door: everything that the page, and the tests, may use of it. */

export { openPack, packInPage, readPack } from "./pack";
export * from "./types";
