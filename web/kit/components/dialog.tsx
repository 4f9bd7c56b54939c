import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef } from "preact/hooks";

export interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  /** Along the end of the page, over its whole height. */
  readonly isDrawer?: boolean;
  readonly children: ComponentChildren;
}

/** A dialog over the page. The browser keeps the focus inside, and Escape closes it. The focus goes back to where it was. */
export function Dialog({ title, onClose, isDrawer, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  useLayoutEffect(() => {
    const dialog = element.current!;
    const before = (dialog.getRootNode() as Document | ShadowRoot).activeElement;
    dialog.showModal();
    return () => {
      dialog.close();
      if (before instanceof HTMLElement) before.focus();
    };
  }, []);
  const cancel = (event: Event) => {
    event.preventDefault(); // the owner removes it
    onClose();
  };
  return (
    <dialog
      class="k-dialog"
      data-drawer={isDrawer ? "" : undefined}
      ref={element}
      aria-labelledby={id}
      onCancel={cancel}
    >
      <h2 id={id}>{title}</h2>
      {children}
    </dialog>
  );
}
