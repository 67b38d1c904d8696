import type { Browser } from "playwright-core";

export function launch(): Promise<Browser>;
export function pageWith(pack: string): string;
export function page(text: string | null, name: string): string;
export function pageWithHeader(pack: string, name: string, change: (header: any) => void): string;
export function has(pack: string): boolean;
