/**
 * Pieces of text as a stream in UTF-8. A piece is made only when the reader wants it. `ended` resolves after the last
 * byte, when the reader cancels, or when nobody begins to read within `beginMs`. A failure breaks off the stream and
 * rejects `ended`.
 */
export function streamed(
  pieces: AsyncGenerator<string>,
  beginMs = 60_000,
): {
  body: ReadableStream<Uint8Array>;
  ended: Promise<void>;
} {
  const encoder = new TextEncoder();
  const { promise: ended, resolve: end, reject: fail } = Promise.withResolvers<void>();
  // The answer of a request that ran out of time is never read.
  const unread = setTimeout(end, beginMs);
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        clearTimeout(unread);
        try {
          const { done, value } = await pieces.next();
          if (!done) return controller.enqueue(encoder.encode(value));
          controller.close();
          end();
        } catch (error) {
          controller.error(error);
          fail(error);
        }
      },
      async cancel() {
        clearTimeout(unread);
        end();
        await pieces.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
  return { body, ended };
}
