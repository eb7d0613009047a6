import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import {
  type ConnectionStatus,
  type ServiceEvents,
  SocketService,
  type SocketServiceOptions,
} from "../services/socket.service";

export interface UseSocketOptions extends SocketServiceOptions {
  /** A service that is shared with others; the hook makes its own without one. */
  service?: SocketService;
}

export interface UseSocket {
  service: SocketService;
  connection: ConnectionStatus;
  isConnected: boolean;
}

/**
 * Keeps a SocketService connected while the component is mounted and there is a token. A newer token
 * of the same user is used at once, without a reconnect; for another user give the component another
 * key.
 */
export function useSocket(token: string | null, options: UseSocketOptions = {}): UseSocket {
  const [own] = useState(() => options.service ?? new SocketService(options));
  const service = options.service ?? own;
  const current = useRef<string | null>(null);
  const hasToken = token !== null;
  const connection = useSyncExternalStore(
    (listener) => service.on("connection", listener),
    () => service.status,
  );

  useEffect(() => {
    const isNewer = current.current !== null && token !== null && current.current !== token;
    current.current = token;
    if (isNewer) {
      // Refused or lost on the way: the service asks for the token again at the next connect.
      service.updateToken(() => current.current ?? "").catch(() => undefined);
    }
  }, [service, token]);

  useEffect(() => {
    if (!hasToken) return;
    service.connect(() => current.current ?? "");
    return () => service.disconnect();
  }, [service, hasToken]);

  return { service, connection, isConnected: connection.state === "connected" };
}

/** Calls the latest `listener` at every `event` of the service. */
export function useSocketEvent<Event extends keyof ServiceEvents>(
  service: SocketService,
  event: Event,
  listener: ServiceEvents[Event],
): void {
  const latest = useRef(listener);
  useEffect(() => {
    latest.current = listener;
  });
  useEffect(() => {
    const call = (...args: unknown[]) => (latest.current as (...args: unknown[]) => void)(...args);
    return service.on(event, call as ServiceEvents[Event]);
  }, [service, event]);
}
