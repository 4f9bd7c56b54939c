import { useSignal } from "@preact/signals";
import {
  EllipsisVertical,
  ExternalLink,
  FileText,
  Film,
  MapPin,
  Mic,
  Music,
  Pause,
  Play,
  UserRound,
} from "lucide";
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import type { Choice, DeviceName, Bubble as Shown } from "../../dev/simulator/model.ts";
import { Bubble, type Ticks } from "../kit/components/bubble.tsx";
import { Button, IconButton } from "../kit/components/button.tsx";
import { Dialog } from "../kit/components/dialog.tsx";
import { Icon } from "../kit/components/icon.tsx";
import { BubbleText } from "./bubble-text.tsx";
import { act, logFilter, shown, tab } from "./state.ts";
import { say, words } from "./words.ts";

const EMOJI = ["👍", "❤", "😁", "🙏"];

interface Props {
  readonly device: DeviceName;
  readonly bubble: Shown;
  readonly answered: Shown | undefined;
  readonly onReply: (to: { id: string; text: string }) => void;
}

/** One message on a device, with its buttons, its reactions, and what can be done with it. */
export function DeviceBubble({ device, bubble, answered, onReply }: Props) {
  const { by, at, tick, reactions = {}, deleted, edited, from } = bubble;
  const ticks = by === "customer" && tick && !from ? tickOf(tick) : undefined;
  const remark = [
    edited && say("edited"),
    bubble.pinned && say("pinned"),
    from && say("onChannel", { channel: from }),
  ]
    .filter(Boolean)
    .join(" · ");
  const reacted = [reactions.hub, reactions.customer].filter(Boolean);
  return (
    <div class="s-bubble" data-by={by}>
      <Bubble
        side={by === "customer" ? "own" : "other"}
        author={say(by === "customer" ? "you" : "shop")}
        at={new Date(at)}
        language={words.language}
        ticks={ticks}
        remark={remark}
      >
        {deleted ? (
          <em>{say("deleted")}</em>
        ) : (
          <>
            {answered && <blockquote dir="auto">{answered.text || answered.kind}</blockquote>}
            <Content device={device} bubble={bubble} />
          </>
        )}
      </Bubble>
      {reacted.length > 0 && <span class="s-reactions">{reacted.join(" ")}</span>}
      {!deleted && <Choices device={device} bubble={bubble} />}
      {!deleted && !from && bubble.kind !== "draft" && (
        <Menu device={device} bubble={bubble} onReply={onReply} />
      )}
    </div>
  );
}

function tickOf(status: Ticks) {
  const label = {
    waiting: "sentTick",
    sent: "sentTick",
    delivered: "deliveredTick",
    read: "readTick",
    failed: "failedTick",
  } as const;
  return { status, label: say(label[status]) };
}

function Content({ device, bubble }: { readonly device: DeviceName; readonly bubble: Shown }) {
  const { kind, header, footer, location, contacts, media } = bubble;
  return (
    <>
      {media && <Media kind={kind} media={media} />}
      {header && <strong dir="auto">{header}</strong>}
      <BubbleText device={device} bubble={bubble} />
      {location && (
        <p class="s-part">
          <Icon of={MapPin} />
          <span dir="auto">
            {[location.name, location.address].filter(Boolean).join(", ")}{" "}
            <bdi>
              {location.latitude.toFixed(4)}, {location.longitude.toFixed(4)}
            </bdi>
          </span>
        </p>
      )}
      {contacts?.map(({ name, phones }) => (
        <p class="s-part" key={name + phones.join()}>
          <Icon of={UserRound} />
          <span dir="auto">
            {name} <bdi>{phones.join(", ")}</bdi>
          </span>
        </p>
      ))}
      {footer && <small dir="auto">{footer}</small>}
    </>
  );
}

const MEDIA = { video: Film, audio: Music, voice: Mic, document: FileText } as const;

