import { defineConfig } from "vitest/config";

/** Tests in a real browser: one at a time, for the machine's speed is part of what they measure. */
export default defineConfig({
  test: { include: ["e2e/**/*.test.ts"], fileParallelism: false, testTimeout: 60_000, hookTimeout: 120_000 },
});
