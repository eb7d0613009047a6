import { cleanup, configure, renderHook, waitFor } from "@testing-library/react";
import { StrictMode } from "react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { TestServer } from "../testing/server";
import { WAIT_MS } from "../testing/wait";
import { useSocket, useSocketEvent } from "./useSocket";

configure({ asyncUtilTimeout: WAIT_MS });

let server: TestServer;
let url: string;

beforeEach(async () => {
  server = new TestServer();
  url = await server.start();
});

afterEach(async () => {
  cleanup();
  await server.stop();
});

test("connects while mounted with a token, under StrictMode too, and goes with the component", async () => {
  const { result, rerender, unmount } = renderHook(({ token }) => useSocket(token, { url }), {
    initialProps: { token: null as string | null },
    wrapper: StrictMode,
  });
  expect(result.current.connection.state).toBe("idle");
  rerender({ token: "t1" });
  await waitFor(() => expect(result.current.isConnected).toBe(true));
  const { service } = result.current;
  rerender({ token: "t2" });
  await waitFor(() => expect(server.tokens.at(-1)).toBe("refreshed t2"));
  expect(result.current.service).toBe(service);
  unmount();
  expect(service.isConnected).toBe(false);
});

test("events reach the latest listener", async () => {
  const first = vi.fn();
  const second = vi.fn();
  const { result, rerender } = renderHook(
    ({ listener }) => {
      const socket = useSocket("t1", { url });
      useSocketEvent(socket.service, "new_message", listener);
      return socket;
    },
    { initialProps: { listener: first } },
  );
  await result.current.service.joinConversation(server.conversationId);
  rerender({ listener: second });
  server.post("hello");
  await waitFor(() => expect(second).toHaveBeenCalledOnce());
  expect(first).not.toHaveBeenCalled();
});
