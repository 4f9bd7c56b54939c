import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { violations } from "../support/accessibility.ts";
import { openPage } from "../support/browser.ts";
import { post } from "../support/http.ts";
import { desk, PASSWORD, row, seen, shots, signedIn, user, visitor, write } from "./desk-shop.ts";

describe("the desk", () => {
  test("two operators and one customer: nothing is missed, answered twice or taken twice", async () => {
    const [ana, bob] = [await signedIn("Ana"), await signedIn("Bob")];
    const anna = await visitor("Anna Berg");
    await anna.say("Hello");
    await expect.poll(anna.texts).toHaveLength(2);
    await anna.say("agent");
    for (const { page } of [ana, bob]) {
      await row(page, "Anna Berg").click();
      await seen(page, "agent");
    }
    await ana.page.locator(".desk-others", { hasText: "Bob" }).waitFor();
    await ana.page.locator(".desk-head .k-button", { hasText: "Take over" }).click();
    await bob.page.locator(".desk-holder", { hasText: "Ana has it" }).waitFor();
    await write(ana.page, "Here I am");
    await seen(bob.page, "Here I am");
    // Bob writes all the same, and is told who has it.
    await write(bob.page, "Me too");
    await bob.page.locator(".k-toast", { hasText: "Ana has this conversation" }).waitFor();
    expect(await bob.page.locator(".desk-writing textarea").inputValue()).toBe("Me too");
    await anna.say("Thank you");
    await seen(ana.page, "Thank you");
    await seen(bob.page, "Thank you");
    // A private note, which the customer does not see.
    await ana.page.locator(".desk-modes .k-button", { hasText: "Note" }).click();
    await write(ana.page, "Is a regular @Bob");
    await bob.page.locator(".desk-note", { hasText: "Is a regular" }).waitFor();
    await ana.page.locator(".desk-head .k-button", { hasText: "Close" }).click();
    await bob.page.locator(".desk-holder", { hasText: "The bot has it" }).waitFor();
    await anna.say("Bye");
    await seen(ana.page, "Bot: Bye");
    expect(await anna.texts()).toEqual([
      "user: Hello",
      "assistant: Bot: Hello",
      "user: agent",
      "assistant: A person will answer you here soon.",
      "operator: Here I am",
      "user: Thank you",
      "user: Bye",
      "assistant: Bot: Bye",
    ]);
    for (const { complaints, foreign } of [ana, bob]) {
      // A refusal is an answer, but the browser logs each.
      expect(complaints.filter((line) => !line.includes("409"))).toEqual([]);
      expect(foreign).toEqual([]);
    }
  });

  test("somebody has answered since one looked: a dialog says so, and it is sent on purpose only", async () => {
    const ben = await visitor("Ben Olsen");
    const { page } = await signedIn("Cleo");
    await ben.say("first");
    await page.locator(".desk-views .k-button", { hasText: "All" }).click();
    await row(page, "Ben Olsen").click();
    await seen(page, "Bot: first");
    // The page is cut off, and the bot answers meanwhile.
    await page.route("**/api/conversations/changes**", (route) => route.abort());
    await page.route("**/messages?**", (route) => route.abort());
    await ben.say("second");
    await new Promise((go) => setTimeout(go, 700));
    await write(page, "An old thought");
    await page.locator("dialog", { hasText: "Bot has answered since you looked" }).waitFor();
    expect((await ben.texts()).filter((line) => line.startsWith("operator"))).toEqual([]);
    await page.unroute("**/messages?**");
    await page.locator("dialog .k-button", { hasText: "Send anyway" }).click();
    await seen(page, "An old thought");
    expect((await ben.texts()).filter((line) => line.startsWith("operator"))).toEqual([
      "operator: An old thought",
    ]);
  });

  test("after a break of the line everything that came is there, and what was written is not lost", async () => {
    const cy = await visitor("Cy Young");
    const { page } = await signedIn("Dora");
    await cy.say("before");
    await page.locator(".desk-views .k-button", { hasText: "All" }).click();
    await row(page, "Cy Young").click();
    await seen(page, "Bot: before");
    desk.isDown = true;
    try {
      await page.locator(".desk-offline").waitFor();
      for (let i = 0; i < 5; i++) await cy.say(`meanwhile ${i}`);
      await write(page, "Not now");
      await page.locator(".k-toast", { hasText: "Not sent" }).waitFor();
      expect(await page.locator(".desk-writing textarea").inputValue()).toBe("Not now");
    } finally {
      desk.isDown = false;
    }
    for (let i = 0; i < 5; i++) await seen(page, `Bot: meanwhile ${i}`);
    expect(await page.locator(".k-log .k-bubble").count()).toBe(12);
  });

  test("ten thousand conversations scroll: only those on the screen are in the page", async () => {
    const { page } = await signedIn("Eve");
    await page.route("**/api/conversations?**", async (route) => {
      const query = new URL(route.request().url()).searchParams;
      const first = Number(query.get("after")?.slice(0, 12) ?? 0);
      // The hub knows no such cursor.
      const answer = await route.fetch({ url: `${desk.url}/api/conversations?view=unassigned` });
      const body = (await answer.json()) as any;
      const now = new Date().toISOString();
      const one = (n: number) => ({
        customer_key: `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`,
        name: `Customer ${n}`,
        contact: null,
        channel: "web",
        holder: "waiting",
        user: null,
        unread: n % 3,
        overdue_at: null,
        last: { text: "Hello", kind: "text", at: now },
        last_at: now,
        handoff: null,
      });
      body.conversations = Array.from({ length: 5_000 }, (_, i) => one(first + i));
      body.cursor = first === 0 ? `${String(5_000).padStart(12, "0")}~cursor` : null;
      await route.fulfill({ response: answer, json: body });
    });
    await page.locator(".desk-views .k-button", { hasText: "Unassigned" }).click();
    await row(page, "Customer 1").first().waitFor();
    const scroll = (to: number) => page.evaluate(`document.querySelector(".desk-rows").scrollTop = ${to}`);
    await scroll(5_000 * 76);
    await row(page, "Customer 5001").waitFor();
    const slow = await page.evaluate(`(async () => {
      const box = document.querySelector(".desk-rows");
      let slow = 0;
      let last = performance.now();
      for (let i = 0; i < 60; i++) {
        box.scrollTop = i * 12000;
        await new Promise(requestAnimationFrame);
        const now = performance.now();
        if (now - last > 100) slow++;
        last = now;
      }
      return slow;
    })()`);
    expect(slow).toBeLessThan(15);
    await scroll(9_999 * 76);
    await row(page, "Customer 9999").waitFor();
    expect(await page.locator(".desk-rows .k-row").count()).toBeLessThan(60);
  });

  test("keys, canned replies and numbers", async () => {
    const fay = await visitor("Fay Wong");
    const { page } = await signedIn("Gus");
    await fay.say("human");
    await page.locator(".desk-views .k-button", { hasText: "Unassigned" }).click();
    await row(page, "Fay Wong").click();
    await seen(page, "human");
    const token = await page.evaluate(`sessionStorage.getItem("hub.desk.token")`);
    const bearer = { authorization: `Bearer ${token}` };
    const saved = { title: "Greeting", replies: [{ kind: "text", text: "Hello {name}!" }] };
    await desk.hub.request("/api/canned-replies/hello", { ...post(saved, bearer), method: "PUT" });
    await page.reload();
    await page.locator(".desk-views .k-button", { hasText: "Unassigned" }).click();
    await row(page, "Fay Wong").click();
    await page.locator(".desk-holder", { hasText: "Waits" }).waitFor();
    await page.locator("h1").click();
    await page.keyboard.press("t");
    await page.locator(".desk-holder", { hasText: "You have it" }).waitFor();
    await page.keyboard.press("r");
    await page.keyboard.type("/hel");
    await page.keyboard.press("Enter");
    expect(await page.locator(".desk-writing textarea").inputValue()).toBe("Hello Fay Wong!");
    await page.keyboard.press("Enter");
    await seen(page, "Hello Fay Wong!");
    await page.keyboard.press("Escape");
    await page.keyboard.press("?");
    await page.locator("dialog", { hasText: "Keyboard shortcuts" }).waitFor();
    await page.keyboard.press("Escape");
    await page.locator('button[aria-label="Numbers"]').click();
    await page.locator(".desk-numbers dt", { hasText: "Handoffs" }).waitFor();
    expect(await violations(page)).toEqual([]);
  });

  test.each([
    ["light", "en", 1280],
    ["dark", "en", 1280],
    ["light", "ar", 1280],
    ["dark", "hi", 820],
    ["light", "ar", 390],
  ] as const)("is readable by everybody: %s, %s, %i px wide", async (theme, language, width) => {
    const { page } = await openPage({
      hosts: [new URL(desk.url).host],
      colorScheme: theme,
      viewport: { width, height: 800 },
    });
    await page.goto(`${desk.url}/desk?language=${language}`);
    await page.locator("input[type=email]").waitFor();
    expect(await violations(page)).toEqual([]);
    expect(await page.evaluate("document.documentElement.dir")).toBe(language === "ar" ? "rtl" : "ltr");
    const gil = await visitor(`Gil ${theme} ${language} ${width}`);
    await gil.say("agent");
    await page.locator("input[type=email]").fill(await user("Hal"));
    await page.locator("input[type=password]").fill(PASSWORD);
    await page.locator("button[type=submit]").click();
    await row(page, `Gil ${theme} ${language} ${width}`).click();
    await seen(page, "agent");
    if (width > 1120) await page.locator(".desk-customer").waitFor();
    expect(await violations(page)).toEqual([]);
    await page.screenshot({ path: join(shots, `desk-${theme}-${language}-${width}.png`) });
  });

  test("a sign-in that is over leads back to the form, and wipes what was there", async () => {
    const { page } = await signedIn("Ivy");
    const ida = await visitor("Ida Noon");
    await ida.say("agent");
    await row(page, "Ida Noon").click();
    await page.locator('button[aria-label="Sign out"]').click();
    await page.locator("input[type=password]").waitFor();
    expect(await page.evaluate(`sessionStorage.length + localStorage.length + document.cookie.length`)).toBe(
      0,
    );
    expect(await page.locator("body").textContent()).not.toContain("Ida Noon");
    await page.locator("input[type=email]").fill("nobody@shop.example");
    await page.locator("input[type=password]").fill("wrong password");
    await page.locator("button[type=submit]").click();
    await page.locator('[role="alert"]', { hasText: "does not sign anybody in" }).waitFor();
  });
});
