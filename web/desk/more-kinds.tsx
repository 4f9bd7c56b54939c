import { useSignal } from "@preact/signals";
import { LayoutTemplate, List as ListIcon, MapPin, Plus, SquareMousePointer, UserRound } from "lucide";
import { Button, IconButton } from "../kit/components/button.tsx";
import { Dialog } from "../kit/components/dialog.tsx";
import { Icon } from "../kit/components/icon.tsx";
import { later } from "../kit/components/later.tsx";
import { editing } from "./state.ts";
import { words } from "./words.ts";

type Kind = "menu" | "location" | "contact" | "buttons" | "list" | "template";

const KINDS = [
  ["location", MapPin],
  ["contact", UserRound],
  ["buttons", SquareMousePointer],
  ["list", ListIcon],
  ["template", LayoutTemplate],
] as const;

const TemplateDialog = later(async () => (await import("./template-dialog.tsx")).TemplateDialog);
const KindDialog = later(async () => (await import("./kind-dialog.tsx")).KindDialog);

/** A button to all that is no text and no file: a place, a contact, buttons, a list, a template. */
export function MoreKinds() {
  const shown = useSignal<Kind | undefined>(undefined);
  const { say } = words;
  const close = () => (shown.value = undefined);
  if (editing.value) return null;
  return (
    <>
      <IconButton label={say("more")} onClick={() => (shown.value = "menu")}>
        <Icon of={Plus} />
      </IconButton>
      {shown.value === "menu" && (
        <Dialog title={say("more")} onClose={close}>
          <div class="desk-menu">
            {KINDS.map(([kind, icon]) => (
              <Button key={kind} look="quiet" onClick={() => (shown.value = kind)}>
                <Icon of={icon} />
                {say(kind)}
              </Button>
            ))}
          </div>
        </Dialog>
      )}
      {shown.value === "template" && <TemplateDialog onClose={close} />}
      {shown.value && shown.value !== "menu" && shown.value !== "template" && (
        <KindDialog kind={shown.value} onClose={close} />
      )}
    </>
  );
}
