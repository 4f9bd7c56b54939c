import { SendHorizontal } from "lucide";
import type { ComponentChildren } from "preact";
import { useId, useRef } from "preact/hooks";
import { IconButton } from "./button.tsx";
import { Icon } from "./icon.tsx";

export interface ComposerProps {
  readonly label: string;
  readonly sendLabel: string;
  readonly value: string;
  readonly onInput: (text: string) => void;
  /** Called with a text that is not blank, unless it may be. The owner empties `value`. */
  readonly onSend: (text: string) => void;
  readonly disabled?: boolean;
  /** Whether there is something to send without a text, such as a file. */
  readonly allowsEmpty?: boolean;
  readonly maxLength?: number;
  /** Buttons before the text. */
  readonly children?: ComponentChildren;
}

/** Where a message is written. Enter sends, Shift+Enter begins a line; an input method keeps its Enter. */
export function Composer({
  label,
  sendLabel,
  value,
  onInput,
  onSend,
  disabled,
  allowsEmpty,
  maxLength,
  children,
}: ComposerProps) {
  const id = useId();
  const field = useRef<HTMLTextAreaElement>(null);
  const send = () => {
    const text = value.trim();
    if ((text !== "" || allowsEmpty) && !disabled) onSend(text);
    field.current?.focus();
  };
  const submit = (event: Event) => {
    event.preventDefault();
    send();
  };
  return (
    <form class="k-composer" onSubmit={submit}>
      {children}
      <label class="k-aside" for={id}>
        {label}
      </label>
      <textarea
        id={id}
        ref={field}
        class="k-input"
        rows={1}
        dir="auto"
        placeholder={label}
        value={value}
        disabled={disabled}
        maxLength={maxLength}
        enterkeyhint="send"
        onInput={(event) => onInput(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          send();
        }}
      />
      <IconButton look="main" type="submit" label={sendLabel} disabled={disabled}>
        <Icon of={SendHorizontal} mirrored />
      </IconButton>
    </form>
  );
}
