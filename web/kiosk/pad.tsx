import { Delete } from "lucide";
import { IconButton } from "../kit/components/button.tsx";
import { Icon } from "../kit/components/icon.tsx";
import { texts } from "./texts/index.ts";

/** Large keys for digits. A keyboard works too: its keys are taken by the field above. */
export function Pad({
  onDigit,
  onDelete,
}: {
  readonly onDigit: (digit: string) => void;
  readonly onDelete: () => void;
}) {
  return (
    <div class="pad" dir="ltr">
      {["1", "2", "3", "4", "5", "6", "7", "8", "9", "", "0"].map((digit, i) =>
        digit === "" ? (
          <span key={i} />
        ) : (
          <button key={digit} type="button" class="pad-key" onClick={() => onDigit(digit)}>
            {digit}
          </button>
        ),
      )}
      <IconButton look="quiet" label={texts.say("delete_digit")} onClick={onDelete}>
        <Icon of={Delete} />
      </IconButton>
    </div>
  );
}
