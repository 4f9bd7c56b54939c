import type { Page } from "../customers/customers.ts";

export const KNOWLEDGE_FORMATS = ["text", "markdown"] as const;
export type KnowledgeFormat = (typeof KNOWLEDGE_FORMATS)[number];

/** A document of the shop, without its text. */
export interface KnowledgeSummary {
  readonly knowledge_id: string;
  readonly title: string;
  /** Where customers can read it. */
  readonly url?: string;
  readonly format: KnowledgeFormat;
  /** How many parts it has for the search. */
  readonly chunks: number;
  /** How many of them are found by their vectors too. */
  readonly embedded: number;
  /** Rises with each change. */
  readonly version: number;
  readonly created_at: Date;
  readonly updated_at: Date;
}

export interface KnowledgeDocument extends KnowledgeSummary {
  readonly text: string;
}

/** What an operator writes. */
export type KnowledgeFields = Pick<KnowledgeDocument, "title" | "url" | "format" | "text">;

/** A part of a document; `heading` has the headings above it, outermost first. */
export interface KnowledgeChunk {
  readonly heading: string;
  readonly text: string;
}

/** A part that fits a question, with its document. */
export interface KnowledgeHit extends KnowledgeChunk {
  readonly knowledge_id: string;
  readonly title: string;
  readonly url?: string;
}

/** A part that lacks a vector of a model. `hash` says for which text. */
export interface KnowledgePart {
  readonly knowledge_id: string;
  readonly place: number;
  /** Title, headings and text. */
  readonly text: string;
  readonly hash: string;
}

/** The vector of a question, of a model. */
export interface QuestionVector {
  readonly model: string;
  readonly vector: readonly number[];
}

/** The documents from which the bot answers. They belong to the shop, and hold nothing of customers. */
export interface Knowledge {
  /** Writes a document; its old text and parts are gone. `created` is false if it was there before. */
  put(
    knowledge_id: string,
    fields: KnowledgeFields,
    actor: string,
    now: Date,
  ): Promise<{ readonly document: KnowledgeDocument; readonly created: boolean }>;
  /** Throws `not_found`. */
  get(knowledge_id: string): Promise<KnowledgeDocument>;
  /** Returns whether there was such a document. */
  delete(knowledge_id: string, actor: string, now: Date): Promise<boolean>;
  /** A page after the id `after`, in the order of ids. */
  list(after: string | undefined, limit: number): Promise<Page<KnowledgeSummary>>;
  /** The parts that fit a question best by their words, and by their vectors if the question has one; at most `limit`. */
  search(query: string, limit: number, near?: QuestionVector): Promise<readonly KnowledgeHit[]>;
  /** Parts that lack a vector of this model; none if the database does not compare vectors. */
  unembedded(model: string, limit: number): Promise<readonly KnowledgePart[]>;
  /** Keeps the vectors of parts whose text is still the same; `null`: the model refuses the part. Returns how many were kept. */
  embed(
    model: string,
    parts: readonly (Omit<KnowledgePart, "text"> & { readonly vector: readonly number[] | null })[],
  ): Promise<number>;
}
