// Generated from the hub's API description by `npm run types -w clients/js`. Do not edit.

export interface paths {
    "/session/start": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": {
                        /**
                         * @description `chat` is another name of `web`.
                         * @example telegram
                         * @enum {string}
                         */
                        channel: "telegram" | "whatsapp" | "kiosk" | "web" | "chat";
                        /** @example +493012345678 */
                        phone?: string | null;
                        telegram_chat_id?: string | number | null;
                        /**
                         * @description WhatsApp's business-scoped user id, for a user whose phone is not known.
                         * @example US.13491208655302741918
                         */
                        whatsapp_user_id?: string | null;
                        /** @description The shop's own id of the customer, stored as text. */
                        customer_id?: string | number | null;
                        data?: {
                            [key: string]: unknown;
                        } | null;
                        /** @description The shop's public id, for a page of an allowed origin. Without WEB_PUBLIC_ID it is refused. */
                        public_id?: string;
                        /** @description The customer, as the shop's server has signed them: HMAC-SHA256 of `<customer_id>.<expires_at>` with WEB_IDENTITY_SECRET, in hex. It counts as the word of a web key about this `customer_id`. */
                        identity?: {
                            customer_id: string | number;
                            /** @description Unix seconds; at most a day ahead. */
                            expires_at: number;
                            signature: string;
                        };
                    };
                };
            };
            responses: {
                /** @description The session, and the device's token, which is shown only here. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            session_token: string;
                            session: components["schemas"]["Session"];
                            /** @description The fields that the hub did not take, because they contradict what it knows: this customer has another `customer_id`, or another customer has this one. The value is kept in `metadata.merge_conflicts`. */
                            conflicts?: "customer_id"[];
                        };
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/session/restore": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": {
                        /**
                         * @description `chat` is another name of `web`.
                         * @example telegram
                         * @enum {string}
                         */
                        channel?: "telegram" | "whatsapp" | "kiosk" | "web" | "chat";
                        /** @example +493012345678 */
                        phone?: string | null;
                        telegram_chat_id?: string | number | null;
                        /**
                         * @description WhatsApp's business-scoped user id, for a user whose phone is not known.
                         * @example US.13491208655302741918
                         */
                        whatsapp_user_id?: string | null;
                        customer_id?: string | number | null;
                    };
                };
            };
            responses: {
                /** @description The session, and a new token if it was found without one. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            session_token?: string;
                            session: components["schemas"]["Session"];
                            /** @description The fields that the hub did not take, because they contradict what it knows: this customer has another `customer_id`, or another customer has this one. The value is kept in `metadata.merge_conflicts`. */
                            conflicts?: "customer_id"[];
                            /** @description The session's language, a BCP 47 tag. */
                            language: string | null;
                            /**
                             * @description The direction in which that language is written.
                             * @enum {string}
                             */
                            dir: "ltr" | "rtl";
                            /** @description The languages to offer. With a single one there is no choice. In `LANGUAGE_MODE` `auto` others are accepted too. */
                            languages: string[];
                        };
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/session/update": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: {
                    "If-Match"?: string;
                };
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": {
                        data?: {
                            [key: string]: unknown;
                        };
                        metadata?: {
                            [key: string]: unknown;
                        };
                        message?: string | {
                            text: string;
                            /**
                             * @default user
                             * @enum {string}
                             */
                            role?: "user" | "assistant";
                            external_id?: string;
                        };
                        /**
                         * @description `chat` is another name of `web`.
                         * @example telegram
                         * @enum {string}
                         */
                        channel?: "telegram" | "whatsapp" | "kiosk" | "web" | "chat";
                        /** @example hi */
                        language?: string;
                        /** @description The shop's own id of the customer, to be saved; only with an API key. With a key and nothing else that names a session: the customer whose active session is changed. */
                        customer_id?: string | number;
                        /** Format: uuid */
                        session_id?: string;
                        /** @example +493012345678 */
                        phone?: string | null;
                        telegram_chat_id?: string | number | null;
                        /**
                         * @description WhatsApp's business-scoped user id, for a user whose phone is not known.
                         * @example US.13491208655302741918
                         */
                        whatsapp_user_id?: string | null;
                    };
                };
            };
            responses: {
                /** @description The session after the change. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            session: components["schemas"]["Session"];
                            /** @description The fields that the hub did not take, because they contradict what it knows: this customer has another `customer_id`, or another customer has this one. The value is kept in `metadata.merge_conflicts`. */
                            conflicts?: "customer_id"[];
                        };
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/session/end": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: {
                content: {
                    "application/json": {
                        /** @description What the session was about. */
                        summary?: string;
                        /** @example 5 */
                        rating?: number;
                        /** @example Quick and friendly */
                        feedback?: string;
                    };
                };
            };
            responses: {
                /** @description The session as it ended. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            session: components["schemas"]["Session"];
                        };
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/session/signout": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Whether the token was still alive. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            signed_out: boolean;
                        };
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/session/messages": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get: {
            parameters: {
                query?: {
                    /** @description The cursor of the previous page. Without it: from the beginning. */
                    after?: string;
                    limit?: number;
                    wait?: number | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description A page of messages. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            messages: components["schemas"]["Message"][];
                            /** @description Opaque: pass it as `after`. */
                            cursor: string;
                            /** @description Whether there is a next page now. */
                            more: boolean;
                            /** @description Opaque. It changes when the session merges with another one: then read the messages from the beginning again, because some that you do not have may lie before your cursor. */
                            epoch: string;
                        };
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/session/verify": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": {
                        /** @example +493012345678 */
                        phone: string;
                        code?: string;
                        /**
                         * @description The channel of this device. Default: `kiosk` with a kiosk's key or token, else `web`.
                         * @example telegram
                         * @enum {string}
                         */
                        channel?: "telegram" | "whatsapp" | "kiosk" | "web" | "chat";
                        /** @description The customer's answer to `merge_required`. Another person may have signed in on this device before, so never send `true` without asking. */
                        merge?: boolean;
                    };
                };
            };
            responses: {
                /** @description With `code`: the session, and the device's new token; its old token is dead. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            session_token: string;
                            session: components["schemas"]["Session"];
                            /** @description The fields that the hub did not take, because they contradict what it knows: this customer has another `customer_id`, or another customer has this one. The value is kept in `metadata.merge_conflicts`. */
                            conflicts?: "customer_id"[];
                        };
                    };
                };
                /** @description Without `code`: a code was sent if the phone has an address. */
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            /** @enum {string} */
                            sent: "if_known";
                            /** @description Seconds. */
                            expires_in: number;
                        };
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/session/link": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The links. A messenger that is not configured is absent. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            /** @description By channel, to open on this device. */
                            links: {
                                [key: string]: string;
                            };
                            /** @description The same as SVG, to scan with another device. */
                            qr: {
                                [key: string]: string;
                            };
                            /** Format: date-time */
                            expires_at: string;
                            /** @description The device's token once this link is used; before that it opens nothing. It is shown only here. Of several links only the used one's token becomes valid. */
                            session_token: string;
                        };
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/auth/login": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": {
                        /** @example +493012345678 */
                        phone: string;
                        /** Format: password */
                        password: string;
                        /**
                         * @description `chat` is another name of `web`.
                         * @example telegram
                         * @enum {string}
                         */
                        channel: "telegram" | "whatsapp" | "kiosk" | "web" | "chat";
                    };
                };
            };
            responses: {
                /** @description The session, and the device's new token; its old token is dead. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            session_token: string;
                            session: components["schemas"]["Session"];
                            /** @description The fields that the hub did not take, because they contradict what it knows: this customer has another `customer_id`, or another customer has this one. The value is kept in `metadata.merge_conflicts`. */
                            conflicts?: "customer_id"[];
                        };
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/sessions/{id}/rate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": {
                        /** @example 5 */
                        rating: number;
                        /** @example Quick and friendly */
                        feedback?: string | null;
                    };
                };
            };
            responses: {
                /** @description The saved rating. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            /** Format: uuid */
                            session_id: string;
                            rating: number;
                            feedback: string | null;
                        };
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/webhooks/web": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: {
                    wait?: number | null;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["CallerMessage"];
                };
            };
            responses: {
                /** @description Saved. */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            message: components["schemas"]["Message"];
                            session: components["schemas"]["Session"];
                            /** @description Stored before; nothing changed. */
                            duplicate: boolean;
                            /** @description Only with `wait`. */
                            replies?: components["schemas"]["Message"][];
                            /** @description Only with `wait`. `null` once the bot has answered or stayed silent, and while a person has the conversation. `retrying` and `dead` are failures. */
                            turn?: {
                                /**
                                 * @description `waiting`: the bot has not been asked yet. `running`: the bot is asked now. `retrying`: an attempt failed, and another one follows. `dead`: it failed for good, unless an operator retries it.
                                 * @enum {string}
                                 */
                                state: "waiting" | "running" | "retrying" | "dead";
                                /** @description How many times the bot was asked. */
                                attempt: number;
                                /** @description The hub's code of the last failure. */
                                code?: string;
                                /** @description The bot's own code of the failure, or the hub's. */
                                reason?: string;
                            } | null;
                        };
                    };
                };
                /** @description The database does not answer. The message is durable in the journal. It is stored and answered once the database is back, and is then in the messages. Its session and its id are not known yet. */
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            /** @enum {boolean} */
                            persisted: false;
                        };
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/media": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post: {
            parameters: {
                query?: {
                    /** @description The file's name, for the one who saves it. */
                    name?: string;
                    /** @description Whose file it is; with a key only. */
                    session?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/octet-stream": string;
                };
            };
            responses: {
                /** @description The stored file. */
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": {
                            upload: components["schemas"]["Upload"];
                        };
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        CallerMessage: {
            /** @description The caller's own id of this message. In one session each id is stored only once */
            external_id: string;
            /** @description The customer's phone, verified or claimed by the API key; E.164, or as dialled in DEFAULT_COUNTRY */
            phone?: string;
            /**
             * Format: uuid
             * @description The session_id of the customer's active session
             */
            session?: string;
            /** @description Short for a content of kind text */
            text?: string;
            /** @description A message of any other kind. Media is named by an id, never a URL; a contact is never the sender's own */
            content?: {
                /** @enum {string} */
                kind: "text";
                text: string;
                context?: {
                    forwarded?: boolean;
                    album_id?: string;
                    product?: {
                        catalog_id?: string;
                        product_id: string;
                    };
                    referral?: {
                        [key: string]: string;
                    };
                };
            } | {
                /** @enum {string} */
                kind: "image";
                media: {
                    id?: string;
                    /** Format: uuid */
                    upload?: string;
                    mime_type?: string;
                    sha256?: string;
                    file_name?: string;
                    size?: number;
                };
                caption?: string;
                context?: {
                    forwarded?: boolean;
                    album_id?: string;
                    product?: {
                        catalog_id?: string;
                        product_id: string;
                    };
                    referral?: {
                        [key: string]: string;
                    };
                };
            } | {
                /** @enum {string} */
                kind: "video";
                media: {
                    id?: string;
                    /** Format: uuid */
                    upload?: string;
                    mime_type?: string;
                    sha256?: string;
                    file_name?: string;
                    size?: number;
                };
                caption?: string;
                note?: boolean;
                context?: {
                    forwarded?: boolean;
                    album_id?: string;
                    product?: {
                        catalog_id?: string;
                        product_id: string;
                    };
                    referral?: {
                        [key: string]: string;
                    };
                };
            } | {
                /** @enum {string} */
                kind: "audio";
                media: {
                    id?: string;
                    /** Format: uuid */
                    upload?: string;
                    mime_type?: string;
                    sha256?: string;
                    file_name?: string;
                    size?: number;
                };
                caption?: string;
                voice?: boolean;
                context?: {
                    forwarded?: boolean;
                    album_id?: string;
                    product?: {
                        catalog_id?: string;
                        product_id: string;
                    };
                    referral?: {
                        [key: string]: string;
                    };
                };
            } | {
                /** @enum {string} */
                kind: "document";
                media: {
                    id?: string;
                    /** Format: uuid */
                    upload?: string;
                    mime_type?: string;
                    sha256?: string;
                    file_name?: string;
                    size?: number;
                };
                caption?: string;
                context?: {
                    forwarded?: boolean;
                    album_id?: string;
                    product?: {
                        catalog_id?: string;
                        product_id: string;
                    };
                    referral?: {
                        [key: string]: string;
                    };
                };
            } | {
                /** @enum {string} */
                kind: "sticker";
                media: {
                    id?: string;
                    /** Format: uuid */
                    upload?: string;
                    mime_type?: string;
                    sha256?: string;
                    file_name?: string;
                    size?: number;
                };
                emoji?: string;
                animated?: boolean;
                context?: {
                    forwarded?: boolean;
                    album_id?: string;
                    product?: {
                        catalog_id?: string;
                        product_id: string;
                    };
                    referral?: {
                        [key: string]: string;
                    };
                };
            } | {
                /** @enum {string} */
                kind: "location";
                latitude: number;
                longitude: number;
                name?: string;
                address?: string;
                live?: boolean;
                context?: {
                    forwarded?: boolean;
                    album_id?: string;
                    product?: {
                        catalog_id?: string;
                        product_id: string;
                    };
                    referral?: {
                        [key: string]: string;
                    };
                };
            } | {
                /** @enum {string} */
                kind: "contact";
                contacts: {
                    name?: string;
                    phones: string[];
                }[];
                own: boolean;
                context?: {
                    forwarded?: boolean;
                    album_id?: string;
                    product?: {
                        catalog_id?: string;
                        product_id: string;
                    };
                    referral?: {
                        [key: string]: string;
                    };
                };
            } | {
                /** @enum {string} */
                kind: "interaction";
                /** @enum {string} */
                interaction: "button" | "list" | "form" | "quick_reply" | "permission";
                id?: string;
                title?: string;
                description?: string;
                data?: {
                    [key: string]: unknown;
                } | string;
                context?: {
                    forwarded?: boolean;
                    album_id?: string;
                    product?: {
                        catalog_id?: string;
                        product_id: string;
                    };
                    referral?: {
                        [key: string]: string;
                    };
                };
            } | {
                /** @enum {string} */
                kind: "reaction";
                emoji: string | null;
                context?: {
                    forwarded?: boolean;
                    album_id?: string;
                    product?: {
                        catalog_id?: string;
                        product_id: string;
                    };
                    referral?: {
                        [key: string]: string;
                    };
                };
            } | {
                /** @enum {string} */
                kind: "order";
                catalog_id?: string;
                items: {
                    product_id: string;
                    quantity: number;
                    price?: number;
                    currency?: string;
                }[];
                note?: string;
                context?: {
                    forwarded?: boolean;
                    album_id?: string;
                    product?: {
                        catalog_id?: string;
                        product_id: string;
                    };
                    referral?: {
                        [key: string]: string;
                    };
                };
            };
            /** @description external_id of the message that this one answers or reacts to */
            reply_to?: string;
            /**
             * Format: date-time
             * @description When the customer sent it
             */
            sent_at?: string;
        };
        Error: {
            error: {
                /** @enum {string} */
                code: "unauthorized" | "forbidden" | "verification_required" | "language_not_allowed" | "code_invalid" | "password_invalid" | "malformed" | "phone_ambiguous" | "session_not_found" | "session_expired" | "thread_not_found" | "thread_expired" | "not_found" | "method_not_allowed" | "version_conflict" | "merge_required" | "rating_closed" | "precondition_failed" | "customer_conflict" | "idempotency_conflict" | "illegal_transition" | "order_conflict" | "not_changeable" | "endpoint_limit" | "conversation_taken" | "conversation_held" | "not_retryable" | "answered_since" | "user_exists" | "media_expired" | "media_too_large" | "payload_too_large" | "unsupported_media_type" | "media_type_refused" | "media_infected" | "too_many_requests" | "rejected" | "internal" | "needs_database" | "needs_storage" | "misconfigured" | "scan_unavailable" | "throttled" | "unavailable";
                /** @description For people. Of the request it holds at most the names of unknown fields. */
                message: string;
                request_id: string;
                /** @description With `merge_required`: what the caller must show the customer. With `customer_conflict`: where the customers differ. With `conversation_taken` and `answered_since`: who it was. With `not_changeable` and `not_retryable`: why. */
                details?: {
                    [key: string]: unknown;
                };
            };
        };
        LiveFrame: {
            /** @enum {string} */
            type: "message";
            message: components["schemas"]["Message"];
            /** @description Opaque: pass it as `after`. */
            cursor: string;
        } | {
            /** @enum {string} */
            type: "ready";
            /** @description Opaque: pass it as `after`. */
            cursor: string;
            /** @description Opaque. It changes when the session merges with another one: then read the messages from the beginning again, because some that you do not have may lie before your cursor. */
            epoch: string;
        } | {
            /** @enum {string} */
            type: "changed";
            message: components["schemas"]["Message"];
        } | {
            /** @enum {string} */
            type: "status";
            /** Format: uuid */
            message_id: string;
            /** @enum {string} */
            status: "pending" | "sent" | "delivered" | "read" | "played" | "failed";
        } | {
            /** @enum {string} */
            type: "typing";
            channel: string;
        } | {
            /** @enum {string} */
            type: "draft";
            /** Format: uuid */
            reply_to: string;
            channel: string;
            /** @description Where `text` begins in the draft, in UTF-16 units: `draft = draft.slice(0, at) + text`. With `at` 0 and an empty text the draft is gone. */
            at: number;
            text: string;
            /** @enum {string} */
            format?: "plain" | "markdown";
        } | {
            /** @enum {string} */
            type: "turn";
            /** Format: uuid */
            message_id: string;
            turn: components["schemas"]["Turn"];
        } | {
            /** @enum {string} */
            type: "session";
            session: components["schemas"]["Session"];
        };
        Message: {
            /** Format: uuid */
            message_id: string;
            /** Format: uuid */
            session_id: string;
            /** @description The order within the session. It rises, with gaps. */
            seq: number;
            channel: string;
            external_id: string | null;
            /**
             * @description `inbound`: from the customer. `outbound`: to them.
             * @enum {string}
             */
            direction: "inbound" | "outbound";
            /**
             * @description `user`: the customer. `assistant`: the bot. `operator`: a person of the shop, at the desk or in the platform's own app. `system`: the hub's own notices, and messages with a link token.
             * @enum {string}
             */
            role: "user" | "assistant" | "operator" | "system";
            /** @description The caller that sent it for its sender: `key:`, the API key's scope and the first 8 hex digits of its SHA-256; or `user:` and the id of the person at the desk. `null` if the sender sent it. */
            author: string | null;
            kind: string;
            text: string;
            /** @description Of a customer's message a `Content`, of the bot's a `Reply`. */
            content: {
                /** @enum {string} */
                kind: "text";
                text: string;
                context?: {
                    forwarded?: boolean;
                    album_id?: string;
                    product?: {
                        catalog_id?: string;
                        product_id: string;
                    };
                    referral?: {
                        [key: string]: string;
                    };
                };
            } | {
                /** @enum {string} */
                kind: "image";
                media: {
                    id?: string;
                    /** Format: uuid */
                    upload?: string;
                    mime_type?: string;
                    sha256?: string;
                    file_name?: string;
                    size?: number;
                };
                caption?: string;
                context?: {
                    forwarded?: boolean;
                    album_id?: string;
                    product?: {
                        catalog_id?: string;
                        product_id: string;
                    };
                    referral?: {
                        [key: string]: string;
                    };
                };
            } | {
                /** @enum {string} */
                kind: "video";
                media: {
                    id?: string;
                    /** Format: uuid */
                    upload?: string;
                    mime_type?: string;
                    sha256?: string;
                    file_name?: string;
                    size?: number;
                };
                caption?: string;
                note?: boolean;
                context?: {
                    forwarded?: boolean;
                    album_id?: string;
                    product?: {
                        catalog_id?: string;
                        product_id: string;
                    };
                    referral?: {
                        [key: string]: string;
                    };
                };
            } | {
                /** @enum {string} */
                kind: "audio";
                media: {
                    id?: string;
                    /** Format: uuid */
                    upload?: string;
                    mime_type?: string;
                    sha256?: string;
                    file_name?: string;
                    size?: number;
                };
                caption?: string;
                voice?: boolean;
                context?: {
                    forwarded?: boolean;
                    album_id?: string;
                    product?: {
                        catalog_id?: string;
                        product_id: string;
                    };
                    referral?: {
                        [key: string]: string;
                    };
                };
            } | {
                /** @enum {string} */
                kind: "document";
                media: {
                    id?: string;
                    /** Format: uuid */
                    upload?: string;
                    mime_type?: string;
                    sha256?: string;
                    file_name?: string;
                    size?: number;
                };
                caption?: string;
                context?: {
                    forwarded?: boolean;
                    album_id?: string;
                    product?: {
                        catalog_id?: string;
                        product_id: string;
                    };
                    referral?: {
                        [key: string]: string;
                    };
                };
            } | {
                /** @enum {string} */
                kind: "sticker";
                media: {
                    id?: string;
                    /** Format: uuid */
                    upload?: string;
                    mime_type?: string;
                    sha256?: string;
                    file_name?: string;
                    size?: number;
                };
                emoji?: string;
                animated?: boolean;
                context?: {
                    forwarded?: boolean;
                    album_id?: string;
                    product?: {
                        catalog_id?: string;
                        product_id: string;
                    };
                    referral?: {
                        [key: string]: string;
                    };
                };
            } | {
                /** @enum {string} */
                kind: "location";
                latitude: number;
                longitude: number;
                name?: string;
                address?: string;
                live?: boolean;
                context?: {
                    forwarded?: boolean;
                    album_id?: string;
                    product?: {
                        catalog_id?: string;
                        product_id: string;
                    };
                    referral?: {
                        [key: string]: string;
                    };
                };
            } | {
                /** @enum {string} */
                kind: "contact";
                contacts: {
                    name?: string;
                    phones: string[];
                }[];
                own: boolean;
                context?: {
                    forwarded?: boolean;
                    album_id?: string;
                    product?: {
                        catalog_id?: string;
                        product_id: string;
                    };
                    referral?: {
                        [key: string]: string;
                    };
                };
            } | {
                /** @enum {string} */
                kind: "interaction";
                /** @enum {string} */
                interaction: "button" | "list" | "form" | "quick_reply" | "permission";
                id?: string;
                title?: string;
                description?: string;
                data?: {
                    [key: string]: unknown;
                } | string;
                context?: {
                    forwarded?: boolean;
                    album_id?: string;
                    product?: {
                        catalog_id?: string;
                        product_id: string;
                    };
                    referral?: {
                        [key: string]: string;
                    };
                };
            } | {
                /** @enum {string} */
                kind: "reaction";
                emoji: string | null;
                context?: {
                    forwarded?: boolean;
                    album_id?: string;
                    product?: {
                        catalog_id?: string;
                        product_id: string;
                    };
                    referral?: {
                        [key: string]: string;
                    };
                };
            } | {
                /** @enum {string} */
                kind: "order";
                catalog_id?: string;
                items: {
                    product_id: string;
                    quantity: number;
                    price?: number;
                    currency?: string;
                }[];
                note?: string;
                context?: {
                    forwarded?: boolean;
                    album_id?: string;
                    product?: {
                        catalog_id?: string;
                        product_id: string;
                    };
                    referral?: {
                        [key: string]: string;
                    };
                };
            } | {
                /** @enum {string} */
                kind: "system";
                event: string;
                note?: string;
                reservation_id?: string;
                order_id?: string;
                status?: string;
                context?: {
                    forwarded?: boolean;
                    album_id?: string;
                    product?: {
                        catalog_id?: string;
                        product_id: string;
                    };
                    referral?: {
                        [key: string]: string;
                    };
                };
            } | {
                /** @enum {string} */
                kind: "unsupported";
                type: string;
                note?: string;
                context?: {
                    forwarded?: boolean;
                    album_id?: string;
                    product?: {
                        catalog_id?: string;
                        product_id: string;
                    };
                    referral?: {
                        [key: string]: string;
                    };
                };
            } | {
                /** @enum {string} */
                kind: "text";
                text: string;
                /** @enum {string} */
                format?: "plain" | "markdown";
                raw?: {
                    [key: string]: {
                        [key: string]: unknown;
                    };
                };
                /** @enum {string} */
                outside_window?: "fail" | "hold" | "template" | "utility";
            } | {
                /** @enum {string} */
                kind: "image";
                media: {
                    id?: string;
                    url?: string;
                    /** Format: uuid */
                    upload?: string;
                    mime_type?: string;
                    file_name?: string;
                };
                caption?: string;
                /** @enum {string} */
                format?: "plain" | "markdown";
                raw?: {
                    [key: string]: {
                        [key: string]: unknown;
                    };
                };
                /** @enum {string} */
                outside_window?: "fail" | "hold" | "template" | "utility";
            } | {
                /** @enum {string} */
                kind: "video";
                media: {
                    id?: string;
                    url?: string;
                    /** Format: uuid */
                    upload?: string;
                    mime_type?: string;
                    file_name?: string;
                };
                caption?: string;
                /** @enum {string} */
                format?: "plain" | "markdown";
                raw?: {
                    [key: string]: {
                        [key: string]: unknown;
                    };
                };
                /** @enum {string} */
                outside_window?: "fail" | "hold" | "template" | "utility";
            } | {
                /** @enum {string} */
                kind: "audio";
                media: {
                    id?: string;
                    url?: string;
                    /** Format: uuid */
                    upload?: string;
                    mime_type?: string;
                    file_name?: string;
                };
                caption?: string;
                /** @enum {string} */
                format?: "plain" | "markdown";
                raw?: {
                    [key: string]: {
                        [key: string]: unknown;
                    };
                };
                /** @enum {string} */
                outside_window?: "fail" | "hold" | "template" | "utility";
            } | {
                /** @enum {string} */
                kind: "voice";
                media: {
                    id?: string;
                    url?: string;
                    /** Format: uuid */
                    upload?: string;
                    mime_type?: string;
                    file_name?: string;
                };
                raw?: {
                    [key: string]: {
                        [key: string]: unknown;
                    };
                };
                /** @enum {string} */
                outside_window?: "fail" | "hold" | "template" | "utility";
            } | {
                /** @enum {string} */
                kind: "document";
                media: {
                    id?: string;
                    url?: string;
                    /** Format: uuid */
                    upload?: string;
                    mime_type?: string;
                    file_name?: string;
                };
                caption?: string;
                /** @enum {string} */
                format?: "plain" | "markdown";
                raw?: {
                    [key: string]: {
                        [key: string]: unknown;
                    };
                };
                /** @enum {string} */
                outside_window?: "fail" | "hold" | "template" | "utility";
            } | {
                /** @enum {string} */
                kind: "sticker";
                media: {
                    id?: string;
                    url?: string;
                    /** Format: uuid */
                    upload?: string;
                    mime_type?: string;
                    file_name?: string;
                };
                raw?: {
                    [key: string]: {
                        [key: string]: unknown;
                    };
                };
                /** @enum {string} */
                outside_window?: "fail" | "hold" | "template" | "utility";
            } | {
                /** @enum {string} */
                kind: "location";
                latitude: number;
                longitude: number;
                name?: string;
                address?: string;
                raw?: {
                    [key: string]: {
                        [key: string]: unknown;
                    };
                };
                /** @enum {string} */
                outside_window?: "fail" | "hold" | "template" | "utility";
            } | {
                /** @enum {string} */
                kind: "contact";
                contacts: {
                    name: string;
                    phones: string[];
                }[];
                raw?: {
                    [key: string]: {
                        [key: string]: unknown;
                    };
                };
                /** @enum {string} */
                outside_window?: "fail" | "hold" | "template" | "utility";
            } | {
                /** @enum {string} */
                kind: "buttons";
                text: string;
                /** @enum {string} */
                format?: "plain" | "markdown";
                header?: string;
                footer?: string;
                buttons: ({
                    id: string;
                    title: string;
                } | {
                    url: string;
                    title: string;
                })[];
                numbered?: boolean;
                raw?: {
                    [key: string]: {
                        [key: string]: unknown;
                    };
                };
                /** @enum {string} */
                outside_window?: "fail" | "hold" | "template" | "utility";
            } | {
                /** @enum {string} */
                kind: "list";
                text: string;
                /** @enum {string} */
                format?: "plain" | "markdown";
                header?: string;
                footer?: string;
                button?: string;
                sections: {
                    title?: string;
                    rows: {
                        id: string;
                        title: string;
                        description?: string;
                    }[];
                }[];
                numbered?: boolean;
                raw?: {
                    [key: string]: {
                        [key: string]: unknown;
                    };
                };
                /** @enum {string} */
                outside_window?: "fail" | "hold" | "template" | "utility";
            } | {
                /** @enum {string} */
                kind: "carousel";
                text?: string;
                /** @enum {string} */
                format?: "plain" | "markdown";
                cards: {
                    title: string;
                    text?: string;
                    image?: {
                        id?: string;
                        url?: string;
                        /** Format: uuid */
                        upload?: string;
                        mime_type?: string;
                        file_name?: string;
                    };
                    buttons?: ({
                        id: string;
                        title: string;
                    } | {
                        url: string;
                        title: string;
                    })[];
                }[];
                numbered?: boolean;
                raw?: {
                    [key: string]: {
                        [key: string]: unknown;
                    };
                };
                /** @enum {string} */
                outside_window?: "fail" | "hold" | "template" | "utility";
            } | {
                /** @enum {string} */
                kind: "product";
                text: string;
                catalog_id?: string;
                product_ids: string[];
                url?: string;
                raw?: {
                    [key: string]: {
                        [key: string]: unknown;
                    };
                };
                /** @enum {string} */
                outside_window?: "fail" | "hold" | "template" | "utility";
            } | {
                /** @enum {string} */
                kind: "order";
                text?: string;
                items: {
                    name: string;
                    quantity: number;
                    price?: number;
                    currency?: string;
                }[];
                total?: number;
                currency?: string;
                raw?: {
                    [key: string]: {
                        [key: string]: unknown;
                    };
                };
                /** @enum {string} */
                outside_window?: "fail" | "hold" | "template" | "utility";
            } | {
                /** @enum {string} */
                kind: "template";
                name: string;
                language: string;
                /** @enum {string} */
                category?: "utility" | "marketing" | "authentication";
                header?: string | {
                    [key: string]: string;
                };
                header_media?: {
                    /** @enum {string} */
                    kind: "image" | "video" | "document";
                    media: {
                        id?: string;
                        url?: string;
                        /** Format: uuid */
                        upload?: string;
                        mime_type?: string;
                        file_name?: string;
                    };
                };
                body?: string[] | {
                    [key: string]: string;
                };
                buttons?: ({
                    at: number;
                    url: string;
                } | {
                    at: number;
                    id: string;
                } | {
                    at: number;
                    code: string;
                })[];
                fallback?: string;
                raw?: {
                    [key: string]: {
                        [key: string]: unknown;
                    };
                };
                /** @enum {string} */
                outside_window?: "fail" | "hold" | "template" | "utility";
            } | {
                /** @enum {string} */
                kind: "reaction";
                emoji: string | null;
                /** Format: uuid */
                message_id?: string;
            } | {
                /** @enum {string} */
                kind: "edit";
                /** Format: uuid */
                message_id: string;
                text: string;
                /** @enum {string} */
                format?: "plain" | "markdown";
            } | {
                /** @enum {string} */
                kind: "delete";
                /** Format: uuid */
                message_id: string;
            } | {
                /** @enum {string} */
                kind: "pin";
                /** Format: uuid */
                message_id: string;
                pinned?: boolean;
            } | {
                /** @enum {string} */
                kind: "typing";
            };
            /** @description The `message_id` of the message that it answers or reacts to; the platform's id if the hub does not know that one. */
            reply_to: string | null;
            /**
             * @description The status of an outbound message. With several parts the slowest part counts, and a failed part makes the message `failed`. A message that a device fetches itself is `sent` at once. `null` for an inbound message.
             * @enum {string|null}
             */
            status: "pending" | "sent" | "delivered" | "read" | "played" | "failed" | null;
            /** Format: date-time */
            sent_at: string | null;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            edited_at: string | null;
            /** Format: date-time */
            deleted_at: string | null;
            /**
             * @description Where the message's file is read: `GET /api/media/{message_id}`, relative to the hub unless it knows its own address. With MEDIA_LINK_SECRET it is a signed link, which needs no credentials and ends within two hours; the next read of the message brings a new one. `null` without a file that the hub can read.
             * @example /api/media/0190a1b2-0000-7000-8000-000000000001?expires=1795327200&signature=…
             */
            media_url: string | null;
            /** @description The emoji with which the bot or an operator has reacted to it. */
            reaction: string | null;
            /**
             * Format: date-time
             * @description When the bot or an operator pinned it; `null` if it is not pinned.
             */
            pinned_at: string | null;
            turn: components["schemas"]["Turn"];
        };
        Session: {
            /** Format: uuid */
            session_id: string;
            /** @description E.164 */
            phone: string | null;
            /** @description False while the phone is only claimed: it was typed at a kiosk. True in all other cases, also for a session without a phone. */
            phone_verified: boolean;
            telegram_chat_id: string | null;
            whatsapp_user_id: string | null;
            visitor_id: string | null;
            /** @description The shop's own id of the customer, the same in all their sessions. */
            customer_id: string | null;
            /** @description The channel on which it began. */
            channel: string;
            /** @description Each channel once, in order of first use. */
            channels: string[];
            /**
             * @description `logged_out`: ended on every channel. `expired`: not used until `expires_at`. `merged`: continues as `merged_into`.
             * @enum {string}
             */
            status: "active" | "logged_out" | "expired" | "merged";
            /** Format: uuid */
            merged_into: string | null;
            /**
             * Format: uuid
             * @description The same customer's session before this one.
             */
            previous_session_id: string | null;
            language: string | null;
            /**
             * @description Who has the customer's conversation: the bot, nobody yet (a person is asked for), or a person. While it is not the bot, no bot is asked.
             * @enum {string}
             */
            holder: "bot" | "waiting" | "person";
            /** @description The data of the frontends, and a copy of `channels`. */
            data: {
                [key: string]: unknown;
            };
            metadata: {
                [key: string]: unknown;
            };
            /** @description Compared with `If-Match`; also the ETag. */
            version: number;
            message_count: number;
            /** @description 1 to 5, as given to `POST /api/sessions/{id}/rate` or `/session/end`. */
            rating: number | null;
            /** @description The customer's feedback; given with the rating. */
            feedback: string | null;
            /** @description A summary of the session, as given to `/session/end`; else null. */
            summary: string | null;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            updated_at: string;
            /** Format: date-time */
            last_activity: string;
            /** Format: date-time */
            expires_at: string;
            /** Format: date-time */
            ended_at: string | null;
            /** @description From its beginning to its end, or to its last activity if it expired; `null` while it is active. */
            duration_seconds: number | null;
        };
        /** @description Only in a history, for an inbound message that is not answered yet or never will be. `null` once the bot has answered or stayed silent. */
        Turn: {
            /**
             * @description `waiting`: the bot has not been asked yet. `running`: the bot is asked now. `retrying`: an attempt failed, and another one follows. `dead`: it failed for good, unless an operator retries it.
             * @enum {string}
             */
            state: "waiting" | "running" | "retrying" | "dead";
            /** @description How many times the bot was asked. */
            attempt: number;
            /** @description The hub's code of the last failure. */
            code?: string;
            /** @description The bot's own code of the failure, or the hub's. */
            reason?: string;
        } | null;
        Upload: {
            /**
             * Format: uuid
             * @description Its id: `media: {upload}` of a message or a reply names it.
             */
            upload: string;
            /**
             * @description The kind of message that suits it.
             * @enum {string}
             */
            kind: "image" | "video" | "audio" | "document";
            /**
             * @description What its first bytes show.
             * @example image/jpeg
             */
            mime_type: string;
            file_name: string | null;
            /** @description In bytes, after EXIF and XMP were taken out of a picture. */
            size: number;
            /** @description Of the stored bytes, in hex. */
            sha256: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
