import { signal } from "@preact/signals";
import { type Language, languageOf } from "./languages.ts";

/** A text with `{name}` where values go; with forms, the one that `{count}` asks for in the language. */
export type Text = string | ({ readonly other: string } & Partial<Record<Intl.LDMLPluralRule, string>>);
export type Texts = Readonly<Record<string, Text>>;
export type Values = Readonly<Record<string, string | number>>;

export interface Translator<T extends Texts> {
  /** The language that is shown. A signal: what reads it is drawn again after a change. */
  readonly language: Language;
  /** The text in the language that is shown. */
  say(name: keyof T & string, values?: Values): string;
  /** Loads and shows the first of the wanted languages that the page has. The old one stays until then, or if that fails. */
  use(...wanted: readonly (string | null | undefined)[]): Promise<void>;
}

/** What a file of texts exports. */
export interface TextFile<T extends Texts> {
  readonly default: T;
}

/**
 * The texts of one page. English is part of it. Another language is loaded when it is used, from its file `<language>.ts`:
 * `files` are what `import.meta.glob` finds beside the English ones.
 */
export function translator<T extends Texts>(
  english: T,
  files: Readonly<Record<string, () => Promise<TextFile<T>>>>,
): Translator<T> {
  async function load(language: Language): Promise<T> {
    const path = Object.keys(files).find((one) => one.endsWith(`/${language}.ts`));
    return (await files[path!]!()).default;
  }
  const shown = signal<{ language: Language; texts: T }>({ language: "en", texts: english });
  let wanted: Language = "en";
  return {
    get language() {
      return shown.value.language;
    },
    say(name, values = {}) {
      const { language, texts } = shown.value;
      return fill(texts[name]!, values, language);
    },
    async use(...tags) {
      const language = languageOf(...tags);
      wanted = language;
      const texts = language === "en" ? english : await load(language);
      if (wanted === language) shown.value = { language, texts };
    },
  };
}

function fill(text: Text, values: Values, language: Language): string {
  const form =
    typeof text === "string" ? text : (text[pluralOf(Number(values.count), language)] ?? text.other);
  return form.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name] ?? "";
    return typeof value === "number" ? value.toLocaleString(language) : value;
  });
}

function pluralOf(count: number, language: Language): Intl.LDMLPluralRule {
  return new Intl.PluralRules(language).select(count);
}
