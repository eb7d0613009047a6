// What is measured: each cell is one kind of load on those that take part, and what counts of it.
//
//   who       contestants' names
//   run       (contestant, seconds) => the load generator's report
//   figures   name => {of: report => number, unit, digits, better: "more" or "less"}
//   targets   [figure, contestant compared with, at least so many times better than it]

import { load } from "./measure.mjs";

const latency = (kind, part, unit = "ms") => ({ of: (report) => report[kind][part], unit, digits: 2, better: "less" });
const rate = (field) => ({ of: (report) => report[field], unit: "/s", digits: 0, better: "more" });

const chat = (perSecond) => (contestant, seconds) =>
  load(contestant, "chat", { connections: 200, rate: perSecond, seconds });

const fanout = (members, inFlight) => async (contestant, seconds) => {
  contestant.groups ??= {};
  contestant.groups[members] ??= await contestant.group(members);
  const room = contestant.groups[members];
  return load(contestant, "fanout", { connections: members, room, senders: 4, "in-flight": inFlight, seconds });
};

export const cells = [
  {
    name: "max",
    text: "durable messages, 200 connections × 8 in flight",
    who: ["parley", "node-batched", "node-single", "raw"],
    run: (contestant, seconds) => load(contestant, "max", { connections: 200, "in-flight": 8, seconds }),
    figures: { messages: rate("acks_per_s"), p50: latency("delivered", "p50_ms"), p99: latency("delivered", "p99_ms") },
    targets: [["messages", "node-batched", 2], ["messages", "node-single", 8], ["messages", "postgresql", 0.7]],
  },
  {
    name: "chat-500",
    text: "500 durable messages/s, send → delivery",
    who: ["parley", "node-batched", "node-single", "raw"],
    run: chat(500),
    figures: { p50: latency("delivered", "p50_ms"), p99: latency("delivered", "p99_ms") },
    targets: [["p50", "raw+commit", 0.5]],
  },
  {
    name: "chat-2000",
    text: "2,000 durable messages/s, send → delivery",
    who: ["parley", "node-batched", "node-single", "raw"],
    run: chat(2000),
    figures: { p50: latency("delivered", "p50_ms"), p99: latency("delivered", "p99_ms") },
    targets: [["p99", "node-batched", 4]],
  },
  {
    name: "fanout-1000",
    text: "fan-out of durable messages to 1,000 members",
    who: ["parley", "node-batched", "node-single", "raw"],
    run: fanout(1000, 8),
    figures: { deliveries: rate("deliveries_per_s"), p50: latency("delivered", "p50_ms") },
    targets: [["deliveries", "node-batched", 7], ["deliveries", "raw", 0.7]],
  },
  {
    name: "fanout-100",
    text: "fan-out of durable messages to 100 members",
    who: ["parley", "node-batched", "node-single", "raw"],
    run: fanout(100, 64),
    figures: { deliveries: rate("deliveries_per_s"), p50: latency("delivered", "p50_ms") },
    targets: [["deliveries", "node-batched", 7], ["deliveries", "raw", 0.7]],
  },
  {
    name: "handshakes",
    text: "handshakes (raw: no token)",
    who: ["parley", "node-batched", "raw"],
    run: (contestant) => load(contestant, "connect", { connections: 5000, "no-join": true }),
    figures: { handshakes: rate("connects_per_s"), p99: latency("handshake", "p99_ms") },
    targets: [["handshakes", "node-batched", 5], ["handshakes", "raw", 0.6]],
  },
  {
    name: "typing-5000",
    text: "5,000 typing events/s",
    who: ["parley", "node-batched", "raw"],
    run: (contestant, seconds) => load(contestant, "typing", { connections: 200, rate: 5000, seconds }),
    figures: { p50: latency("delivered", "p50_ms"), p99: latency("delivered", "p99_ms") },
    targets: [["p99", "node-batched", 4]],
  },
  {
    name: "rest",
    text: "POST /messages/send, 32 connections",
    who: ["parley", "node-batched", "node-single"],
    run: (contestant, seconds) => load(contestant, "rest", { connections: 32, seconds }),
    figures: { sends: rate("acks_per_s"), p99: latency("acknowledged", "p99_ms") },
    targets: [["sends", "node-batched", 4], ["sends", "node-single", 4]],
  },
];

/** For the plots: latency against rate, deliveries against members. */
export const RATES = [250, 500, 1000, 2000, 4000, 8000, 16000];
export const MEMBERS = [10, 30, 100, 300, 1000];
export const rateCell = chat;
export const membersCell = (members) => fanout(members, Math.max(8, Math.min(256, Math.round(8000 / members))));
