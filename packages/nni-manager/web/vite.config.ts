import { defineConfig } from "vitest/config";

// Every address is relative: the page works under a URL prefix and behind Jupyter's proxy.
export default defineConfig({
  base: "./",
  build: {
    outDir: "../src/nni_manager/web/static",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    // One small file: a style sheet that failed to load with a part of the page is not asked for again.
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    target: "es2022",
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1200,
  },
  // A document costs each file a second: those that need one say so in their first line.
  test: { environment: "node", include: ["src/**/*.test.{ts,tsx}"] },
});
