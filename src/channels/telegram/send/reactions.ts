import type { ReactionTypeEmoji } from "@grammyjs/types";

// biome-ignore format: a list to be read as one
const EMOJI: readonly ReactionTypeEmoji["emoji"][] = [
  "👍", "👎", "❤", "🔥", "🥰", "👏", "😁", "🤔", "🤯", "😱", "🤬", "😢", "🎉", "🤩", "🤮", "💩", "🙏", "👌", "🕊", "🤡", "🥱", "🥴", "😍", "🐳",
  "❤‍🔥", "🌚", "🌭", "💯", "🤣", "⚡", "🍌", "🏆", "💔", "🤨", "😐", "🍓", "🍾", "💋", "🖕", "😈", "😴", "😭", "🤓", "👻", "👨‍💻", "👀", "🎃",
  "🙈", "😇", "😨", "🤝", "✍", "🤗", "🫡", "🎅", "🎄", "☃", "💅", "🤪", "🗿", "🆒", "💘", "🙉", "🦄", "😘", "💊", "🙊", "😎", "👾",
  "🤷‍♂", "🤷", "🤷‍♀", "😡",
];

/** The emoji with which a bot may react. @see https://core.telegram.org/bots/api#reactiontypeemoji */
const REACTIONS: ReadonlySet<string> = new Set(EMOJI);

/** The emoji as Telegram takes it, with or without the variation selector; undefined if it takes no such reaction. */
export function reactionOf(emoji: string): string | undefined {
  return [emoji, emoji.replaceAll("\u{fe0f}", "")].find((form) => REACTIONS.has(form));
}
