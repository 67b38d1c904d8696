import { defineConfig } from "vite";

/** The forward pass alone, for Node: tests/explorer/test_parity.py compares it with Python. */
export default defineConfig({
  build: {
    target: "es2022",
    outDir: "build",
    minify: false,
    lib: { entry: "src/engine/index.ts", formats: ["es"], fileName: () => "engine.mjs" },
  },
});
