import type { ComponentChildren, JSX } from "preact";

/** A list of rows that are chosen. */
export function List({ label, children }: { readonly label: string; readonly children: ComponentChildren }) {
  return (
    <ul class="k-list" aria-label={label}>
      {children}
    </ul>
  );
}

export interface RowProps extends Omit<JSX.IntrinsicElements["button"], "class"> {
  /** Whether it is the one that is shown. */
  readonly current?: boolean;
}

/** One row of a list. */
export function Row({ current, ...rest }: RowProps) {
  return (
    <li>
      <button {...rest} type="button" class="k-row" aria-current={current ? "true" : undefined} />
    </li>
  );
}
