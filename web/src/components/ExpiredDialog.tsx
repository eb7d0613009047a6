import type { User } from "../contract";
import type { SessionKeeper } from "../state/session";
import { texts } from "../texts";
import { SignInForm } from "./forms";
import { Button } from "./ui/controls";
import { Dialog } from "./ui/Dialog";

/** Over the page, which stays as it is: nothing that was written is lost. */
export function ExpiredDialog({ keeper, user }: { keeper: SessionKeeper; user: User }) {
  return (
    <div data-role={user.role}>
      <Dialog title={texts.expired.title}>
        <p>{texts.expired.body(user.name)}</p>
        <br />
        <SignInForm keeper={keeper} userId={user.id} />
        <br />
        <Button onClick={() => keeper.signOut()}>{texts.expired.other}</Button>
      </Dialog>
    </div>
  );
}
