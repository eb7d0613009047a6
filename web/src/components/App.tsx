import { useEffect, useState, useSyncExternalStore } from "react";
import type { Session } from "../contract";
import { useSocket } from "../hooks/useSocket";
import { DraftStorage } from "../services/drafts";
import { SocketService } from "../services/socket.service";
import { Storage } from "../services/storage";
import type { Tabs } from "../services/tabs";
import { Chat } from "../state/chat";
import type { SessionKeeper } from "../state/session";
import { ChatContext, type ChatParts } from "./ChatContext";
import { CustomerMessagesPage } from "./customer/CustomerMessagesPage";
import { ExpiredDialog } from "./ExpiredDialog";
import { PhotographerMessagesPage } from "./photographer/PhotographerMessagesPage";
import { SignInPage } from "./SignInPage";

interface AppProps {
  keeper: SessionKeeper;
  tabs: Tabs;
}

export function App({ keeper, tabs }: AppProps) {
  const { session, isExpired } = useSyncExternalStore(keeper.subscribe, keeper.get);
  if (!session) return <SignInPage keeper={keeper} />;
  return (
    <>
      <SignedIn key={session.user.id} keeper={keeper} tabs={tabs} session={session} />
      {isExpired && <ExpiredDialog keeper={keeper} user={session.user} />}
    </>
  );
}

interface SignedInProps extends AppProps {
  session: Session;
}

/** Makes what one signed-in user works with, and ends it with the sign-out. */
function SignedIn({ keeper, tabs, session }: SignedInProps) {
  const [parts, setParts] = useState<ChatParts | null>(null);
  const { user } = session;

  useEffect(() => {
    const service = new SocketService();
    const chat = new Chat({
      me: user,
      service,
      http: keeper.http,
      storage: new Storage(),
      drafts: new DraftStorage(localStorage),
      tabs,
      onTokenRefused: () => keeper.refused(),
    });
    void chat.start();
    setParts({ chat, service, keeper, tabs });
    return () => chat.stop();
    // The user of a key never changes; a renewed token brings a new object of the same user.
  }, [keeper, tabs, user.id]);

  if (!parts) return null;
  return (
    <ChatContext value={parts}>
      <Connected service={parts.service} token={session.token} />
      {user.role === "photographer" ? <PhotographerMessagesPage /> : <CustomerMessagesPage />}
    </ChatContext>
  );
}

function Connected({ service, token }: { service: SocketService; token: string }) {
  useSocket(token, { service });
  return null;
}
