import { describe } from "vitest";
import { batches } from "./batches.ts";
import { blocked } from "./blocked.ts";
import { claims } from "./claims.ts";
import { codes } from "./codes.ts";
import { deliveries } from "./deliveries.ts";
import { devices } from "./devices.ts";
import { exchange } from "./exchange.ts";
import { freshness } from "./freshness.ts";
import type { Make } from "./given.ts";
import { history } from "./history.ts";
import { housekeeping } from "./housekeeping.ts";
import { journaled } from "./journaled.ts";
import { links } from "./links.ts";
import { merging } from "./merging.ts";
import { moves } from "./moves.ts";
import { notified } from "./notified.ts";
import { opening } from "./opening.ts";
import { operations } from "./operations.ts";
import { pace } from "./pace.ts";
import { passwords } from "./passwords.ts";
import { privacy } from "./privacy.ts";
import { retention } from "./retention.ts";
import { sessions } from "./sessions.ts";
import { tokens } from "./tokens.ts";
import { turns } from "./turns.ts";

/** What every store promises, whatever it keeps its state in. */
export function storeContract(name: string, make: Make): void {
  describe(name, () => {
    describe("a message and its session", () => opening(make));
    describe("one person under several identities", () => merging(make));
    describe("turns", () => turns(make));
    describe("turns of several messages, and of edits", () => batches(make));
    describe("deliveries", () => deliveries(make));
    describe("customers who blocked us", () => blocked(make));
    describe("pace", () => pace(make));
    describe("what platforms tell of messages and people", () => notified(make));
    describe("sessions of frontends", () => sessions(make));
    describe("history", () => history(make));
    describe("tokens", () => tokens(make));
    describe("claimed phones", () => claims(make));
    describe("identities that move", () => moves(make));
    describe("one-time codes", () => codes(make));
    describe("links to scan", () => links(make));
    describe("the token of a device whose link is scanned", () => exchange(make));
    describe("passwords", () => passwords(make));
    describe("what outlasts a token", () => freshness(make));
    describe("devices", () => devices(make));
    describe("privacy", () => privacy(make));
    describe("retention", () => retention(make));
    describe("operations", () => operations(make));
    describe("housekeeping", () => housekeeping(make));
    describe("what waited in the journal", () => journaled(make));
  });
}
