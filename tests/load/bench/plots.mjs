// Plots for docs/performance.md, drawn by gnuplot.

import { spawnSync } from "node:child_process";
import { join } from "node:path";

const COLOURS = { history: "#0969da", list: "#8250df", send: "#1a7f37", gateway: "#0969da", broker: "#8250df",
  "persist-worker": "#1a7f37", postgresql: "#bc4c00", parley: "#1a7f37", "node-batched": "#cf222e", "node-single": "#bc4c00", raw: "#57606a" };

/** curves: [{name, points: [[x, y], …]}]. */
export function plot(file, { title, x, y, logX = true, logY = true, curves }) {
  const shown = curves.filter(({ points }) => points.length);
  const lines = [
    "set terminal svg size 760,440 font 'sans-serif,13' background '#ffffff'",
    `set output '${file}'`,
    `set title '${title}'`,
    `set xlabel '${x}'`,
    `set ylabel '${y}'`,
    "set grid back lc '#d0d7de'",
    "set key outside right top",
    "set format '%.0f'",
    logX && "set logscale x",
    logY && "set logscale y; set format y '%g'",
    ...shown.map(({ points }, i) => `$d${i} << E\n${points.map((p) => p.join(" ")).join("\n")}\nE`),
    `plot ${shown.map(({ name }, i) =>
      `$d${i} with linespoints lw 2 pt 7 ps 0.6 lc '${COLOURS[name] ?? "#0969da"}' title '${name}'`).join(", ")}`,
  ];
  const done = spawnSync("gnuplot", [], { input: lines.filter(Boolean).join("\n"), encoding: "utf8" });
  if (done.status !== 0) throw new Error(`gnuplot: ${done.error ?? done.stderr}`);
}

/** The three plots of a full run, into a folder. */
export function drawAll(folder, { rates, members, memory }) {
  const ofRates = (part) => Object.entries(rates).map(([name, points]) =>
    ({ name, points: points.map((point) => [point.reached, point[part]]) }));
  plot(join(folder, "latency.svg"), {
    title: "send → delivery, p99 (200 connections)", x: "durable messages/s", y: "ms", curves: ofRates("p99"),
  });
  plot(join(folder, "latency-median.svg"), {
    title: "send → delivery, median (200 connections)", x: "durable messages/s", y: "ms", curves: ofRates("p50"),
  });
  plot(join(folder, "fanout.svg"), {
    title: "fan-out of durable messages", x: "members", y: "deliveries/s",
    curves: Object.entries(members).map(([name, points]) =>
      ({ name, points: points.map((point) => [point.members, point.deliveries]) })),
  });
  plot(join(folder, "memory.svg"), {
    title: "user-space memory (all services, without PostgreSQL)", x: "connected and joined sessions", y: "MB",
    logX: false, logY: false,
    curves: Object.entries(memory).map(([name, points]) => ({
      name,
      points: points.map((point) =>
        [point.connections, Object.values(point.bytes).reduce((a, b) => a + b, 0) / 1e6]),
    })),
  });
}

/** Of a growth run: what a message and a call cost. */
export function drawGrowth(folder, { messages, sessions }) {
  plot(join(folder, "growth-messages.svg"), {
    title: "processor time of a call, all services and PostgreSQL", x: "messages stored", y: "µs", logY: false,
    curves: ["history", "list", "send"].map((name) =>
      ({ name, points: messages.map((point) => [point.messages, point[name].us]) })),
  });
  plot(join(folder, "growth-sessions.svg"), {
    title: "processor time of a message, at 1,000/s", x: "idle joined sessions", y: "µs", logX: false, logY: false,
    curves: ["gateway", "broker", "persist-worker", "postgresql"].map((name) =>
      ({ name, points: sessions.map((point) => [point.sessions, point.cpu[name]]) })),
  });
}
