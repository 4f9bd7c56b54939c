import type { Message } from "@session-hub/client";
import { MapPin } from "lucide";
import { Button } from "../components/button.tsx";
import { Icon } from "../components/icon.tsx";
import { Marked } from "../components/marked.tsx";
import { FileView } from "./file-view.tsx";
import { Link } from "./link.tsx";
import { words } from "./words.ts";

type Content = Message["content"];
type Of<K extends string> = Extract<Content, { kind: K }>;
/** A file in a message: by its address, or by an id of its platform. */
interface File {
  readonly url?: string;
  readonly id?: string;
  readonly file_name?: string;
  readonly mime_type?: string;
}

/** What the customer chose: the content of the message that says so. */
export interface Choice {
  readonly interaction: "button" | "list";
  readonly id: string;
  readonly title: string;
}

export interface ContentProps {
  readonly message: Pick<Message, "text" | "content" | "deleted_at"> & { readonly media_url?: string | null };
  /** Reads the message's own file with the page's credentials, for links that the hub does not sign, or that have ended. */
  readonly readFile?: ((card?: number) => Promise<Blob>) | undefined;
  /** Called when the customer chooses; without it choices are shown and cannot be pressed. */
  readonly onChoose?: ((choice: Choice) => void) | undefined;
  /** The address from which the page may load a file; undefined: it is named, and not loaded. Default: its own. */
  readonly fileUrl?: ((file: File) => string | undefined) | undefined;
  /** The hub's address, to which the links of its own files are relative. Default: the page's. */
  readonly hubUrl?: string | undefined;
  /** False at a kiosk: addresses are shown, and open nothing. */
  readonly links?: boolean;
}

/** What one message says, of any kind. It never reads HTML. */
export function MessageContent({
  message,
  readFile,
  onChoose,
  fileUrl = ({ url }) => url,
  hubUrl = location.origin,
  links = true,
}: ContentProps) {
  const content = message.content as Content | null;
  if (message.deleted_at) return <em class="k-gone">{words.say("deleted")}</em>;
  if (!content) return <Marked text={message.text} links={links} />;
  const text = (value: string | undefined, format?: "plain" | "markdown") =>
    value && <Marked text={value} format={format} links={links} />;
  switch (content.kind) {
    case "text":
      return text(content.text, "format" in content ? content.format : undefined);
    case "image":
    case "sticker":
    case "video":
    case "audio":
    case "voice":
    case "document":
      return (
        <>
          <FileOf
            content={content}
            own={message.media_url ? new URL(message.media_url, hubUrl).href : undefined}
            read={readFile && (() => readFile())}
            fileUrl={fileUrl}
            links={links}
          />
          {"caption" in content && text(content.caption, "format" in content ? content.format : undefined)}
        </>
      );
    case "location":
      return <Place content={content} links={links} />;
    case "contact":
      return (
        <div class="k-card">
          {content.contacts.map(({ name, phones }) => (
            <p key={`${name}${phones[0]}`}>
              <strong>{name ?? words.say("contact")}</strong>
              <br />
              {phones.map((phone) => (
                <bdi key={phone}>{phone} </bdi>
              ))}
            </p>
          ))}
        </div>
      );
    case "interaction":
      return text(content.title ?? message.text);
    case "buttons":
      return (
        <>
          {content.header && <strong>{content.header}</strong>}
          {text(content.text, content.format)}
          {content.footer && <small class="k-footer">{content.footer}</small>}
          <Buttons buttons={content.buttons} onChoose={onChoose} links={links} />
        </>
      );
    case "list":
      return <Sections content={content} onChoose={onChoose} links={links} />;
    case "carousel":
      return (
        <Carousel
          content={content}
          readFile={readFile}
          onChoose={onChoose}
          fileUrl={fileUrl}
          hubUrl={hubUrl}
          links={links}
        />
      );
    case "product":
      return (
        <>
          {text(content.text)}
          {content.url && <Link url={content.url} links={links} title={content.url} />}
        </>
      );
    case "order":
      return <Order content={content} />;
    case "unsupported":
      return <em class="k-gone">{words.say("unsupported")}</em>;
    default:
      return text(message.text);
  }
}

function FileOf({
  content,
  own,
  read,
  fileUrl,
  links,
}: {
  content: Of<"image" | "sticker" | "video" | "audio" | "voice" | "document">;
  /** Where the hub itself has the file. */
  own: string | undefined;
  read: (() => Promise<Blob>) | undefined;
  fileUrl: NonNullable<ContentProps["fileUrl"]>;
  links: boolean;
}) {
  const file = content.media as File;
  const isVoice = content.kind === "audio" && "voice" in content && content.voice;
  const label = file.file_name ?? words.say(isVoice ? "voice" : content.kind);
  return (
    <FileView
      kind={content.kind}
      label={label}
      alt={("caption" in content && content.caption) || label}
      url={own ? linkOf(own, read) : fileUrl(file)}
      read={own ? read : undefined}
      links={links}
    />
  );
}

