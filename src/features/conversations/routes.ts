import type { App, AppOptions } from "../../http/request.ts";
import { addCannedReplies } from "./canned-routes.ts";
import { addHolding } from "./hold-routes.ts";
import { addConversationLists } from "./list-routes.ts";
import { addNotes } from "./note-routes.ts";
import { addRepairs } from "./repair-routes.ts";
import { addOperatorReplies } from "./reply-routes.ts";

/** Registers the desk: conversations, who has them, and what people of the shop write in them. */
export function addConversations(app: App, options: AppOptions): void {
  addConversationLists(app, options);
  addHolding(app);
  addOperatorReplies(app, options);
  addNotes(app);
  addCannedReplies(app);
  addRepairs(app, options);
}
