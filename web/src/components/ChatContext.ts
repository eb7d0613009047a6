import { createContext, useContext } from "react";
import { useStore } from "zustand";
import type { SocketService } from "../services/socket.service";
import type { Chat } from "../state/chat";
import type { Tabs } from "../services/tabs";
import type { SessionKeeper } from "../state/session";
import type { State } from "../state/state";

export interface ChatParts {
  chat: Chat;
  service: SocketService;
  keeper: SessionKeeper;
  tabs: Tabs;
}

export const ChatContext = createContext<ChatParts | null>(null);

export function useChatParts(): ChatParts {
  const parts = useContext(ChatContext);
  if (!parts) throw new Error("useChatParts() outside of a ChatContext");
  return parts;
}

export function useChat(): Chat {
  return useChatParts().chat;
}

/** A part of the state; the component renders again when it changes. */
export function useChatState<Part>(select: (state: State) => Part): Part {
  return useStore(useChat().store, select);
}
