/**
 * The kiosk's service worker: the page and its files, so that it starts without a network. It keeps no answer of the hub,
 * and so nothing of any customer.
 */
declare const FILES: readonly string[];
declare const VERSION: string;

interface Lifecycle extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface Fetching extends Event {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}

const NAME = `kiosk ${VERSION}`;
/** How long the newest page is waited for before the kept one is shown. */
const PATIENCE_MS = 2_000;
const worker = self as unknown as {
  addEventListener(type: string, listener: (event: never) => void): void;
  skipWaiting(): Promise<void>;
  clients: { claim(): Promise<void> };
};

worker.addEventListener("install", (event: Lifecycle) => {
  event.waitUntil(caches.open(NAME).then((cache) => cache.addAll([...FILES])));
  void worker.skipWaiting();
});

worker.addEventListener("activate", (event: Lifecycle) => {
  const clean = async () => {
    for (const name of await caches.keys())
      if (name !== NAME && name.startsWith("kiosk ")) await caches.delete(name);
    await worker.clients.claim();
  };
  event.waitUntil(clean());
});

worker.addEventListener("fetch", (event: Fetching) => {
  const { pathname, origin } = new URL(event.request.url);
  if (event.request.method !== "GET" || origin !== location.origin || !FILES.includes(pathname)) return;
  event.respondWith(pathname === "/kiosk" ? page(event.request) : kept(event.request));
});

async function kept(request: Request): Promise<Response> {
  return (await caches.match(request, { ignoreSearch: true })) ?? fetch(request);
}

async function page(request: Request): Promise<Response> {
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (answer.ok) return answer;
  } catch {
    // No network, or a hub that does not answer.
  }
  return kept(request);
}
