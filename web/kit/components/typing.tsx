/** Three dots while somebody writes; `label` is read aloud. */
export function Typing({ label }: { readonly label: string }) {
  return (
    <span class="k-typing" role="img" aria-label={label}>
      <i />
      <i />
      <i />
    </span>
  );
}
