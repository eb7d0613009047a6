// The example of docs/socketio.md does what it says.
import assert from "node:assert/strict";
import { once } from "node:events";
import { it } from "node:test";

import { io } from "socket.io-client";

import { startProgram } from "./harness.mjs";

const { url } = await startProgram(process.env.EXAMPLE_SERVER, ["0"]);
const open = (auth) => io(url, { auth, forceNew: true });

it("refuses a client without auth", async () => {
  const socket = open();
  const [error] = await once(socket, "connect_error");
  assert.equal(error.message, "Who are you?");
  assert.deepEqual(error.data, { code: "unauthorized" });
  socket.io._close();
});

it("passes on what members say, to the others in the room", async () => {
  const [ann, bob, eve] = ["ann", "bob", "eve"].map((name) => open({ name }));
  assert.equal(await ann.emitWithAck("join", "here"), 1);
  assert.equal(await bob.emitWithAck("join", "here"), 2);
  assert.equal(await eve.emitWithAck("join", "there"), 1);
  const heard = [];
  for (const socket of [ann, eve]) socket.on("said", (...args) => heard.push(args));
  const said = once(bob, "said");
  eve.emit("say", "here", "not a member");
  ann.emit("say", "here", { text: "hello", bytes: Buffer.from([1]) });
  const [room, { text, bytes }] = await said;
  assert.deepEqual([room, text, [...bytes]], ["here", "hello", [1]]);
  assert.equal(await ann.emitWithAck("join", "here"), 2);
  assert.equal(await eve.emitWithAck("join", "there"), 1);
  assert.deepEqual(heard, []);
  for (const socket of [ann, bob, eve]) socket.disconnect();
});