/** A file. Pictures of this machine are shown; nothing is fetched from another host. */
function Media({ kind, media }: { readonly kind: string; readonly media: NonNullable<Shown["media"]> }) {
  const url =
    media.url && URL.canParse(media.url, location.href) ? new URL(media.url, location.href) : undefined;
  const isHere = url !== undefined && url.origin === location.origin;
  const elsewhere = url && !isHere ? say("elsewhere", { host: url.host }) : "";
  if (kind === "image" || kind === "sticker")
    return isHere ? (
      <img class="s-picture" src={url.href} alt={media.name ?? say("picture")} />
    ) : (
      <span class="s-picture" role="img" aria-label={media.name ?? say("picture")}>
        {elsewhere}
      </span>
    );
  if (isHere && (kind === "voice" || kind === "audio"))
    return (
      <Sound kind={kind} url={url.href} {...(media.seconds !== undefined && { seconds: media.seconds })} />
    );
  if (isHere && kind === "video")
    return <video class="s-picture" src={url.href} controls preload="metadata" />;
  return (
    <span class="s-part">
      <Icon of={MEDIA[kind as keyof typeof MEDIA] ?? FileText} />
      {kind === "voice" && <span class="s-wave" aria-hidden="true" />}
      <span>{media.name ?? (elsewhere || kind)}</span>
    </span>
  );
}

/** A voice message or a song that can be played. */
function Sound({
  kind,
  url,
  seconds,
}: {
  readonly kind: string;
  readonly url: string;
  readonly seconds?: number;
}) {
  const audio = useRef<HTMLAudioElement>(null);
  const isPlaying = useSignal(false);
  const toggle = () => {
    const { current } = audio;
    if (current?.paused) void current.play().catch(() => {});
    else current?.pause();
  };
  const set = (is: boolean) => () => (isPlaying.value = is);
  return (
    <span class="s-sound">
      <IconButton label={say(isPlaying.value ? "pauseVoice" : "playVoice")} onClick={toggle}>
        <Icon of={isPlaying.value ? Pause : Play} />
      </IconButton>
      {kind === "voice" ? <span class="s-wave" aria-hidden="true" /> : <Icon of={Music} />}
      {seconds !== undefined && <span>{lengthOf(seconds)}</span>}
      <audio
        ref={audio}
        src={url}
        preload="none"
        onPlay={set(true)}
        onPause={set(false)}
        onEnded={set(false)}
      />
    </span>
  );
}

function lengthOf(seconds: number): string {
  return `${Math.floor(seconds / 60)}:${String(Math.round(seconds % 60)).padStart(2, "0")}`;
}

/** Buttons and rows. Telegram and the pages show rows at once, WhatsApp behind a button. */
function Choices({ device, bubble }: { readonly device: DeviceName; readonly bubble: Shown }) {
  const isOpen = useSignal(false);
  const { buttons = [], list, cards = [] } = bubble;
  const tap = ({ title }: Choice) => {
    isOpen.value = false;
    void act({ do: "tap", device, title, message: bubble.id });
  };
  return (
    <>
      {buttons.map((row) => (
        <div class="s-choices" key={row.map(({ title }) => title).join()}>
          {row.map((choice) => (
            <ChoiceButton key={choice.title} choice={choice} onTap={tap} />
          ))}
        </div>
      ))}
      {cards.map((card) => (
        <div class="s-card" key={card.title}>
          <strong dir="auto">{card.title}</strong>
          {card.text && <span dir="auto">{card.text}</span>}
          {card.buttons.map((choice) => (
            <ChoiceButton key={choice.title} choice={choice} onTap={tap} />
          ))}
        </div>
      ))}
      {list && (
        <div class="s-choices">
          <Button look="quiet" onClick={() => (isOpen.value = true)}>
            {list.button === "☰" ? say("choose") : list.button}
          </Button>
        </div>
      )}
      {list && isOpen.value && (
        <Dialog
          title={list.button === "☰" ? say("choose") : list.button}
          onClose={() => (isOpen.value = false)}
        >
          <div class="s-menu">
            {list.rows.map((row, i) => (
              <div key={row.tap}>
                {row.section && row.section !== list.rows[i - 1]?.section && (
                  <h3 dir="auto">{row.section}</h3>
                )}
                <ChoiceButton choice={row} onTap={tap} />
              </div>
            ))}
          </div>
          <div class="k-actions">
            <Button look="quiet" onClick={() => (isOpen.value = false)}>
              {say("close")}
            </Button>
          </div>
        </Dialog>
      )}
    </>
  );
}

