import type { ButtonHTMLAttributes, InputHTMLAttributes, ReactNode } from "react";
import { useId } from "react";
import styles from "./ui.module.css";

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  isPrimary?: boolean;
  isDanger?: boolean;
  isSmall?: boolean;
}

export function Button({ isPrimary, isDanger, isSmall, className, ...props }: ButtonProps) {
  const classes = [
    styles["button"],
    isPrimary && styles["primary"],
    isDanger && styles["danger"],
    isSmall && styles["small"],
    className,
  ];
  return <button type="button" {...props} className={classes.filter(Boolean).join(" ")} />;
}

interface IconButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  label: string;
}

export function IconButton({ label, className, ...props }: IconButtonProps) {
  const classes = [styles["icon"], className].filter(Boolean).join(" ");
  return <button type="button" aria-label={label} title={label} {...props} className={classes} />;
}

interface FieldProps extends InputHTMLAttributes<HTMLInputElement> {
  label: string;
  hint?: string | undefined;
  error?: string | null | undefined;
  /** Stands beside the input. */
  button?: ReactNode;
}

/** A labelled input. */
export function Field({ label, hint, error, button, ...props }: FieldProps) {
  const id = useId();
  const note = error ?? hint;
  return (
    <div className={styles["field"]}>
      <label className={styles["label"]} htmlFor={id}>
        {label}
      </label>
      <div className={styles["inputRow"]}>
        <input
          {...props}
          id={id}
          className={styles["input"]}
          aria-invalid={error ? true : undefined}
          aria-describedby={note ? `${id}-note` : undefined}
        />
        {button}
      </div>
      {note && (
        <p id={`${id}-note`} className={styles[error ? "error" : "hint"]} role={error ? "alert" : undefined}>
          {note}
        </p>
      )}
    </div>
  );
}

interface SegmentsProps<Value extends string> {
  label: string;
  value: Value;
  options: readonly { value: Value; text: string }[];
  onChange: (value: Value) => void;
}

/** One of a few choices. */
export function Segments<Value extends string>({ label, value, options, onChange }: SegmentsProps<Value>) {
  const name = useId();
  return (
    <div className={styles["segments"]} role="radiogroup" aria-label={label}>
      {options.map((option) => (
        <label key={option.value}>
          <input
            type="radio"
            name={name}
            value={option.value}
            checked={option.value === value}
            onChange={() => onChange(option.value)}
          />
          <span>{option.text}</span>
        </label>
      ))}
    </div>
  );
}

export function Spinner({ label }: { label: string }) {
  return (
    <div role="status">
      <div className={styles["spinner"]} />
      <span className={styles["hidden"]}>{label}</span>
    </div>
  );
}

/** For screen readers alone. */
export function Hidden({ children }: { children: ReactNode }) {
  return <span className={styles["hidden"]}>{children}</span>;
}
