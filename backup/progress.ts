const WIDTH = 30;

/** How far a long run is. */
export interface Progress {
  add(done: number): void;
  end(): void;
}

/** Shows how much of `total` is done: as a bar on a terminal, else as a line at every tenth. */
export function progress(
  label: string,
  total: number,
  stream: NodeJS.WriteStream = process.stderr,
): Progress {
  const began = performance.now();
  let done = 0;
  let shown = -1;
  const show = () => {
    const share = total === 0 ? 1 : Math.min(1, done / total);
    const step = Math.floor(share * (stream.isTTY ? 1_000 : 10));
    if (step === shown) return;
    shown = step;
    const seconds = (performance.now() - began) / 1_000;
    const left = share > 0.02 && share < 1 ? `, ${Math.ceil((seconds / share) * (1 - share))} s left` : "";
    const counts = `${done.toLocaleString("en-US")} of ${total.toLocaleString("en-US")}${left}`;
    if (!stream.isTTY) return void stream.write(`${label} ${Math.floor(share * 100)} %: ${counts}\n`);
    const filled = Math.round(share * WIDTH);
    const bar = "#".repeat(filled) + "-".repeat(WIDTH - filled);
    stream.write(`\r\x1b[K${label} [${bar}] ${Math.floor(share * 100)} % ${counts}`);
  };
  show();
  return {
    add(more) {
      done += more;
      show();
    },
    end() {
      if (stream.isTTY) stream.write("\n");
    },
  };
}
