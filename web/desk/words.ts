import { translator } from "../kit/i18n/texts.ts";
import english from "./texts/en.ts";

/** The desk's words, in the language that is shown. */
export const words = translator(english, async (language) => {
  switch (language) {
    case "hi":
      return (await import("./texts/hi.ts")).default;
    case "es":
      return (await import("./texts/es.ts")).default;
    case "ar":
      return (await import("./texts/ar.ts")).default;
    case "pt":
      return (await import("./texts/pt.ts")).default;
    case "fr":
      return (await import("./texts/fr.ts")).default;
    case "id":
      return (await import("./texts/id.ts")).default;
  }
});
