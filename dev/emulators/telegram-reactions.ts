import type { ReactionTypeEmoji } from "@grammyjs/types";

type Emoji = ReactionTypeEmoji["emoji"];

// biome-ignore format: a list to be read as one
const ALLOWED: readonly Emoji[] = [
  "👍", "👎", "❤", "🔥", "🥰", "👏", "😁", "🤔", "🤯", "😱", "🤬", "😢", "🎉", "🤩", "🤮", "💩", "🙏", "👌", "🕊", "🤡", "🥱", "🥴", "😍", "🐳",
  "❤‍🔥", "🌚", "🌭", "💯", "🤣", "⚡", "🍌", "🏆", "💔", "🤨", "😐", "🍓", "🍾", "💋", "🖕", "😈", "😴", "😭", "🤓", "👻", "👨‍💻", "👀", "🎃",
  "🙈", "😇", "😨", "🤝", "✍", "🤗", "🫡", "🎅", "🎄", "☃", "💅", "🤪", "🗿", "🆒", "💘", "🙉", "🦄", "😘", "💊", "🙊", "😎", "👾",
  "🤷‍♂", "🤷", "🤷‍♀", "😡",
];

/**
 * The emoji that a bot may react with. Others are REACTION_INVALID.
 * https://core.telegram.org/bots/api#reactiontypeemoji
 */
export const REACTIONS: ReadonlySet<string> = new Set(ALLOWED);
