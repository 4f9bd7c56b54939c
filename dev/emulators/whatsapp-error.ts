import { randomBytes } from "node:crypto";
import type { Fields } from "./fields.ts";

const ERROR_CODES = "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/";

// Code -> HTTP status, title, details.
// https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
const KNOWN: Record<number, readonly [status: number, title: string, details?: string]> = {
  1: [500, "An unknown error occurred"],
  2: [503, "Service temporarily unavailable"],
  4: [400, "Application request limit reached"],
  100: [400, "Invalid parameter"],
  190: [401, "Invalid OAuth access token - Cannot parse access token"],
  368: [403, "Temporarily blocked for policies violations"],
  803: [404, "Some of the aliases you requested do not exist"],
  80007: [400, "Rate limit issues"],
  130429: [
    429,
    "Rate limit hit",
    "Message failed to send because there were too many messages sent from this phone number in a short period of time",
  ],
  131000: [500, "Something went wrong"],
  131008: [400, "Required parameter is missing"],
  131009: [400, "Parameter value is not valid"],
  131026: [400, "Message undeliverable", "Message Undeliverable."],
  131031: [403, "Business Account locked"],
  131047: [
    400,
    "Re-engagement message",
    "Message failed to send because more than 24 hours have passed since the customer last replied to this number.",
  ],
  131048: [
    400,
    "Spam rate limit hit",
    "Message failed to send because there are restrictions on how many messages can be sent from this phone number.",
  ],
  131051: [400, "Unsupported message type", "Message type is not currently supported."],
  131053: [400, "Media upload error"],
  131056: [
    400,
    "(Business Account, Consumer Account) pair rate limit hit",
    "Message failed to send because there were too many messages sent from this phone number to the same phone number in a short period of time",
  ],
  130472: [400, "User's number is part of an experiment"],
  132000: [400, "Template Param Count Mismatch"],
  132001: [404, "Template name does not exist in the translation"],
  132005: [400, "Template Hydrated Text Too Long"],
  132007: [400, "Template Format Character Policy Violated"],
  132012: [400, "Template Parameter Format Mismatch"],
  132015: [400, "Template is Paused"],
  132016: [400, "Template is Disabled"],
  132018: [400, "Template Param Text Not Allowed"],
};

export interface GraphAnswer {
  readonly status: number;
  readonly body: Fields;
  /** The `Retry-After` header, in seconds. */
  readonly retryAfter?: number;
}
/** The answer of the Graph API to a refused call. */
export interface GraphError extends GraphAnswer {
  readonly body: { readonly error: Fields };
}

/** The platform's answer for an error code. `details` replaces the usual details. */
export function graphError(code: number, details?: string, status?: number): GraphError {
  const [usual, title, usualDetails] = KNOWN[code] ?? [400, "Unknown error"];
  return {
    status: status ?? usual,
    body: errorBody(
      code,
      code < 100 || code === 190 ? title : `(#${code}) ${title}`,
      details ?? usualDetails,
    ),
  };
}

/** An error (#100) whose message names the parameter, as the Graph API's own checks do. */
export function wrongParameter(sentence: string): GraphError {
  return { status: 400, body: errorBody(100, `(#100) ${sentence}`) };
}

export function unknownObject(verb: "get" | "post", id: string): GraphError {
  const message = `Unsupported ${verb} request. Object with ID '${id}' does not exist, cannot be loaded due to missing permissions, or does not support this operation. Please read the Graph API documentation at https://developers.facebook.com/docs/graph-api`;
  const error = { message, type: "GraphMethodException", code: 100, error_subcode: 33, fbtrace_id: trace() };
  return { status: 400, body: { error } };
}

/** The error in the form of a `failed` status. */
export function statusError(code: number): Fields {
  const [, title, details] = KNOWN[code] ?? [400, "Unknown error"];
  return { code, title, message: title, ...(details && { error_data: { details } }), href: ERROR_CODES };
}

function errorBody(code: number, message: string, details?: string): { error: Fields } {
  const error_data = details && { error_data: { messaging_product: "whatsapp", details } };
  return { error: { message, type: "OAuthException", code, ...error_data, fbtrace_id: trace() } };
}

function trace(): string {
  return `A${randomBytes(16).toString("base64url")}`;
}
