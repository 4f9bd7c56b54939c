import type { Stack } from "./stack.ts";

/** Who signs in at the desk of a local hub. */
export const DESK_USER = { email: "admin@localhost.example", name: "Local admin", role: "admin" } as const;

/** Adds the local user of the desk, unless an earlier start has. Throws if the hub refuses it. */
export async function addDeskUser({ worker, settings }: Pick<Stack, "worker" | "settings">): Promise<void> {
  const answer = await fetch(`${worker.url}/api/users`, {
    method: "POST",
    headers: { "content-type": "application/json", "x-api-key": settings.vars.ADMIN_API_KEY! },
    body: JSON.stringify(DESK_USER),
    signal: AbortSignal.timeout(10_000),
  });
  if (!answer.ok && answer.status !== 409)
    throw new Error(`the desk's user was not added: ${answer.status} ${await answer.text()}`);
}
