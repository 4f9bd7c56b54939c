import { Toasts } from "../kit/components/toasts.tsx";
import { Device } from "./device.tsx";
import { Inside } from "./inside.tsx";
import { connected, shown } from "./state.ts";
import { TopBar } from "./top-bar.tsx";
import { say } from "./words.ts";

/** The page: four devices side by side, and beside them the hub. */
export function App() {
  return (
    <>
      <TopBar />
      <main class="s-main" aria-busy={!shown.value}>
        {shown.value && (
          <>
            <section class="s-devices" aria-label={say("devices")} tabIndex={0}>
              <Device name="telegram" />
              <Device name="whatsapp" />
              <Device name="kiosk" />
              <Device name="web" />
            </section>
            <Inside />
          </>
        )}
      </main>
      {shown.value && !connected.value && (
        <p class="s-lost" role="alert">
          {say("lost")}
        </p>
      )}
      <Toasts />
    </>
  );
}
