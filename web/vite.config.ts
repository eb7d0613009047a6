import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// `npm run dev` speaks to a system started by ./parley up.
const backend = `http://127.0.0.1:${process.env["PORT"] ?? "5000"}`;
const httpPaths = "^/(auth|me|users|conversations|messages|health|ready)(/|$|\\?)";

export default defineConfig({
  plugins: [react()],
  build: {
    target: "es2022",
    // The policy that rest sends with the page forbids data: URLs for anything but images.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      // Comments in a dependency that Rollup doesn't understand change nothing.
      onwarn: (warning, warn) => warning.code === "INVALID_ANNOTATION" || warn(warning),
    },
  },
  server: {
    proxy: {
      "/socket.io": { target: backend, ws: true },
      [httpPaths]: { target: backend },
    },
  },
  test: {
    environment: "jsdom",
    include: ["src/**/*.test.{ts,tsx}"],
    restoreMocks: true,
    // Long for a busy machine; what is waited for has shorter deadlines of its own.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
