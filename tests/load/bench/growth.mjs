// Does the cost of a message stay the same as everything grows? Processor time is what is compared, since it doesn't
// depend on what else the machine does; latencies are printed beside it.
//
//   ./parley bench --growth [--messages 10000000]
//
//   stored messages   0 … 1,000,000: history page, send, list of conversations over REST
//   sessions          0 … 17,000 joined ones that do nothing, while 200 others chat
//   gateways, brokers 1 to 4, 1 to 2: as many messages as go

import { once } from "node:events";
import { Parley } from "./contestants.mjs";
import { load, secondsOf, startLoad } from "./measure.mjs";

const PER_CONVERSATION = 100;
const CALLS = 400;

const fillUsers = `
  insert into users (id, name, role)
  select n::text, 'User ' || n, 'customer' from generate_series($1::bigint, $2::bigint) n on conflict do nothing`;
const fillConversations = `
  insert into conversations (conversation_id, kind, creator_id, head_seq, created_at, last_activity_at)
  select 'conv_' || n || '_' || n + 1, 'direct', n::text, ${PER_CONVERSATION}, now(), now()
  from generate_series($1::bigint, $2::bigint, 2) n`;
const fillParticipants = `
  insert into participants (conversation_id, user_id, joined_at)
  select 'conv_' || n || '_' || n + 1, unnest(array[n, n + 1])::text, now()
  from generate_series($1::bigint, $2::bigint, 2) n`;
const fillMessages = `
  insert into messages (conversation_id, seq, id, sender_id, client_id, text, created_at)
  select 'conv_' || n || '_' || n + 1, s, gen_random_uuid(), n::text, 'fill-' || s, repeat('x', 80), now()
  from generate_series($1::bigint, $2::bigint, 2) n, generate_series(1, ${PER_CONVERSATION}) s`;

/** Brings the database to this many messages; users 1 … n, conversations of 1 and 2, 3 and 4, … */
async function fill(sql, filled, messages) {
  const first = (filled / PER_CONVERSATION) * 2 + 1;
  const last = (messages / PER_CONVERSATION) * 2;
  for (const text of [fillUsers, fillConversations, fillParticipants, fillMessages]) await sql.query(text, [first, last]);
  await sql.query("vacuum analyze");
  await sql.query("checkpoint");
}

const percentile = (values, part) => [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * part)];

/** One call after another; latencies, and microseconds of processor time for each, of all services. */
async function calls(contestant, call) {
  const spent = () =>
    contestant.processes().reduce((sum, { pid }) => sum + secondsOf(pid), 0);
  await call(0); // connections are made, plans too
  const before = spent();
  const latencies = [];
  for (let i = 1; i <= CALLS; i++) {
    const began = performance.now();
    await call(i);
    latencies.push(performance.now() - began);
  }
  const us = ((spent() - before) * 1e6) / CALLS;
  return { us: Math.round(us), p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) };
}

export async function growMessages(sizes) {
  const contestant = await Parley.start();
  const { system } = contestant;
  const points = [];
  let filled = 0;
  const expect = async (wanted, answer) => {
    const { status, body } = await answer;
    if (status !== wanted) throw new Error(`${status}: ${JSON.stringify(body)}`);
  };
  try {
    for (const messages of sizes) {
      await fill(system.sql, filled, messages);
      filled = messages;
      const conversations = messages / PER_CONVERSATION;
      const pair = (i) => ((i * 7919) % conversations) * 2 + 1;
      const name = (i) => `conv_${pair(i)}_${pair(i) + 1}`;
      const point = { messages };
      point.history = await calls(contestant, (i) =>
        expect(200, system.http("GET", `/conversations/${name(i)}/messages?limit=50`, { as: `${pair(i)}` })));
      point.list = await calls(contestant, (i) => expect(200, system.http("GET", "/conversations", { as: `${pair(i)}` })));
      point.send = await calls(contestant, (i) =>
        expect(200, system.http("POST", "/messages/send", {
          as: `${pair(i)}`,
          body: { conversationId: name(i), text: "a message of ordinary length" },
        })));
      points.push(point);
    }
  } finally {
    await contestant.stop();
  }
  return points;
}

const cpuEach = (report) =>
  Object.fromEntries(Object.entries(report.cpu).map(([name, seconds]) =>
    [name, Math.round((seconds * 1e7) / report.sent) / 10]));

export async function growSessions(steps) {
  const contestant = await Parley.start();
  const points = [];
  const children = [];
  let sessions = 0;
  try {
    for (const step of steps) {
      if (step > sessions) {
        const child = startLoad(contestant, "connect", {
          connections: step - sessions, "first-user": 1001 + sessions, hold: 600,
        });
        children.push(child);
        await once(child.stdout, "data");
        sessions = step;
      }
      const report = await load(contestant, "chat", { connections: 200, rate: 1000, seconds: 4 });
      points.push({ sessions, rooms: Math.round(sessions * 1.5) + 300, good: report.good, cpu: cpuEach(report),
        p50: report.delivered.p50_ms, p99: report.delivered.p99_ms });
      await contestant.rest();
    }
  } finally {
    children.forEach((child) => child.kill());
    await contestant.stop();
  }
  return points;
}

export async function growServices(counts) {
  const points = [];
  for (const [gateways, brokers] of counts) {
    const contestant = await Parley.start({ gateways, brokers });
    try {
      const report = await load(contestant, "max", { connections: 200, "in-flight": 8, seconds: 4 });
      points.push({ gateways, brokers, good: report.good, messages: report.acks_per_s, cpu: cpuEach(report),
        p99: report.delivered.p99_ms, others: report.others });
    } finally {
      await contestant.stop();
    }
  }
  return points;
}
