import { MessageCircle } from "lucide-react";
import { useState } from "react";
import type { Role } from "../contract";
import type { SessionKeeper } from "../state/session";
import { texts } from "../texts";
import { RegisterForm, SignInForm } from "./forms";
import styles from "./signin.module.css";
import { Button } from "./ui/controls";

export function SignInPage({ keeper }: { keeper: SessionKeeper }) {
  const [isRegistering, setRegistering] = useState(false);
  const [role, setRole] = useState<Role>("customer");
  return (
    <main className={styles["page"]} data-role={isRegistering ? role : "customer"}>
      <div className={styles["card"]}>
        <header className={styles["brand"]}>
          <span className={styles["logo"]} aria-hidden="true">
            <MessageCircle size={26} />
          </span>
          <div>
            <p className={styles["name"]}>{texts.app}</p>
            <p className={styles["tagline"]}>{texts.tagline}</p>
          </div>
        </header>
        <h1>{isRegistering ? texts.signIn.registerTitle : texts.signIn.title}</h1>
        {isRegistering ? (
          <RegisterForm keeper={keeper} role={role} onRole={setRole} />
        ) : (
          <SignInForm keeper={keeper} />
        )}
        <Button className={styles["switch"]} onClick={() => setRegistering(!isRegistering)}>
          {isRegistering ? texts.signIn.toSignIn : texts.signIn.toRegister}
        </Button>
      </div>
    </main>
  );
}
