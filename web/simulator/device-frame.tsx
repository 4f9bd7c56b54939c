import type { DeviceName, Screen } from "../../dev/simulator/model.ts";
import { shown } from "./state.ts";
import { say, words } from "./words.ts";

interface Props {
  readonly name: DeviceName;
  readonly screen: Screen;
}

/** The kiosk, or a shop's page with the chat: the pages that ship, in a frame. It is loaded anew when an act opens the device. */
export function DeviceFrame({ name, screen }: Props) {
  const { id } = shown.value!.person;
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
