export const LIST_PATH = "/";
export const CONVERSATION_ROUTE = "/app/conversations/:id";

export function conversationPath(id: string): string {
  return `/app/conversations/${encodeURIComponent(id)}`;
}
