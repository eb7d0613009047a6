// Every word that the page shows, in one place: to translate it, translate this file.

import type { ErrorCode } from "./contract";

const LOCALE = "en";

const plural = new Intl.PluralRules(LOCALE);

function count(number: number, one: string, other: string): string {
  return `${number.toLocaleString(LOCALE)} ${plural.select(number) === "one" ? one : other}`;
}

const list = new Intl.ListFormat(LOCALE, { type: "conjunction" });
const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat(LOCALE, { weekday: "long" });
const shortDate = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "short" });
const longDate = new Intl.DateTimeFormat(LOCALE, { weekday: "long", day: "numeric", month: "long" });
const fullDate = new Intl.DateTimeFormat(LOCALE, { day: "numeric", month: "long", year: "numeric" });
const moment = new Intl.DateTimeFormat(LOCALE, { dateStyle: "full", timeStyle: "short" });

const DAY_MS = 86_400_000;

function startOfDay(date: Date): number {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}

/** Whole days between the two, by the calendar. */
function daysBetween(date: Date, now: Date): number {
  return Math.round((startOfDay(now) - startOfDay(date)) / DAY_MS);
}

function duration(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return `${Math.max(0, Math.floor(ms / 1000))} s`;
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours} h ${minutes % 60} min` : count(Math.floor(hours / 24), "day", "days");
}

const errors: Record<ErrorCode, string> = {
  unauthorized: "You are not signed in.",
  token_expired: "Your session has ended.",
  forbidden: "You have no access to this.",
  not_found: "There is nobody and nothing by that name.",
  invalid_payload: "The server could not accept this.",
  payload_too_large: "This is too large.",
  conflict: "This is taken already.",
  rate_limited: "That was too fast. Wait a moment.",
  unavailable: "The server can't be reached right now.",
  internal: "Something went wrong on the server.",
};

export const texts = {
  locale: LOCALE,
  app: "Parley",
  tagline: "Where customers and photographers talk.",
  errors,

  time: {
    clock: (date: Date) => clock.format(date),
    moment: (date: Date) => moment.format(date),
    duration,
    /** In the list: the time today, else the day. */
    short(date: Date, now = new Date()): string {
      const days = daysBetween(date, now);
      if (days <= 0) return clock.format(date);
      if (days === 1) return "Yesterday";
      if (days < 7) return weekday.format(date);
      return date.getFullYear() === now.getFullYear() ? shortDate.format(date) : fullDate.format(date);
    },
    /** Above the messages of a day. */
    day(date: Date, now = new Date()): string {
      const days = daysBetween(date, now);
      if (days <= 0) return "Today";
      if (days === 1) return "Yesterday";
      return date.getFullYear() === now.getFullYear() ? longDate.format(date) : fullDate.format(date);
    },
    ago(date: Date, now = new Date()): string {
      const ms = now.getTime() - date.getTime();
      return ms < 60_000 ? "just now" : `${duration(ms)} ago`;
    },
  },

  roles: { customer: "Customer", photographer: "Photographer" } as Record<string, string>,

  signIn: {
    title: "Sign in",
    registerTitle: "Create an account",
    userId: "User name",
    userIdHint: "Letters, digits and . @ - : | — it is how others find you.",
    userIdInvalid: "Use 1 to 64 letters, digits, or . @ - : |",
    name: "Your name",
    nameHint: "Shown to the people you write with.",
    password: "Password",
    passwordHint: (least: number) => `At least ${least} characters.`,
    role: "I am a",
    submit: "Sign in",
    register: "Create account",
    toRegister: "New here? Create an account",
    toSignIn: "Have an account? Sign in",
    wrong: "User name or password is wrong.",
    taken: "This user name is taken. Choose another one.",
    closed: "Registration is closed on this server.",
    working: "One moment…",
  },

  expired: {
    title: "Please sign in again",
    body: (name: string) => `The session of ${name} has ended. What you have written is kept.`,
    other: "Sign in as someone else",
  },

  connection: {
    connected: "Connected",
    connecting: "Connecting…",
    reconnecting: "Reconnecting…",
    offline: "Offline",
    since: (ms: number) => `for ${duration(ms)}`,
  },

  menu: {
    open: "Menu",
    light: "Light",
    dark: "Dark",
    system: "System",
    theme: "Appearance",
    notifications: "Notify me of new messages",
    notificationsBlocked: "Notifications are blocked in the browser's settings.",
    signOut: "Sign out",
    signOutUnsent: (number: number) =>
      `${count(number, "message has", "messages have")} not been sent yet. They stay on this device ` +
      "and go out when you sign in here again. Sign out?",
  },

  list: {
    title: "Messages",
    label: "Conversations",
    newConversation: "New conversation",
    search: "Filter conversations",
    more: "Show more",
    loading: "Loading conversations…",
    failed: "The conversations could not be loaded.",
    noMatch: "No conversation matches.",
    unread: (number: number) => count(number, "unread message", "unread messages"),
    you: "You:",
    noMessages: "No messages yet",
    draft: "Draft:",
    online: "online",
    typing: "typing…",
  },

  customer: {
    emptyTitle: "Find your photographer",
    emptyBody: "Start a conversation with a photographer by user name, and settle the details here.",
    choose: "Choose a conversation, or ask a photographer something new.",
    start: "Write to a photographer",
    userId: "The photographer's user name",
    composer: "Write a message",
  },

  photographer: {
    emptyTitle: "No requests yet",
    emptyBody: "When a customer writes to you the conversation appears here. You can also write first.",
    choose: "Choose a conversation to answer a customer.",
    start: "Write to a customer",
    userId: "The customer's user name",
    composer: "Write your answer",
    filterLabel: "Show",
    filterAll: "All",
    filterUnread: "Unread",
    filterGroups: "Groups",
    quickReplies: "Quick replies",
    quickReplyTexts: [
      "Thank you for your request! I'll get back to you today.",
      "That date is free. Shall I hold it for you?",
      "Could you tell me more about the place and the number of people?",
      "The pictures are ready. I'll send you the link.",
    ],
  },

  create: {
    title: "New conversation",
    direct: "One person",
    group: "Group",
    groupTitle: "Title of the group",
    members: "Members",
    addMember: "Add a member by user name",
    add: "Add",
    remove: (name: string) => `Remove ${name}`,
    start: "Start conversation",
    startGroup: "Create group",
    cancel: "Cancel",
    self: "That is you.",
    unknownUser: (id: string) => `Nobody is called “${id}” here.`,
    noMembers: "Add at least one member.",
    noTitle: "Give the group a title.",
    tooMany: (limit: number) => `A group starts with at most ${limit} members.`,
  },

  conversation: {
    back: "Back to the list",
    details: "Members and details",
    messages: (name: string) => `Messages with ${name}`,
    online: "Online",
    lastSeen: (ago: string) => `Last seen ${ago}`,
    members: (number: number) => count(number, "member", "members"),
    groupFallback: "Group",
    typing: (names: string[]) => `${list.format(names)} ${names.length === 1 ? "is" : "are"} typing`,
    loading: "Loading messages…",
    loadingOlder: "Loading older messages…",
    beginning: "The conversation begins here.",
    failed: "The messages could not be loaded.",
    forbidden: "This conversation is not open to you.",
    notFound: "There is no such conversation.",
    tryAgain: "Try again",
    unreadLine: "New messages",
    toBottom: "Go to the newest message",
    newMessages: (number: number) => count(number, "new message", "new messages"),
    announce: (name: string, text: string) => `${name}: ${text}`,
  },

  message: {
    you: "You",
    sending: "Sending",
    waiting: "Waits for the connection",
    sent: "Sent",
    read: "Read",
    readBy: (number: number, total: number) => `Read by ${number} of ${total}`,
    failed: "Not sent:",
    retry: "Try again",
    discard: "Discard",
    reply: "Reply",
    replyTo: (name: string) => `Reply to ${name}`,
    showReplied: "Show the message this answers",
    replyGone: "An earlier message",
    deleted: "This message was deleted.",
    edited: "edited",
    more: "Show all",
    less: "Show less",
  },

  composer: {
    placeholder: "Message",
    send: "Send",
    cancelReply: "Don't reply to this message",
    left: (number: number) =>
      number < 0
        ? `${count(-number, "character", "characters")} too many`
        : `${count(number, "character", "characters")} left`,
  },

  details: {
    members: "Members",
    you: "(you)",
    creator: "made this group",
    remove: (name: string) => `Remove ${name} from the group`,
    removeConfirm: (name: string) => `Remove ${name} from this group? They won't see its messages any more.`,
    leave: "Leave group",
    leaveConfirm: "Leave this group? You won't see its messages any more.",
    close: "Close",
  },

  notification: { title: (name: string) => name },
  titleBadge: (number: number) => `(${number > 99 ? "99+" : number}) Parley`,
} as const;
