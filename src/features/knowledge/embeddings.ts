/** What an embeddings model makes of texts. */
export interface Embedded {
  /** One for each text, in their order, all of one length. */
  readonly vectors: readonly (readonly number[])[];
  /** The tokens that it has used. Absent if the endpoint does not say. */
  readonly tokens?: number;
}

/** A model that makes vectors of texts. Texts of a like meaning have vectors that are near each other. */
export interface Embeddings {
  /** Its name. Vectors of different models are never compared. */
  readonly model: string;
  /**
   * Throws `rejected` if the endpoint refuses these texts, for example because one is too long, and otherwise what `Model.complete`
   * throws.
   */
  embed(texts: readonly string[], signal: AbortSignal): Promise<Embedded>;
}
