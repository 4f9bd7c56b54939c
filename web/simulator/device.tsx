import { useSignal } from "@preact/signals";
import { Ban, EllipsisVertical, MailOpen, Phone } from "lucide";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { ArmedFault, DeviceName, Screen } from "../../dev/simulator/model.ts";
import { Avatar } from "../kit/components/avatar.tsx";
import { Button, IconButton } from "../kit/components/button.tsx";
import { Dialog } from "../kit/components/dialog.tsx";
import { Field } from "../kit/components/field.tsx";
import { Icon } from "../kit/components/icon.tsx";
import { Typing } from "../kit/components/typing.tsx";
import { nameOf } from "./bad-days.tsx";
import { DeviceBubble } from "./device-bubble.tsx";
import { DeviceComposer } from "./device-composer.tsx";
import { DeviceFrame } from "./device-frame.tsx";
import { act, screenOf, second, shown } from "./state.ts";
import { say } from "./words.ts";

/** What lies in the cart of a customer of the shop's page. */
const CART = { cart: { coffee: 1 } };

/** One device, as its platform looks. */
export function Device({ name }: { readonly name: DeviceName }) {
  const screen = screenOf(name)!;
  const isPage = name === "kiosk" || name === "web";
  const typing = screen.typing_until !== undefined && screen.typing_until > second.value;
  const writesTo = useSignal<{ id: string; text: string } | undefined>(undefined);
  return (
    <article class="s-device" data-device={name} aria-label={say(name)}>
      <header class="s-device-head">
        <Avatar name={say("shop")} />
        <span class="s-device-name">
          <strong>{say("shop")}</strong>
          <small>{statusOf(name, screen, typing)}</small>
        </span>
        {faultsOn(name).map((fault) => (
          <span class="s-badge" data-pulse="" key={fault.id}>
            {nameOf(fault.effect)}
            {fault.left !== undefined && ` · ${fault.left}`}
          </span>
        ))}
        <Menu name={name} screen={screen} />
      </header>
      {isPage ? (
        <DeviceFrame name={name} screen={screen} />
      ) : (
        <>
          <Messages name={name} screen={screen} typing={typing} onReply={(to) => (writesTo.value = to)} />
          {screen.blocked ? (
            <div class="s-blocked">
              <Button onClick={() => act({ do: "unblock", device: "telegram" })}>{say("unblock")}</Button>
            </div>
          ) : (
            <DeviceComposer name={name} to={writesTo.value} onDone={() => (writesTo.value = undefined)} />
          )}
        </>
      )}
    </article>
  );
}

function statusOf(name: DeviceName, screen: Screen, typing: boolean): string {
  const person = shown.value!.person;
  if (typing) return say("typing");
  if (screen.blocked) return say("blocked");
  const own = { telegram: String(person.telegram), whatsapp: `+${person.whatsapp}`, kiosk: person.phone };
  return `${say(name)} · ${own[name as "telegram"] ?? person.name}`;
}

function faultsOn(name: DeviceName): readonly ArmedFault[] {
  return shown.value!.faults.filter(({ target }) => target === name);
}

interface OfDevice {
  readonly name: DeviceName;
  readonly screen: Screen;
}

interface MessagesProps extends OfDevice {
  readonly typing: boolean;
  readonly onReply: (to: { id: string; text: string }) => void;
}

function Messages({ name, screen, typing, onReply }: MessagesProps) {
  const log = useRef<HTMLDivElement>(null);
  const newest = screen.bubbles.at(-1);
  useLayoutEffect(() => {
    const element = log.current!;
    element.scrollTop = element.scrollHeight;
  }, [newest?.id, newest?.text, typing]);
  return (
    <div class="s-log" role="log" ref={log} tabIndex={0} aria-label={say("messages", { device: say(name) })}>
      {screen.toast && <p class="s-toast">{screen.toast}</p>}
      {screen.bubbles.map((bubble) => (
        <DeviceBubble
          key={`${bubble.by}${bubble.id}`}
          device={name}
          bubble={bubble}
          answered={screen.bubbles.find(({ id }) => id === bubble.reply_to)}
          onReply={onReply}
        />
      ))}
      {typing && <Typing label={say("typing")} />}
    </div>
  );
}

/** What a device can do besides writing. */
function Menu({ name, screen }: OfDevice) {
  const isOpen = useSignal(false);
  const phone = useSignal("");
  const close = () => (isOpen.value = false);
  const doneBy = (what: Parameters<typeof act>[0]) => async () => {
    if (await act(what)) close();
  };
  const move = (event: Event) => {
    event.preventDefault();
    if (name !== "web") void doneBy({ do: "number", device: name, phone: phone.value })();
  };
  const hasNumber = name !== "web";
  const isPage = name === "kiosk" || name === "web";
  const canLeave = isPage && screen.open;
  return (
    <>
      <IconButton label={`${say("more")}: ${say(name)}`} onClick={() => (isOpen.value = true)}>
        <Icon of={EllipsisVertical} />
      </IconButton>
      {isOpen.value && (
        <Dialog title={say(name)} onClose={close}>
          <div class="s-menu">
            {name === "telegram" && (
              <Button
                look="quiet"
                onClick={doneBy({ do: screen.blocked ? "unblock" : "block", device: "telegram" })}
              >
                <Icon of={Ban} />
                {say(screen.blocked ? "unblock" : "block")}
              </Button>
            )}
            {name === "whatsapp" && (
              <Button look="quiet" onClick={doneBy({ do: "read", device: "whatsapp" })}>
                <Icon of={MailOpen} />
                {say("readAll")}
              </Button>
            )}
            {(name === "telegram" || name === "whatsapp") && (
              <Button look="quiet" onClick={doneBy({ do: "redeliver", device: name })}>
                {say("redeliver")}
              </Button>
            )}
            {isPage &&
              (["customer", "guest"] as const).map((as) => (
                <Button
                  key={as}
                  look="quiet"
                  onClick={doneBy({ do: "open", device: name, as, ...(name === "web" && { data: CART }) })}
                >
                  {as === "customer" ? say("openAs", { name: shown.value!.person.name }) : say("openGuest")}
                </Button>
              ))}
            {canLeave && (
              <Button look="quiet" onClick={doneBy({ do: "leave", device: name })}>
                {say("leave")}
              </Button>
            )}
            {hasNumber && (
              <form onSubmit={move}>
                <Field label={say("otherNumber")}>
                  {(input) => (
                    <input
                      {...input}
                      type="tel"
                      dir="ltr"
                      required
                      pattern="\+[1-9][0-9]{6,14}"
                      placeholder={shown.value!.person.phone}
                      value={phone.value}
                      onInput={(event) => (phone.value = event.currentTarget.value)}
                    />
                  )}
                </Field>
                <Button look="quiet" type="submit">
                  <Icon of={Phone} />
                  {say("save")}
                </Button>
              </form>
            )}
          </div>
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
