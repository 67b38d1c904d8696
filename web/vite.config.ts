import { createHash } from "node:crypto";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

/**
 * The page is one file: script and style stand in it, and a policy that allows these two, by their digests, and nothing else:
 * no other script, no eval, no inline style attribute, no request to anywhere. latente.explorer.export puts a pack where
 * `<!--latente-pack-->` stands; the server, and only it, widens `connect-src` to itself.
 */
function oneFile(): Plugin {
  return {
    name: "one-file",
    enforce: "post",
    generateBundle(_, bundle) {
      const page = bundle["index.html"];
      if (page?.type !== "asset") throw new Error("index.html was not built");
      let html = String(page.source);
      let script = "";
      let style = "";
      for (const [name, part] of Object.entries(bundle)) {
        if (name === "index.html") continue;
        if (part.type === "chunk") script += part.code;
        else if (name.endsWith(".css")) style += String(part.source);
        else throw new Error(`${name} can't stand in the page: import it so that it is inlined`);
        delete bundle[name];
      }
      script = script.trim().replaceAll("</script", "<\\/script");
      html = html.replace(/\s*<script type="module"[^>]*><\/script>/g, "").replace(/\s*<link rel="stylesheet"[^>]*>/g, "");
      const parts = [`<meta http-equiv="Content-Security-Policy" content="${policy(script, style)}">`];
      if (style) parts.push(`<style>${style}</style>`);
      // Functions in place of texts: a script may hold "$&", which has a meaning of its own in a replacement.
      html = html.replace(/(<meta charset=[^>]*>)/i, (charset) => [charset, ...parts].join("\n"));
      html = html.replace("</body>", () => `<script type="module">${script}</script>\n</body>`);
      if (!html.includes("Content-Security-Policy") || !html.includes("<!--latente-pack-->"))
        throw new Error("index.html needs a <meta charset> and, in its body, <!--latente-pack-->");
      page.fileName = "explorer.html";
      page.source = html;
    },
  };
}

function policy(script: string, style: string): string {
  const digest = (text: string) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
  return [
    "default-src 'none'",
    `script-src ${digest(script)}`,
    `style-src ${style ? digest(style) : "'none'"}`,
    "img-src data: blob:",
    "connect-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
}

export default defineConfig({
  plugins: [oneFile()],
  build: {
    target: "es2022",
    outDir: "../src/latente/explorer/static",
    emptyOutDir: true,
    assetsInlineLimit: Number.MAX_SAFE_INTEGER,
    cssCodeSplit: false,
    modulePreload: false,
    rollupOptions: { output: { codeSplitting: false } },
  },
  test: { include: ["src/**/*.test.ts", "tests/**/*.test.ts"] },
});
