import { X } from "lucide-react";
import { type KeyboardEvent, useState } from "react";
import { isUserId, ParleyError, type User } from "../../contract";
import { texts } from "../../texts";
import { useChat, useChatState } from "../ChatContext";
import { Avatar } from "../ui/Avatar";
import { Button, Field, IconButton } from "../ui/controls";
import styles from "./forms.module.css";

/** Looks a user up; what went wrong comes as text. */
export function useUserLookup() {
  const chat = useChat();
  const me = useChatState((state) => state.me);
  return async function find(id: string): Promise<User | string> {
    if (id === me.id) return texts.create.self;
    if (!isUserId(id)) return texts.signIn.userIdInvalid;
    try {
      return await chat.findUser(id);
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      return error.code === "not_found" ? texts.create.unknownUser(id) : texts.errors[error.code];
    }
  };
}

interface UserPickerProps {
  users: User[];
  onChange: (users: User[]) => void;
}

/** Gathers users by their user names. */
export function UserPicker({ users, onChange }: UserPickerProps) {
  const find = useUserLookup();
  const [id, setId] = useState("");
  const [error, setError] = useState<string | null>(null);

  async function add(): Promise<void> {
    const wanted = id.trim();
    if (!wanted) return;
    const found = await find(wanted);
    if (typeof found === "string") return setError(found);
    setError(null);
    setId("");
    if (!users.some((user) => user.id === found.id)) onChange([...users, found]);
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (event.key !== "Enter") return;
    event.preventDefault();
    void add();
  }

  return (
    <div>
      <Field
        label={texts.create.addMember}
        value={id}
        error={error}
        onChange={(event) => setId(event.target.value)}
        onKeyDown={onKeyDown}
        autoCapitalize="none"
        autoComplete="off"
        spellCheck={false}
        button={<Button onClick={() => void add()}>{texts.create.add}</Button>}
      />
      {users.length > 0 && (
        <ul className={styles["users"]} aria-label={texts.create.members}>
          {users.map((user) => (
            <li key={user.id}>
              <Avatar id={user.id} name={user.name} isSmall />
              <span dir="auto">{user.name}</span>
              <IconButton
                label={texts.create.remove(user.name)}
                onClick={() => onChange(users.filter(({ id: other }) => other !== user.id))}
              >
                <X size={16} />
              </IconButton>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
