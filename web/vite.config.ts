// SPDX-License-Identifier: MIT
import { defineConfig } from "vite";

// Everything is a file of its own below dist/assets: the service forbids whatever stands inside the page (see README.md).
export default defineConfig({
  base: "./",
  esbuild: { jsx: "automatic", jsxImportSource: "preact" },
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: false, reportCompressedSize: true },
  server: { proxy: { "/v1": process.env["TAIN_URL"] ?? "http://127.0.0.1:8081" } },
});
