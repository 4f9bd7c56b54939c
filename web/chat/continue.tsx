import { useSignal } from "@preact/signals";
import { HubError, type Links } from "@session-hub/client";
import { useEffect } from "preact/hooks";
import { Button } from "../kit/components/button.tsx";
import { texts } from "./texts/index.ts";
import type { Visit } from "./visit.ts";

const NAMES: Record<string, string> = { telegram: "Telegram", whatsapp: "WhatsApp" };

/** Links and codes with which the visitor goes on in a messenger. Whoever uses one joins this session. */
export function Continue({ visit, onBack }: { readonly visit: Visit; readonly onBack: () => void }) {
  const links = useSignal<Links | undefined>(undefined);
  const problem = useSignal("");
  useEffect(() => {
    const leaving = new AbortController();
    const load = async () => {
      try {
        await visit.open();
        links.value = await visit.hub.verify.link({ signal: leaving.signal });
        if (Object.keys(links.value.links).length === 0) problem.value = texts.say("continue_none");
      } catch (error) {
        if (leaving.signal.aborted) return;
        const isProof = error instanceof HubError && error.code === "verification_required";
        problem.value = texts.say(isProof ? "continue_proof" : "continue_failed");
      }
    };
    void load();
    return () => leaving.abort();
  }, []);
  return (
    <div class="panel">
      <h3>{texts.say("continue_on")}</h3>
      {problem.value ? <p role="alert">{problem}</p> : <p>{texts.say("continue_how")}</p>}
      {Object.entries(links.value?.links ?? {}).map(([name, url]) => {
        const messenger = NAMES[name] ?? name;
        return (
          <figure key={name}>
            <img
              src={`data:image/svg+xml,${encodeURIComponent(links.value!.qr[name]!)}`}
              alt={texts.say("qr_of", { messenger })}
            />
            <a class="k-button" href={url} target="_blank" rel="noopener noreferrer">
              {texts.say("open_in", { messenger })}
            </a>
          </figure>
        );
      })}
      <Button look="quiet" onClick={onBack}>
        {texts.say("cancel")}
      </Button>
    </div>
  );
}
