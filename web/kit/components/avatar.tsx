/** The first letters of a name. Decoration: the name stands beside it. */
export function Avatar({ name }: { readonly name: string }) {
  const words = name.trim().split(/\s+/);
  const letters = [words[0], words.length > 1 ? words.at(-1) : ""].map((word) => [...(word ?? "")][0] ?? "");
  return (
    <span class="k-avatar" aria-hidden="true">
      {letters.join("") || "?"}
    </span>
  );
}
