/** Sets the language, the direction and the title of a whole page. */
export function dressPage({
  language,
  dir,
  title,
}: {
  language: string;
  dir: "ltr" | "rtl";
  title: string;
}): void {
  document.documentElement.lang = language;
  document.documentElement.dir = dir;
  document.title = title;
}
