// What many connected and joined sessions cost that do nothing but answer pings.
//
//   ./parley bench --idle 100000 [--minutes 5]

import { once } from "node:events";
import { loadavg } from "node:os";
import { Parley } from "./contestants.mjs";
import { privateBytes, secondsOf, startLoad } from "./measure.mjs";

const PER_GATEWAY = 17_000;

/** {connected, joined, services: {name: {processes, bytes, cpu: share of one processor}}} */
export async function idle(sessions, minutes) {
  const contestant = await Parley.start({ gateways: Math.ceil(sessions / PER_GATEWAY) });
  const services = {};
  try {
    const seconds = Math.round(minutes * 60);
    const child = startLoad(contestant, "connect", { connections: sessions, hold: seconds + 60 });
    const [text] = await once(child.stdout, "data"); // the report: all have joined
    const { connected, joined, connects_per_s: rate } = JSON.parse(text);
    const all = contestant.processes();
    const before = all.map(({ pid }) => secondsOf(pid));
    await new Promise((done) => setTimeout(done, seconds * 1000));
    all.forEach(({ name, pid }, i) => {
      const service = (services[name] ??= { processes: 0, bytes: 0, cpu: 0 });
      service.processes++;
      service.bytes += privateBytes(pid);
      service.cpu += (secondsOf(pid) - before[i]) / seconds;
    });
    const wereThere = child.exitCode === null;
    child.kill();
    return { connected, joined, rate, seconds, services, loadavg: loadavg()[0], wereThere };
  } finally {
    await contestant.stop();
  }
}
