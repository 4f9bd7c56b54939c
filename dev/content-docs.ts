/** `npm run docs`: writes docs/content.md from the channels' tables. A test compares it with the file. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { channels } from "../src/channels/index.ts";
import { REPLY_KINDS, REPLY_LIMITS, type ReplyKind } from "../src/core/content/reply.ts";
import type { ContentTable, Rule } from "../src/core/content/table.ts";

const ROOT = join(import.meta.dirname, "..");

/** The whole page. */
export async function contentPage(): Promise<string> {
  const tables = await Promise.all(
    Object.keys(channels).map(async (name) => [name, await tableOf(name)] as const),
  );
  return `${[
    INTRODUCTION,
    overview(tables),
    MARKUP,
    CHOICES,
    RAW,
    WINDOW,
    ...tables.map(([name, table]) => section(name, table)),
    neutralLimits(),
  ].join("\n\n")}\n`;
}

/** The table that a channel's file or folder exports as `<name>Content`; every kind as text if it has none. */
async function tableOf(name: string): Promise<ContentTable> {
  const folder = join(ROOT, "src/channels", name, "content.ts");
  const file = existsSync(folder) ? folder : join(ROOT, "src/channels", `${name}.ts`);
  const module: Record<string, unknown> = await import(file);
  const asText = Object.fromEntries(
    REPLY_KINDS.map((kind) => [kind, { as: kind === "text" ? "native" : "text" }]),
  );
  return (module[`${name}Content`] ?? asText) as ContentTable;
}

const INTRODUCTION = `<!-- Written by \`npm run docs\` from the tables in src/channels. Do not edit. -->

# Content of replies

A bot answers with replies of the kinds below. Each channel shows a kind itself, sends it as something else, or refuses it.
The hub checks the limits before it sends anything. A reply that its channel cannot send in any form is the bot's error:
the turn fails with \`bot_bad_reply\`, and its log line names the field. \`POST /api/messages/preview\` shows what each channel
would send. The schema of each kind is \`Reply\` in the API description (\`/docs\`), with examples in [bots.md](bots.md).`;

const MARKUP = `## Marks in texts

Texts and captions are plain. With \`"format": "markdown"\` these marks are read:

${table(
  ["write", "get"],
  [
    [`\`**bold**\``, `bold`],
    [`\`_italic_\``, `italic`],
    [`\`~~gone~~\``, `struck through`],
    [`\`\` \`code\` \`\``, `code, without other marks inside`],
    [`a line of three backticks, before and after`, `a block of code`],
    [`\`[words](https://…)\``, `a link; WhatsApp shows the address behind the words`],
    [`\`- item\` or \`* item\` at the start of a line`, `an item of a list, shown with \`•\``],
    [`\`1. item\``, `an item with its number, unchanged`],
    [`a backslash before \`\\\\ * _ ~ [ ] ( ) - .\` or a backtick`, `that character`],
  ],
)}

Bold, italic and struck text may hold each other, and links may hold them. A format ends on its own line. A mark that is not
closed, or that touches a letter or a digit on its outside, is text. Nothing else is a mark: no headings, tables, images or
HTML. To show a text of somebody else, write a backslash before each of the characters above: it then breaks out of no format.

Telegram gets formats as entities, so it reads no marks. WhatsApp gets its own marks. A character of the text that WhatsApp would
read as a mark is set apart by spaces of no width, and encoded in addresses. A WhatsApp format whose text begins or ends with such a character is left out. A plain text
reaches WhatsApp unchanged, so WhatsApp's own marks work there. Pages get the text with its marks, and \`format\`.`;

const WINDOW = `## When WhatsApp's window is closed

WhatsApp takes free messages for 24 hours after the customer's last message. The bot finds the end in the turn
(\`window_closes_at\`), an operator in \`GET /api/sessions/:id\` (\`windows\`). It counts from the time of the message by WhatsApp's clock,
for one address and one of the shop's numbers; a reaction opens no window. A minute before the end the hub holds it for closed, and
tries no free message any more. Then \`outside_window\` of the reply decides; absent, \`WHATSAPP_OUTSIDE_WINDOW\`:

${table(
  ["value", "what happens"],
  [
    [`\`fail\``, `a dead letter, \`window_closed\``],
    [
      `\`hold\``,
      `it waits until the customer writes there, and goes out once, ahead of the answer to that; after seven days it is a dead letter, \`window_closed\``,
    ],
    [
      `\`template\``,
      `\`WHATSAPP_WINDOW_TEMPLATE\` in \`WHATSAPP_WINDOW_LANGUAGE\`, with up to 800 characters of the text as its one variable. Later parts of the reply are held`,
    ],
    [
      `\`utility\``,
      `Direct Send, with \`WHATSAPP_DIRECT_SEND=true\`: text up to 1,024 characters, reply buttons, one link button`,
    ],
  ],
)}

