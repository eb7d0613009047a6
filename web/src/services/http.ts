import {
  type Conversation,
  type ConversationPage,
  type ErrorBody,
  type MessagePage,
  ParleyError,
  type RefreshedToken,
  type Session,
  type User,
} from "../contract";

const REQUEST_TIMEOUT_MS = 20_000;

interface Request {
  method: string;
  path: string;
  body?: object;
  token?: string | null;
}

function isErrorBody(value: unknown): value is { error: ErrorBody } {
  const error = (value as { error?: unknown } | null)?.error as Partial<ErrorBody> | undefined;
  return typeof error?.code === "string" && typeof error.message === "string";
}

async function readError(response: Response): Promise<ParleyError> {
  const body: unknown = await response.json().catch(() => null);
  const retryAfter = Number(response.headers.get("Retry-After"));
  const retryAfterMs = retryAfter > 0 ? retryAfter * 1000 : undefined;
  if (isErrorBody(body)) return new ParleyError({ retryAfterMs, ...body.error });
  const code = response.status >= 500 ? "unavailable" : "internal";
  return new ParleyError({ code, message: `HTTP ${response.status}`, retryAfterMs });
}

function segment(text: string): string {
  return encodeURIComponent(text);
}

/** The HTTP API. Every method rejects with a ParleyError. */
export class HttpClient {
  /** `token` is asked before every request; `baseUrl` is empty on the page's own origin. */
  constructor(
    private readonly token: () => string | null,
    private readonly baseUrl = "",
  ) {}

  register(form: { id: string; name: string; password: string; role: string }): Promise<Session> {
    return this.request({ method: "POST", path: "/auth/register", body: form, token: null });
  }

  login(form: { id: string; password: string }): Promise<Session> {
    return this.request({ method: "POST", path: "/auth/login", body: form, token: null });
  }

  refresh(): Promise<RefreshedToken> {
    return this.request({ method: "POST", path: "/auth/refresh" });
  }

  user(id: string): Promise<User> {
    return this.request({ method: "GET", path: `/users/${segment(id)}` });
  }

  conversations(cursor: string | null, limit: number): Promise<ConversationPage> {
    const query = new URLSearchParams({ limit: String(limit), ...(cursor && { cursor }) });
    return this.request({ method: "GET", path: `/conversations?${query}` });
  }

  conversation(id: string): Promise<Conversation> {
    return this.request({ method: "GET", path: `/conversations/${segment(id)}` });
  }

  createDirect(userId: string): Promise<Conversation> {
    return this.request({ method: "POST", path: "/conversations", body: { userId } });
  }

  createGroup(title: string, userIds: string[]): Promise<Conversation> {
    return this.request({ method: "POST", path: "/conversations", body: { title, userIds } });
  }

  addParticipants(id: string, userIds: string[]): Promise<Conversation> {
    const path = `/conversations/${segment(id)}/participants`;
    return this.request({ method: "POST", path, body: { userIds } });
  }

  removeParticipant(id: string, userId: string): Promise<void> {
    const path = `/conversations/${segment(id)}/participants/${segment(userId)}`;
    return this.request({ method: "DELETE", path });
  }

  /** The newest messages, or the newest of those before a seq. */
  messages(id: string, limit: number, before?: number): Promise<MessagePage> {
    const query = new URLSearchParams({ limit: String(limit) });
    if (before !== undefined) query.set("before", String(before));
    return this.request({ method: "GET", path: `/conversations/${segment(id)}/messages?${query}` });
  }

  private async request<Answer>(request: Request): Promise<Answer> {
    const token = request.token === undefined ? this.token() : request.token;
    const headers = new Headers();
    if (token) headers.set("Authorization", `Bearer ${token}`);
    if (request.body) headers.set("Content-Type", "application/json");
    const response = await fetch(this.baseUrl + request.path, {
      method: request.method,
      headers,
      body: request.body ? JSON.stringify(request.body) : null,
      signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
    }).catch(() => {
      throw new ParleyError({ code: "unavailable", message: "The server can't be reached" });
    });
    if (!response.ok) throw await readError(response);
    if (response.status === 204) return undefined as Answer;
    return response.json().catch(() => {
      throw new ParleyError({ code: "unavailable", message: "The answer is not JSON" });
    });
  }
}