/** The hub's link, unless it needs credentials and the page can read the file with them. */
function linkOf(url: string, read: unknown): string | undefined {
  return read && !new URL(url).searchParams.has("signature") ? undefined : url;
}

function Place({ content, links }: { content: Of<"location">; links: boolean }) {
  const { latitude, longitude, name, address } = content;
  const url = `https://www.openstreetmap.org/?mlat=${latitude}&mlon=${longitude}#map=16/${latitude}/${longitude}`;
  return (
    <div class="k-file">
      <Icon of={MapPin} />
      <span>
        <strong>{name ?? words.say("location")}</strong>
        <br />
        {address ?? <bdi>{`${latitude.toFixed(5)}, ${longitude.toFixed(5)}`}</bdi>}
        {links && (
          <>
            <br />
            <Link url={url} links title={words.say("open_map")} />
          </>
        )}
      </span>
    </div>
  );
}

type ReplyButton = Of<"buttons">["buttons"][number];

function Buttons({
  buttons,
  onChoose,
  links,
}: {
  buttons: readonly ReplyButton[];
  onChoose: ContentProps["onChoose"];
  links: boolean;
}) {
  return (
    <div class="k-choices">
      {buttons.map((button) =>
        "id" in button ? (
          <Button
            key={button.id}
            look="quiet"
            disabled={!onChoose}
            onClick={() => onChoose?.({ interaction: "button", id: button.id, title: button.title })}
          >
            {button.title}
          </Button>
        ) : (
          <Link key={button.url} url={button.url} links={links} title={button.title} />
        ),
      )}
    </div>
  );
}

function Sections({
  content,
  onChoose,
  links,
}: {
  content: Of<"list">;
  onChoose: ContentProps["onChoose"];
  links: boolean;
}) {
  return (
    <>
      {content.header && <strong>{content.header}</strong>}
      <Marked text={content.text} format={content.format} links={links} />
      {content.sections.map((section, i) => (
        <div class="k-section" key={section.title ?? i}>
          {section.title && <span class="k-section-title">{section.title}</span>}
          {section.rows.map(({ id, title, description }) => (
            <button
              key={id}
              type="button"
              class="k-row k-choice"
              disabled={!onChoose}
              onClick={() => onChoose?.({ interaction: "list", id, title })}
            >
              <span>
                {title}
                {description && <small>{description}</small>}
              </span>
            </button>
          ))}
        </div>
      ))}
      {content.footer && <small class="k-footer">{content.footer}</small>}
    </>
  );
}

function Carousel({
  content,
  readFile,
  onChoose,
  fileUrl,
  hubUrl,
  links,
}: {
  content: Of<"carousel">;
  readFile: ContentProps["readFile"];
  onChoose: ContentProps["onChoose"];
  fileUrl: NonNullable<ContentProps["fileUrl"]>;
  hubUrl: string;
  links: boolean;
}) {
  return (
    <>
      {content.text && <Marked text={content.text} format={content.format} links={links} />}
      <ul class="k-carousel">
        {content.cards.map((card, i) => {
          const { image } = card;
          const isOurs = image !== undefined && "upload" in image && image.upload !== undefined;
          const own = isOurs && image.url ? new URL(image.url, hubUrl).href : undefined;
          const read = isOurs && readFile ? () => readFile(i + 1) : undefined;
          return (
            <li class="k-card" key={card.title}>
              {image && (
                <FileView
                  kind="image"
                  label={card.title}
                  alt=""
                  url={own ? linkOf(own, read) : fileUrl(image)}
                  read={read}
                  links={links}
                />
              )}
              <strong>{card.title}</strong>
              {card.text && <Marked text={card.text} links={links} />}
              {card.buttons && <Buttons buttons={card.buttons} onChoose={onChoose} links={links} />}
            </li>
          );
        })}
      </ul>
    </>
  );
}

function Order({ content }: { content: Of<"order"> }) {
  const total = "total" in content ? content.total : undefined;
  const currency = "currency" in content ? content.currency : undefined;
  return (
    <div class="k-card">
      {"text" in content && content.text && <Marked text={content.text} />}
      <table class="k-order">
        <tbody>
          {content.items.map((item) => {
            const name = "name" in item ? item.name : item.product_id;
            return (
              <tr key={name}>
                <td>{item.quantity} ×</td>
                <td>{name}</td>
                <td>
                  {item.price !== undefined && money(item.price * item.quantity, item.currency ?? currency)}
                </td>
              </tr>
            );
          })}
          {total !== undefined && (
            <tr>
              <td />
              <td>
                <strong>{words.say("total")}</strong>
              </td>
              <td>
                <strong>{money(total, currency)}</strong>
              </td>
            </tr>
          )}
        </tbody>
      </table>
    </div>
  );
}

/** An amount in the page's language. */
export function money(amount: number, currency: string | undefined): string {
  return new Intl.NumberFormat(words.language, currency ? { style: "currency", currency } : {}).format(
    amount,
  );
}
