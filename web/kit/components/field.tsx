import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

/** What an input inside a field gets. */
export interface FieldInput {
  readonly id: string;
  readonly class: "k-input";
  readonly "aria-describedby"?: string;
  readonly "aria-invalid"?: "true";
}

export interface FieldProps {
  readonly label: ComponentChildren;
  readonly hint?: string | undefined;
  /** What is wrong, and how to mend it. Read aloud when it appears. */
  readonly error?: string | undefined;
  readonly children: (input: FieldInput) => ComponentChildren;
}

/** An input with its label, a hint and what is wrong: `<Field label="Name">{(input) => <input {...input} />}</Field>`. */
export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId();
  const about = `${id}-about`;
  return (
    <div class="k-field">
      <label for={id}>{label}</label>
      {children({
        id,
        class: "k-input",
        ...((hint || error) && { "aria-describedby": about }),
        ...(error && { "aria-invalid": "true" as const }),
      })}
      {(hint || error) && (
        <small id={about} data-error={error ? "" : undefined} role={error ? "alert" : undefined}>
          {error ?? hint}
        </small>
      )}
    </div>
  );
}
