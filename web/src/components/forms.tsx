import { type FormEvent, useState } from "react";
import { isUserId, LIMITS, ParleyError, type Role, type Session } from "../contract";
import type { SessionKeeper } from "../state/session";
import { texts } from "../texts";
import { Button, Field, Segments } from "./ui/controls";
import styles from "./ui/ui.module.css";

const PASSWORD_MIN = 8;

const ROLES = [
  { value: "customer", text: texts.roles["customer"] as string },
  { value: "photographer", text: texts.roles["photographer"] as string },
] as const satisfies { value: Role; text: string }[];

/** Runs a request that ends in a session; keeps what to say meanwhile and when it fails. */
function useSessionRequest(keeper: SessionKeeper, explain: (error: ParleyError) => string) {
  const [isBusy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string | null>(null);
  async function run(request: () => Promise<Session>): Promise<void> {
    setBusy(true);
    setFailure(null);
    try {
      keeper.signIn(await request());
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      setFailure(explain(error));
      setBusy(false);
    }
  }
  return { isBusy, failure, run };
}

function Failure({ text }: { text: string | null }) {
  return (
    <div role="alert" className={styles["error"]}>
      {text}
    </div>
  );
}

interface SignInFormProps {
  keeper: SessionKeeper;
  /** Who has to sign in again; free to choose without it. */
  userId?: string;
}

export function SignInForm({ keeper, userId }: SignInFormProps) {
  const [id, setId] = useState(userId ?? "");
  const [password, setPassword] = useState("");
  const { isBusy, failure, run } = useSessionRequest(keeper, (error) =>
    error.code === "unauthorized" ? texts.signIn.wrong : texts.errors[error.code],
  );
  function submit(event: FormEvent): void {
    event.preventDefault();
    void run(() => keeper.http.login({ id: id.trim(), password }));
  }
  return (
    <form onSubmit={submit}>
      <Field
        label={texts.signIn.userId}
        value={id}
        onChange={(event) => setId(event.target.value)}
        readOnly={userId !== undefined}
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        required
      />
      <Field
        label={texts.signIn.password}
        type="password"
        value={password}
        onChange={(event) => setPassword(event.target.value)}
        autoComplete="current-password"
        data-autofocus={userId !== undefined || undefined}
        required
      />
      <Failure text={failure} />
      <div className={styles["actions"]}>
        <Button type="submit" isPrimary disabled={isBusy}>
          {isBusy ? texts.signIn.working : texts.signIn.submit}
        </Button>
      </div>
    </form>
  );
}

function explainRegistration(error: ParleyError): string {
  if (error.code === "conflict") return texts.signIn.taken;
  if (error.code === "forbidden") return texts.signIn.closed;
  return texts.errors[error.code];
}

interface RegisterFormProps {
  keeper: SessionKeeper;
  role: Role;
  onRole: (role: Role) => void;
}

export function RegisterForm({ keeper, role, onRole }: RegisterFormProps) {
  const [name, setName] = useState("");
  const [id, setId] = useState("");
  const [password, setPassword] = useState("");
  const { isBusy, failure, run } = useSessionRequest(keeper, explainRegistration);
  const isIdBad = id !== "" && !isUserId(id);
  function submit(event: FormEvent): void {
    event.preventDefault();
    if (!isUserId(id)) return;
    void run(() => keeper.http.register({ id, name: name.trim(), password, role }));
  }
  return (
    <form onSubmit={submit}>
      <p className={styles["label"]}>{texts.signIn.role}</p>
      <Segments label={texts.signIn.role} value={role} options={ROLES} onChange={onRole} />
      <Field
        label={texts.signIn.name}
        hint={texts.signIn.nameHint}
        value={name}
        onChange={(event) => setName(event.target.value)}
        maxLength={LIMITS.name}
        autoComplete="name"
        required
      />
      <Field
        label={texts.signIn.userId}
        hint={texts.signIn.userIdHint}
        error={isIdBad ? texts.signIn.userIdInvalid : null}
        value={id}
        onChange={(event) => setId(event.target.value)}
        autoComplete="username"
        autoCapitalize="none"
        spellCheck={false}
        required
      />
      <Field
        label={texts.signIn.password}
        hint={texts.signIn.passwordHint(PASSWORD_MIN)}
        type="password"
        value={password}
        onChange={(event) => setPassword(event.target.value)}
        autoComplete="new-password"
        minLength={PASSWORD_MIN}
        required
      />
      <Failure text={failure} />
      <div className={styles["actions"]}>
        <Button type="submit" isPrimary disabled={isBusy}>
          {isBusy ? texts.signIn.working : texts.signIn.register}
        </Button>
      </div>
    </form>
  );
}
