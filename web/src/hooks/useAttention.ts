import { useEffect, useState } from "react";
import { useLocation } from "wouter";
import type { Message } from "../contract";
import { useChat, useChatParts, useChatState } from "../components/ChatContext";
import { conversationPath } from "../components/shared/routes";
import { nameOf, totalUnread } from "../state/selectors";
import { texts } from "../texts";
import { useSocketEvent } from "./useSocket";

const PREVIEW_CHARACTERS = 160;

/** Absent without https and in some browsers. */
function notifications(): typeof Notification | undefined {
  return (globalThis as { Notification?: typeof Notification }).Notification;
}

export function useNotificationPermission() {
  const [permission, setPermission] = useState(notifications()?.permission);
  function ask(): void {
    void notifications()?.requestPermission().then(setPermission);
  }
  return { permission, ask };
}

/** One for each conversation, however many tabs are open: the tag replaces the one before. */
function show(Notify: typeof Notification, title: string, message: Message): Notification | null {
  const body = message.text.slice(0, PREVIEW_CHARACTERS);
  try {
    return new Notify(title, { body, tag: message.conversationId, icon: "/favicon.svg" });
  } catch {
    return null; // some phones allow it to service workers alone
  }
}

/** The number of unread messages in the title; a notification for what comes while no tab can be seen. */
export function useAttention(): void {
  const chat = useChat();
  const { service, tabs } = useChatParts();
  const userId = useChatState((state) => state.me.id);
  const unread = useChatState(totalUnread);
  const [, navigate] = useLocation();

  useEffect(() => {
    document.title = unread ? texts.titleBadge(unread) : texts.app;
    return () => {
      document.title = texts.app;
    };
  }, [unread]);

  useEffect(() => tabs.showView(userId), [tabs, userId]);

  async function notify(message: Message): Promise<void> {
    const { conversations } = chat.store.getState();
    const Notify = notifications();
    if (Notify?.permission !== "granted" || message.senderId === userId) return;
    if (await tabs.isInView(userId)) return;
    const name = nameOf(conversations[message.conversationId], message.senderId);
    const notification = show(Notify, texts.notification.title(name), message);
    if (!notification) return;
    notification.onclick = () => {
      window.focus();
      navigate(conversationPath(message.conversationId));
      notification.close();
    };
  }

  useSocketEvent(service, "new_message", (message) => void notify(message));
  useSocketEvent(service, "conversation_updated", ({ lastMessage, unreadCount }) => {
    if (lastMessage && unreadCount > 0) void notify(lastMessage);
  });
}
