import type { ComponentChildren, JSX } from "preact";

type Native = Omit<JSX.IntrinsicElements["button"], "class" | "icon">;

export interface ButtonProps extends Native {
  /** `quiet` beside another button, `bare` inside text and bars, `danger` for what cannot be undone. */
  readonly look?: "main" | "quiet" | "bare" | "danger";
  readonly children?: ComponentChildren;
}

/** A button with words. */
export function Button({ look = "main", type = "button", ...rest }: ButtonProps) {
  return <button {...rest} type={type} class="k-button" data-look={look} />;
}

/** A button with only an icon; `label` is read aloud and shown on hover. */
export function IconButton({
  label,
  look = "bare",
  type = "button",
  ...rest
}: ButtonProps & { readonly label: string }) {
  return (
    <button
      {...rest}
      type={type}
      class="k-button"
      data-look={look}
      data-icon=""
      aria-label={label}
      title={label}
    />
  );
}
