import type { Message } from "@grammyjs/types";
import type { ReadableField } from "./content.ts";

/** The fields around a message's content: sender, chat, time, the message that it answers. */
type Surroundings = keyof Message.MediaMessage | "entities" | "suggested_post_info";

type ServiceField = Exclude<keyof Message, Surroundings | ReadableField>;

/** All fields of service messages. The compiler reports a missing one when the Bot API gets new fields. */
const SERVICE: Readonly<Record<ServiceField, true>> = {
  boost_added: true,
  channel_chat_created: true,
  chat_background_set: true,
  chat_owner_changed: true,
  chat_owner_left: true,
  chat_shared: true,
  checklist_tasks_added: true,
  checklist_tasks_done: true,
  community_chat_added: true,
  community_chat_joined: true,
  community_chat_removed: true,
  connected_website: true,
  delete_chat_photo: true,
  direct_message_price_changed: true,
  forum_topic_closed: true,
  forum_topic_created: true,
  forum_topic_edited: true,
  forum_topic_reopened: true,
  general_forum_topic_hidden: true,
  general_forum_topic_unhidden: true,
  gift: true,
  gift_upgrade_sent: true,
  giveaway_completed: true,
  giveaway_created: true,
  group_chat_created: true,
  left_chat_member: true,
  managed_bot_created: true,
  message_auto_delete_timer_changed: true,
  migrate_from_chat_id: true,
  migrate_to_chat_id: true,
  new_chat_members: true,
  new_chat_photo: true,
  new_chat_title: true,
  paid_message_price_changed: true,
  passport_data: true,
  pinned_message: true,
  poll_option_added: true,
  poll_option_deleted: true,
  proximity_alert_triggered: true,
  refunded_payment: true,
  successful_payment: true,
  suggested_post_approval_failed: true,
  suggested_post_approved: true,
  suggested_post_declined: true,
  suggested_post_paid: true,
  suggested_post_refunded: true,
  supergroup_chat_created: true,
  unique_gift: true,
  users_shared: true,
  video_chat_ended: true,
  video_chat_participants_invited: true,
  video_chat_scheduled: true,
  video_chat_started: true,
  write_access_allowed: true,
};

/** The name of the event, if the message is a notice of the platform and not from a person. */
export function serviceOf(message: object): string | undefined {
  return Object.keys(message).find((field) => Object.hasOwn(SERVICE, field));
}
