/** A call of a tool, as the model asks for it. `arguments` is text that should be JSON. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

/** One message of a conversation with the model. */
export type ModelMessage =
  | { readonly role: "system" | "user"; readonly text: string }
  | { readonly role: "assistant"; readonly text: string; readonly calls?: readonly ToolCall[] }
  | { readonly role: "tool"; readonly call_id: string; readonly text: string };

/** A tool as the model sees it; `parameters` is a JSON Schema. */
export interface ToolDescription {
  readonly name: string;
  readonly description: string;
  readonly parameters: Readonly<Record<string, unknown>>;
}

export interface ModelRequest {
  readonly messages: readonly ModelMessage[];
  readonly tools: readonly ToolDescription[];
  /** False: the model must answer with text. */
  readonly mayCall: boolean;
  /** The longest answer, in tokens. */
  readonly maxTokens: number;
  /** Called with the text so far, while the model writes it. Absent: the answer comes in one piece. */
  readonly onText?: (text: string) => void;
}

export interface ModelAnswer {
  readonly text: string;
  readonly calls: readonly ToolCall[];
  /** Absent if the endpoint does not say. */
  readonly usage?: { readonly input_tokens: number; readonly output_tokens: number };
}

/** A language model. */
export interface Model {
  /**
   * One answer: text, or calls of tools. Throws `throttled` with the wait that the endpoint asks for, and `unavailable` for every other
   * failure; the reason is `llm_http_<status>`, `llm_unreachable` or `llm_bad_answer`.
   */
  complete(request: ModelRequest, signal: AbortSignal): Promise<ModelAnswer>;
}
