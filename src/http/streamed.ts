/**
 * Pieces of text as a stream in UTF-8. A piece is made only when the reader wants it. `ended` resolves after the last
 * byte, or when the reader cancels. A failure breaks off the stream and rejects `ended`.
 */
export function streamed(pieces: AsyncGenerator<string>): {
  body: ReadableStream<Uint8Array>;
  ended: Promise<void>;
} {
  const encoder = new TextEncoder();
  const { promise: ended, resolve: end, reject: fail } = Promise.withResolvers<void>();
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
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
        end();
        await pieces.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
  return { body, ended };
}
