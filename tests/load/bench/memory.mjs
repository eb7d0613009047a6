// What a connected and joined session costs in user-space memory, on services that are fresh: a heap that has
// grown before would hide it.

import { once } from "node:events";
import { privateBytes, startLoad } from "./measure.mjs";

/** Adds sessions in steps and notes each service's private memory; [{connections, bytes: {service: n}}]. */
export async function memory(contestant, steps) {
  const services = contestant.processes().filter(({ name }) => name !== "postgresql");
  const measure = () => {
    const bytes = {};
    for (const { name, pid } of services) bytes[name] = (bytes[name] ?? 0) + privateBytes(pid);
    return bytes;
  };
  const points = [{ connections: 0, bytes: measure() }];
  const children = [];
  let connections = 0;
  for (const step of steps) {
    const child = startLoad(contestant, "connect", {
      connections: step - connections,
      "first-user": connections + 1,
      hold: 600,
    });
    children.push(child);
    await once(child.stdout, "data"); // its report: all have joined
    connections = step;
    points.push({ connections, bytes: measure() });
  }
  for (const child of children) {
    const gone = once(child, "exit");
    child.kill();
    await gone;
  }
  return points;
}

/** Bytes that each further session cost each service, from the first point to the last. */
export function perSession(points) {
  const [first, last] = [points[0], points.at(-1)];
  return Object.fromEntries(
    Object.keys(first.bytes).map((name) => [name, (last.bytes[name] - first.bytes[name]) / last.connections]),
  );
}
