// The chat server that a good Node engineer would write for the same job, to measure Parley against:
// socket.io 4 over WebSocket, pg, jsonwebtoken with a KeyObject, express for REST. One process, as Parley's
// gateway is one; no cluster, no Redis.
//
//   DATABASE_URL=… JWT_SECRET=… LISTEN=127.0.0.1:3000 NODE_ENV=production node server.mjs single|batched
//
// Messages are committed before they are acknowledged or emitted, and keep their order in each conversation.
// Every statement is prepared.
//   single   one INSERT for a message, in a transaction of its own, over a pool of connections
//   batched  everything that waits goes into one multi-row INSERT, one at a time
// It does less than Parley: no presence, no unread marks, no rate limits, no users' table, nothing to resend
// after a lost connection.

import { createSecretKey, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import express from "express";
import jwt from "jsonwebtoken";
import pg from "pg";
import { Server } from "socket.io";

const BATCH_MAX = 500;
const POOL_MAX = 20;
const TEXT_MAX = 8000;

const variant = process.argv[2];
const [host, port] = process.env.LISTEN.split(":");
const key = createSecretKey(Buffer.from(process.env.JWT_SECRET));
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: POOL_MAX });
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

await pool.query(`
  create table if not exists conversations (
    conversation_id text collate "C" primary key, head_seq bigint not null default 0) with (fillfactor = 70);
  create table if not exists participants (
    conversation_id text collate "C" not null, user_id text collate "C" not null,
    primary key (conversation_id, user_id));
  create table if not exists messages (
    conversation_id text collate "C" not null, seq bigint not null, id uuid not null,
    sender_id text collate "C" not null, client_id text collate "C" not null, text text not null,
    created_at timestamptz not null default now(),
    primary key (conversation_id, seq), unique (conversation_id, sender_id, client_id))`);

function failure(code, message) {
  return Object.assign(new Error(message), { code });
}

// ---- who may do what ----

function authenticate(token) {
  const claims = jwt.verify(token, key, { algorithms: ["HS256"] });
  return String(claims.userId ?? claims.sub);
}

const groups = new Map(); // id => promise of its members

async function loadGroup(conversationId) {
  const { rows } = await pool.query({
    name: "participants",
    text: "select user_id from participants where conversation_id = $1",
    values: [conversationId],
  });
  return new Set(rows.map((row) => row.user_id));
}

async function requireParticipant(userId, conversationId) {
  let isOne = false;
  if (conversationId.startsWith("conv_")) {
    const [, first, second] = conversationId.split("_");
    isOne = userId === first || userId === second;
  } else {
    if (!groups.has(conversationId)) groups.set(conversationId, loadGroup(conversationId));
    isOne = (await groups.get(conversationId)).has(userId);
  }
  if (!isOne) throw failure("forbidden", "not a participant");
}

// ---- storage ----

const INSERT_ONE = {
  name: "insert_one",
  text: `
    with head as (
      insert into conversations as c (conversation_id, head_seq) values ($1, 1)
      on conflict (conversation_id) do update set head_seq = c.head_seq + 1 returning head_seq)
    insert into messages (conversation_id, seq, id, sender_id, client_id, text)
    select $1, head_seq, $2::uuid, $3, $4, $5 from head returning seq, created_at`,
};

const INSERT_BATCH = {
  name: "insert_batch",
  text: `
    with input as materialized (
      select * from unnest($1::text[], $2::uuid[], $3::text[], $4::text[], $5::text[]) with ordinality
        as w (conversation_id, id, sender_id, client_id, text, n)
    ), heads as (
      insert into conversations as c (conversation_id, head_seq)
      select conversation_id, count(*) from input group by conversation_id order by conversation_id
      on conflict (conversation_id) do update set head_seq = c.head_seq + excluded.head_seq
      returning conversation_id, head_seq
    ), numbered as materialized (
      select input.*, heads.head_seq + 1 - row_number() over (partition by input.conversation_id order by n desc)
        as seq from input join heads using (conversation_id)
    ), inserted as (
      insert into messages (conversation_id, seq, id, sender_id, client_id, text)
      select conversation_id, seq, id, sender_id, client_id, text from numbered
    )
    select seq, now() as created_at from numbered order by n`,
};

/** What was stored before under the same client id. */
async function known(message) {
  const { rows } = await pool.query({
    name: "known",
    text: `select id, seq, text, created_at from messages
           where conversation_id = $1 and sender_id = $2 and client_id = $3`,
    values: [message.conversationId, message.senderId, message.clientId],
  });
  const { id, seq, text, created_at: createdAt } = rows[0];
  return { message: { ...message, id, seq, text, createdAt }, isNew: false };
}

function stored(message, row) {
  return { message: { ...message, seq: row.seq, createdAt: row.created_at }, isNew: true };
}

async function storeOne(message) {
  const values = [message.conversationId, message.id, message.senderId, message.clientId, message.text];
  try {
    const { rows } = await pool.query({ ...INSERT_ONE, values });
    return stored(message, rows[0]);
  } catch (error) {
    if (error.code !== "23505") throw error;
    return known(message);
  }
}

