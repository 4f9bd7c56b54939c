import type { Bot } from "../core/answer/bot.ts";

/** Repeats the message, and names its channel and the session's channels. */
export default function echo(): Bot {
  return {
    history: 0,
    async reply({ message, session, channel }) {
      const heard = message.text
        ? `You said "${message.text}"`
        : `You sent a message of kind ${message.kind}`;
      const seen = session.channels.join(", ");
      return [{ kind: "text", text: `${heard} on ${channel}. This session has seen: ${seen}.` }];
    },
  };
}
