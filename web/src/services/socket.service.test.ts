// @vitest-environment node
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Message } from "../contract";
import { TestServer } from "../testing/server";
import { waitFor } from "../testing/wait";
import { SocketService } from "./socket.service";

let server: TestServer;
let service: SocketService;
let states: string[];
let received: number[];

beforeEach(async () => {
  server = new TestServer();
  service = new SocketService({ url: await server.start() });
  states = [];
  received = [];
  service.on("connection", ({ state }) => states.push(state));
  service.on("new_message", (message: Message) => received.push(message.seq));
});

afterEach(async () => {
  service.disconnect();
  await server.stop();
});

async function connected(): Promise<void> {
  await waitFor(() => expect(service.isConnected).toBe(true));
}

test("connects with its token and says so", async () => {
  service.connect("t1");
  await connected();
  expect(server.tokens).toEqual(["t1"]);
  expect(states).toEqual(["connecting", "connected"]);
});

test("joins, gets live messages, sends, marks read", async () => {
  service.connect("t1");
  const answer = await service.joinConversation(server.conversationId);
  expect(answer.headSeq).toBe(0);
  server.post("hello");
  await waitFor(() => expect(received).toEqual([1]));
  const message = await service.sendMessage(server.conversationId, "hi", { clientId: "c1" });
  expect(message.seq).toBe(2);
  expect(received).toEqual([1, 2]);
  const again = await service.sendMessage(server.conversationId, "hi", { clientId: "c1" });
  expect(again.id).toBe(message.id);
  expect(received).toEqual([1, 2]);
  expect(await service.markRead(server.conversationId, 1)).toMatchObject({ seq: 1 });
});

test("comes back by itself, with the newest token, and has missed and doubled nothing", async () => {
  let token = "t1";
  service.connect(() => token);
  await service.joinConversation(server.conversationId);
  server.post("1");
  await waitFor(() => expect(received).toEqual([1]));
  token = "t2";
  server.cut();
  await waitFor(() => expect(service.isConnected).toBe(false));
  server.post("2");
  server.post("3");
  await waitFor(() => expect(received).toEqual([1, 2, 3]));
  server.post("4");
  await waitFor(() => expect(received).toEqual([1, 2, 3, 4]));
  expect(server.joins).toEqual([undefined, 1]);
  expect(server.tokens).toEqual(["t1", "t2"]);
  expect(states).toEqual(["connecting", "connected", "reconnecting", "connected"]);
});

test("without a connection a request fails at once, so that an outbox can keep it", async () => {
  await expect(service.sendMessage(server.conversationId, "x")).rejects.toMatchObject({ code: "unavailable" });
});

test("a refusal carries the server's code", async () => {
  service.connect("t1");
  await connected();
  await expect(service.sendMessage(server.conversationId, "")).rejects.toMatchObject({
    code: "invalid_payload",
    isTemporary: false,
  });
  await expect(service.joinConversation("conv_carl_dora")).rejects.toMatchObject({ code: "forbidden" });
  expect(service.isJoined("conv_carl_dora")).toBe(false);
});

test("an expired token is told, and a new one goes on where the old one ended", async () => {
  service.connect("t1");
  await service.joinConversation(server.conversationId);
  server.expired.add("t1");
  const refused = vi.fn();
  service.on("token_refused", refused);
  server.cut();
  await waitFor(() => expect(refused).toHaveBeenCalledExactlyOnceWith("token_expired"));
  expect(service.status.state).toBe("refused");
  server.post("missed");
  await service.updateToken("t2");
  await waitFor(() => expect(received).toEqual([1]));
  expect(service.status.state).toBe("connected");
});

test("a newer token is given to the live connection", async () => {
  service.connect("t1");
  await connected();
  await service.updateToken("t2");
  expect(server.tokens).toEqual(["t1", "refreshed t2"]);
  expect(states).toEqual(["connecting", "connected"]);
});

test("typing is a few events, leaving and off() end what was begun", async () => {
  service.connect("t1");
  await service.joinConversation(server.conversationId);
  for (let i = 0; i < 10; i++) service.startTyping(server.conversationId);
  service.stopTyping(server.conversationId);
  await waitFor(() => expect(server.events.slice(-2)).toEqual(["typing", "stop_typing"]));
  const listener = vi.fn();
  const off = service.on("new_message", listener);
  off();
  service.leaveConversation(server.conversationId);
  await waitFor(() => expect(server.events.at(-1)).toBe("leave_conversation"));
  server.post("unheard");
  await service.markRead(server.conversationId);
  expect(listener).not.toHaveBeenCalled();
  expect(received).toEqual([]);
});