const tails = new Map(); // conversation => its last message under way

/** One after another in each conversation, so that they keep their order. */
function storeInTurn(message) {
  const { conversationId } = message;
  const turn = (tails.get(conversationId) ?? Promise.resolve()).then(() => storeOne(message));
  const tail = turn.catch(() => {}).then(() => {
    if (tails.get(conversationId) === tail) tails.delete(conversationId);
  });
  tails.set(conversationId, tail);
  return turn;
}

let waiting = [];
let storing = false;

function storeInBatch(message) {
  return new Promise((resolve, reject) => {
    waiting.push({ message, resolve, reject });
    if (!storing) {
      storing = true;
      setImmediate(storeWaiting);
    }
  });
}

async function storeWaiting() {
  while (waiting.length) {
    const batch = waiting.splice(0, BATCH_MAX);
    const column = (name) => batch.map(({ message }) => message[name]);
    const values = ["conversationId", "id", "senderId", "clientId", "text"].map(column);
    try {
      const { rows } = await pool.query({ ...INSERT_BATCH, values });
      batch.forEach(({ message, resolve }, i) => resolve(stored(message, rows[i])));
    } catch {
      // A repeated client id spoils the batch: then each for itself.
      for (const { message, resolve, reject } of batch) await storeOne(message).then(resolve, reject);
    }
  }
  storing = false;
}

const store = { single: storeInTurn, batched: storeInBatch }[variant];

/** Checks and stores; {message as others see it, isNew}. */
async function send(userId, payload) {
  const { conversationId, text, clientId = randomUUID() } = payload ?? {};
  if (typeof conversationId !== "string" || typeof text !== "string" || !text || text.length > TEXT_MAX)
    throw failure("invalid_payload", "not a message");
  await requireParticipant(userId, conversationId);
  return store({ id: randomUUID(), conversationId, senderId: userId, text, clientId });
}

function refusal(error) {
  return { ok: false, error: { code: error.code ?? "internal", message: error.message } };
}

// ---- Socket.IO ----

const app = express().disable("x-powered-by").disable("etag");
const http = createServer(app);
const io = new Server(http, { transports: ["websocket"], perMessageDeflate: false, serveClient: false });

// As socket.io's page on memory advises.
io.engine.on("connection", (socket) => {
  socket.request = null;
});

io.use((socket, next) => {
  try {
    socket.data.userId = authenticate(socket.handshake.auth.token);
    next();
  } catch {
    next(Object.assign(new Error("Unauthorized"), { data: { code: "unauthorized" } }));
  }
});

io.on("connection", (socket) => {
  const { userId } = socket.data;
  socket.join(`user_${userId}`);

  socket.on("join_conversation", async (payload, answer) => {
    const conversationId = String(payload?.conversationId ?? payload);
    try {
      await requireParticipant(userId, conversationId);
      socket.join(conversationId);
      const { rows } = await pool.query({
        name: "head",
        text: "select head_seq from conversations where conversation_id = $1",
        values: [conversationId],
      });
      answer?.({ ok: true, conversation: { id: conversationId }, headSeq: rows[0]?.head_seq ?? 0 });
    } catch (error) {
      answer?.(refusal(error));
    }
  });

  socket.on("send_message", async (payload, answer) => {
    try {
      const { message, isNew } = await send(userId, payload);
      answer?.({ ok: true, message });
      if (isNew) socket.to(message.conversationId).emit("new_message", message);
    } catch (error) {
      answer?.(refusal(error));
    }
  });

  const indicators = { typing: "user_typing", stop_typing: "user_stop_typing" };
  for (const [event, told] of Object.entries(indicators))
    socket.on(event, async (payload) => {
      const conversationId = String(payload?.conversationId);
      try {
        await requireParticipant(userId, conversationId);
        socket.to(conversationId).emit(told, { conversationId, userId });
      } catch (error) {
        socket.emit("error", { event, ...refusal(error).error });
      }
    });
});

// ---- REST ----

app.use(express.json({ limit: "100kb" }));
app.use((request, response, next) => {
  try {
    request.userId = authenticate(request.headers.authorization?.replace(/^Bearer /, ""));
    next();
  } catch {
    response.status(401).json(refusal(failure("unauthorized", "Unauthorized")));
  }
});

app.post("/conversations", async (request, response) => {
  const id = `group_${randomUUID()}`;
  await pool.query("insert into participants select $1, unnest($2::text[])", [
    id,
    [...new Set([request.userId, ...request.body.userIds])],
  ]);
  response.status(201).json({ id });
});

app.post("/messages/send", async (request, response) => {
  try {
    const { message, isNew } = await send(request.userId, request.body);
    response.json({ message });
    if (isNew) io.to(message.conversationId).emit("new_message", message);
  } catch (error) {
    response.status(error.code === "forbidden" ? 403 : 400).json(refusal(error));
  }
});

http.listen(Number(port), host, 4096, () => console.log("ready"));
process.on("SIGTERM", () => process.exit(0));
