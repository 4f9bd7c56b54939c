/** `/kit`, in development only: every component of the kit, in both themes and in each language. */
import "./page.css";
import "./kit-page.css";
import { signal } from "@preact/signals";
import { Trash2 } from "lucide";
import { render } from "preact";
import { Avatar } from "./components/avatar.tsx";
import { Bubble } from "./components/bubble.tsx";
import { Button, IconButton } from "./components/button.tsx";
import { Composer } from "./components/composer.tsx";
import { Dialog } from "./components/dialog.tsx";
import { Field } from "./components/field.tsx";
import { Icon } from "./components/icon.tsx";
import { List, Row } from "./components/list.tsx";
import { Marked } from "./components/marked.tsx";
import { showToast, Toasts } from "./components/toasts.tsx";
import { Typing } from "./components/typing.tsx";
import { dressPage } from "./dress-page.ts";
import { directionOf, languageOf } from "./i18n/languages.ts";

const draft = signal("");
const chosen = signal(0);
const asks = signal(false);
const query = new URLSearchParams(location.search);
const language = languageOf(query.get("language"), navigator.language);

dressPage({ language, dir: directionOf(language), title: "Kit" });
const theme = query.get("theme");
if (theme) document.documentElement.dataset.theme = theme;
render(<Kit />, document.body);

function Kit() {
  const now = new Date();
  return (
    <main class="kit">
      <h1>Kit</h1>
      <section aria-label="Buttons">
        <Button onClick={() => showToast("Saved")}>Save</Button>
        <Button look="quiet">Cancel</Button>
        <Button look="bare">More</Button>
        <Button look="danger" onClick={() => (asks.value = true)}>
          Delete
        </Button>
        <Button disabled>Not now</Button>
        <IconButton label="Delete this">
          <Icon of={Trash2} />
        </IconButton>
        <span class="k-badge">3</span>
      </section>
      <section aria-label="Fields">
        <Field label="Name" hint="As on the ticket">
          {(input) => <input {...input} />}
        </Field>
        <Field label="Phone" error="Write it with the country: +49 …">
          {(input) => <input {...input} type="tel" value="0151" />}
        </Field>
      </section>
      <List label="People">
        {["Ana Silva", "علي حسن", "प्रिया शर्मा"].map((name, i) => (
          <Row key={name} current={chosen.value === i} onClick={() => (chosen.value = i)}>
            <Avatar name={name} />
            {name}
          </Row>
        ))}
      </List>
      <section class="kit-thread" aria-label="Conversation">
        <div class="k-log" role="log" tabIndex={0} aria-label="Messages">
          <Bubble side="system" author="Hub">
            The language is English now
          </Bubble>
          <Bubble side="other" author="Shop" showsAuthor at={now}>
            <Marked
              text={"**Two** tickets for _Friday_: [the plan](https://shop.example/plan)"}
              format="markdown"
            />
          </Bubble>
          <Bubble side="own" author="You" at={now} ticks={{ status: "read", label: "read" }}>
            <Marked text="मुझे दो टिकट चाहिए" />
          </Bubble>
          <Bubble
            side="note"
            author="Ana"
            showsAuthor
            at={now}
            ticks={{ status: "failed", label: "not sent" }}
          >
            <Marked text="أحتاج إلى تذكرتين" />
          </Bubble>
          <Typing label="The shop is writing" />
        </div>
        <Composer
          label="Message"
          sendLabel="Send"
          value={draft.value}
          onInput={(text) => (draft.value = text)}
          onSend={(text) => {
            draft.value = "";
            showToast(text);
          }}
        />
      </section>
      {asks.value && (
        <Dialog title="Delete it?" onClose={() => (asks.value = false)}>
          <p>It cannot be brought back.</p>
          <div class="k-actions">
            <Button look="quiet" onClick={() => (asks.value = false)}>
              Keep
            </Button>
            <Button look="danger" onClick={() => (asks.value = false)}>
              Delete
            </Button>
          </div>
        </Dialog>
      )}
      <Toasts />
    </main>
  );
}