What \`template\` and \`utility\` cannot say, or no setting allows, ends as with \`fail\`. A reply of kind \`template\` goes out at any time. If
the templates are known (\`WHATSAPP_BUSINESS_ACCOUNT_ID\`, \`GET /api/templates\`), it is checked before anything is saved: name and language
(\`template_not_found\`), the platform's approval (\`template_not_approved\`), the number of variables (\`template_parameters\`). The turn then
fails with that reason, and the bot is asked again.`;

const CHOICES = `## Choices

A tap on a button or a row reaches the bot as the same message on every channel: kind \`interaction\`, \`interaction\` being
\`button\` (of buttons and cards) or \`list\` (of lists), with the bot's own \`id\`, the \`title\`, and \`reply_to\`, the hub's id of the reply with the choices.

- An id that is too long for the platform stays with the hub. The platform gets the choice's place (\`#3\`), and the hub
  looks the id up in the saved reply when the customer taps.
- Where choices fit into nothing that the platform has, they are sent as numbered text, and the saved reply has \`numbered\`. The
  customer answers with a number, in the digits of their script: \`2\`, \`2.\`, \`2)\`, \`٢\`. It becomes the interaction.
- A number answers the numbered reply that it quotes; else the newest one among the replies to the message that was answered last on
  the channel. So once the bot has answered something else, a number is a text again. So is a number out of range, and
  a forwarded one.
- A tap whose reply the hub has forgotten (erased, or past its retention) keeps its id; if it came with a place, it has no id.
- A second tap is a second message. The bot decides whether it counts.`;

const RAW = `## Calls of one platform

For what no kind offers, a reply may have \`raw\`: a platform's own call by the channel's name. That channel sends the call, every
other channel the reply itself. \`raw.whatsapp\` is a body of Meta's \`/messages\` without recipient, \`raw.telegram\` has \`method\`
(a method that sends a message) and its parameters without \`chat_id\`. The platform alone checks the rest. A call is
sent once and never saved; the history has the reply beside it.`;

function overview(tables: readonly (readonly [string, ContentTable])[]): string {
  const rows = REPLY_KINDS.map((kind) => [`\`${kind}\``, ...tables.map(([, table]) => inShort(table[kind]))]);
  return `## Kinds and channels\n\n${table(["kind", ...tables.map(([name]) => name)], rows)}`;
}

function inShort({ as }: Rule): string {
  return { native: "native", degraded: "degraded", text: "as text", refused: "refused" }[as];
}

function section(name: string, rules: ContentTable): string {
  const rows = REPLY_KINDS.map((kind: ReplyKind) => {
    const { limits = {}, ...rule } = rules[kind];
    const limited = Object.entries(limits).map(([what, limit]) => `${what}: ${limit}`);
    return [`\`${kind}\``, inWords(rule), limited.join("; ")];
  });
  return `## ${name}\n\n${table(["kind", "is sent as", "limits"], rows)}`;
}

function inWords({ as, to }: Rule): string {
  if (as === "native") return to === undefined ? "itself" : `itself; or ${to}`;
  if (as === "refused") return "refused";
  return as === "text" ? `text${to ? `: ${to}` : ""}` : (to ?? "");
}

function neutralLimits(): string {
  const rows = Object.entries(REPLY_LIMITS).map(([name, limit]) => [`\`${name}\``, String(limit)]);
  return `## Limits of every channel

Texts in UTF-16 units; \`choices\` in one reply, \`rawBytes\` of \`raw\` as JSON.

${table(["limit", ""], rows)}`;
}

/** A table in the form that the formatter gives it: cells as wide as the widest of their column. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((name, i) =>
    Math.max(3, ...[name, ...rows.map((row) => row[i]!)].map((cell) => [...cell].length)),
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell + " ".repeat(widths[i]! - [...cell].length)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

if (process.argv[1] === import.meta.filename)
  writeFileSync(join(ROOT, "docs/content.md"), await contentPage());
