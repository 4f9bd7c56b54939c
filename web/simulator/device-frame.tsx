import { signal } from "@preact/signals";
import type { DeviceName, Screen } from "../../dev/simulator/model.ts";
import { shown } from "./state.ts";
import { say, words } from "./words.ts";

interface Props {
  readonly name: DeviceName;
  readonly screen: Screen;
}

/** The frames wait until the page is drawn, so that they do not hold up the first message. */
const isIdle = signal(false);
const wait = window.requestIdleCallback ?? ((then: () => void) => setTimeout(then, 200));
wait(() => (isIdle.value = true), { timeout: 500 });

/** The kiosk, or a shop's page with the chat: the pages that ship, in a frame. It is loaded anew when an act opens the device. */
export function DeviceFrame({ name, screen }: Props) {
  const { id } = shown.value!.person;
  if (!isIdle.value) return <div class="s-frame" />;
  return (
    <iframe
      key={`${id} ${screen.opens ?? 0} ${words.language}`}
      class="s-frame"
      title={say(name)}
      src={`/simulator/device/${id}/${name}`}
      allow="microphone"
    />
  );
}
