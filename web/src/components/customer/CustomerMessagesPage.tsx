import { texts } from "../../texts";
import { MessagesLayout } from "../shared/MessagesLayout";

/** A customer's messages: whom to ask, and what was answered. */
export function CustomerMessagesPage() {
  return <MessagesLayout role="customer" words={texts.customer} />;
}