function ChoiceButton({
  choice,
  onTap,
}: {
  readonly choice: Choice;
  readonly onTap: (choice: Choice) => void;
}) {
  const { title, url, description } = choice;
  const inside: ComponentChildren = (
    <span dir="auto">
      {title}
      {description && <small>{description}</small>}
    </span>
  );
  if (url)
    return (
      <a class="k-button" data-look="quiet" href={url} target="_blank" rel="noopener noreferrer nofollow">
        {inside}
        <Icon of={ExternalLink} />
      </a>
    );
  return (
    <Button look="quiet" onClick={() => onTap(choice)}>
      {inside}
    </Button>
  );
}

/** What the customer can do with a message: answer it, react to it, and change their own. */
function Menu({ device, bubble, onReply }: Omit<Props, "answered">) {
  const isOpen = useSignal(false);
  const edits = useSignal<string | undefined>(undefined);
  const close = () => {
    isOpen.value = false;
    edits.value = undefined;
  };
  const { id: message, by, kind, text = "", reactions } = bubble;
  const isMessenger = device === "telegram" || device === "whatsapp";
  const request = by === "customer" && isOpen.value ? requestOf(device, message) : undefined;
  const canEdit = isMessenger && by === "customer" && kind === "text";
  const done = (what: Parameters<typeof act>[0]) => async () => {
    if (await act(what)) close();
  };
  const save = (event: Event) => {
    event.preventDefault();
    if (isMessenger && edits.value) void done({ do: "edit", device, message, text: edits.value })();
  };
  return (
    <>
      <span class="s-bubble-menu">
        <IconButton
          label={`${say("more")}: ${text.slice(0, 40) || kind}`}
          onClick={() => (isOpen.value = true)}
        >
          <Icon of={EllipsisVertical} />
        </IconButton>
      </span>
      {isOpen.value && (
        <Dialog title={text.slice(0, 60) || kind} onClose={close}>
          {edits.value === undefined ? (
            <div class="s-menu">
              <Button
                look="quiet"
                onClick={() => {
                  close();
                  onReply({ id: message, text: text || kind });
                }}
              >
                {say("reply")}
              </Button>
              <div class="s-row">
                {EMOJI.map((emoji) => (
                  <IconButton
                    key={emoji}
                    look="quiet"
                    label={say("react", { emoji })}
                    onClick={done({ do: "react", device, message, emoji })}
                  >
                    {emoji}
                  </IconButton>
                ))}
              </div>
              {reactions?.customer && (
                <Button look="quiet" onClick={done({ do: "react", device, message, emoji: null })}>
                  {say("unreact")}
                </Button>
              )}
              {request && (
                <Button
                  look="quiet"
                  onClick={() => {
                    close();
                    logFilter.value = request;
                    tab.value = "log";
                  }}
                >
                  {say("lines")}
                </Button>
              )}
              {canEdit && (
                <Button look="quiet" onClick={() => (edits.value = text)}>
                  {say("edit")}
                </Button>
              )}
              {device === "whatsapp" && by === "customer" && (
                <Button look="quiet" onClick={done({ do: "unsend", device, message })}>
                  {say("unsend")}
                </Button>
              )}
            </div>
          ) : (
            <form id="edit" onSubmit={save}>
              <textarea
                class="k-input"
                aria-label={say("edit")}
                rows={3}
                dir="auto"
                value={edits.value}
                onInput={(event) => (edits.value = event.currentTarget.value)}
              />
              <div class="k-actions">
                <Button type="submit">{say("save")}</Button>
              </div>
            </form>
          )}
          <div class="k-actions">
            <Button look="quiet" onClick={close}>
              {say("close")}
            </Button>
          </div>
        </Dialog>
      )}
    </>
  );
}

/** The hub's id of the request that brought this message of a customer. */
function requestOf(device: DeviceName, message: string): string | undefined {
  const name = device === "telegram" ? `"message_id":${message},` : `"${message}"`;
  return shown.value!.wire.findLast(
    (one) => one.device === device && one.kind === "webhook" && one.request_id && one.body.includes(name),
  )?.request_id;
}
