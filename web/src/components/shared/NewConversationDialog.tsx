import { type FormEvent, useState } from "react";
import { LIMITS, ParleyError, type User } from "../../contract";
import { texts } from "../../texts";
import { useChat } from "../ChatContext";
import { Button, Field, Segments } from "../ui/controls";
import { Dialog } from "../ui/Dialog";
import type { RoleWords } from "./MessagesLayout";
import { useUserLookup, UserPicker } from "./UserPicker";
import ui from "../ui/ui.module.css";

type Kind = "direct" | "group";

const KINDS = [
  { value: "direct", text: texts.create.direct },
  { value: "group", text: texts.create.group },
] as const satisfies { value: Kind; text: string }[];

interface DialogProps {
  words: RoleWords;
  onClose: () => void;
  onCreated: (conversationId: string) => void;
}

export function NewConversationDialog({ words, onClose, onCreated }: DialogProps) {
  const [kind, setKind] = useState<Kind>("direct");
  return (
    <Dialog title={texts.create.title} onClose={onClose}>
      <Segments label={texts.create.title} value={kind} options={KINDS} onChange={setKind} />
      {kind === "direct" ? (
        <DirectForm words={words} onClose={onClose} onCreated={onCreated} />
      ) : (
        <GroupForm onClose={onClose} onCreated={onCreated} />
      )}
    </Dialog>
  );
}

/** Runs a request that ends in a conversation. */
function useCreation(onCreated: (id: string) => void) {
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  async function create(request: () => Promise<string>): Promise<void> {
    setBusy(true);
    try {
      onCreated(await request());
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      setFailure(texts.errors[error.code]);
      setBusy(false);
    }
  }
  return { isBusy, failure, setFailure, create };
}

function DirectForm({ words, onClose, onCreated }: DialogProps) {
  const chat = useChat();
  const find = useUserLookup();
  const [id, setId] = useState("");
  const { isBusy, failure, setFailure, create } = useCreation(onCreated);

  async function submit(event: FormEvent): Promise<void> {
    event.preventDefault();
    const found = await find(id.trim());
    if (typeof found === "string") return setFailure(found);
    await create(() => chat.startDirect(found.id));
  }

  return (
    <form onSubmit={(event) => void submit(event)}>
      <Field
        label={words.userId}
        value={id}
        error={failure}
        onChange={(event) => setId(event.target.value)}
        autoCapitalize="none"
        autoComplete="off"
        spellCheck={false}
        data-autofocus
        required
      />
      <Buttons text={texts.create.start} isBusy={isBusy} onClose={onClose} />
    </form>
  );
}

function GroupForm({ onClose, onCreated }: Omit<DialogProps, "words">) {
  const chat = useChat();
  const [title, setTitle] = useState("");
  const [users, setUsers] = useState<User[]>([]);
  const { isBusy, failure, setFailure, create } = useCreation(onCreated);

  function submit(event: FormEvent): void {
    event.preventDefault();
    if (!title.trim()) return setFailure(texts.create.noTitle);
    if (!users.length) return setFailure(texts.create.noMembers);
    if (users.length > LIMITS.userIds) return setFailure(texts.create.tooMany(LIMITS.userIds));
    const ids = users.map((user) => user.id);
    void create(() => chat.startGroup(title.trim(), ids));
  }

  return (
    <form onSubmit={submit}>
      <Field
        label={texts.create.groupTitle}
        value={title}
        onChange={(event) => setTitle(event.target.value)}
        maxLength={LIMITS.title}
        required
      />
      <UserPicker users={users} onChange={setUsers} />
      {failure && (
        <p role="alert" className={ui["error"]}>
          {failure}
        </p>
      )}
      <Buttons text={texts.create.startGroup} isBusy={isBusy} onClose={onClose} />
    </form>
  );
}

function Buttons({ text, isBusy, onClose }: { text: string; isBusy: boolean; onClose: () => void }) {
  return (
    <div className={ui["actions"]}>
      <Button onClick={onClose}>{texts.create.cancel}</Button>
      <Button type="submit" isPrimary disabled={isBusy}>
        {text}
      </Button>
    </div>
  );
}
