import { X } from "lucide-react";
import { type ReactNode, useEffect, useId, useRef } from "react";
import { texts } from "../../texts";
import { IconButton } from "./controls";
import styles from "./ui.module.css";

interface DialogProps {
  title: string;
  children: ReactNode;
  /** Without it the dialog can't be dismissed. */
  onClose?: () => void;
}

/** A modal dialog: the browser's own, which keeps the focus inside and gives it back. */
export function Dialog({ title, children, onClose }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();

  useEffect(() => {
    const dialog = ref.current;
    if (dialog && !dialog.open) dialog.showModal();
    // React's autoFocus comes before the dialog is open, and leaves no attribute for the browser.
    dialog?.querySelector<HTMLElement>("[data-autofocus]")?.focus();
    return () => dialog?.close();
  }, []);

  return (
    <dialog
      ref={ref}
      className={styles["dialog"]}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose?.();
      }}
      onMouseDown={(event) => {
        if (event.target === event.currentTarget) onClose?.();
      }}
    >
      <div className={styles["dialogBody"]}>
        <div className={styles["dialogHead"]}>
          <h2 id={id}>{title}</h2>
          {onClose && (
            <IconButton label={texts.details.close} onClick={onClose}>
              <X size={20} />
            </IconButton>
          )}
        </div>
        {children}
      </div>
    </dialog>
  );
}
