import { Listr, ListrLogger, type ListrTask, ProcessOutput } from "listr2";

let controller: AbortController | null = null;

/** Ctrl-C as a signal that long work looks at. A second Ctrl-C ends the process at once. */
export function interruptible(): AbortSignal {
  if (controller !== null) return controller.signal;
  const made = new AbortController();
  controller = made;
  process.once("SIGINT", () => {
    made.abort();
    process.once("SIGINT", () => process.exit(130));
  });
  return made.signal;
}

/** Runs steps one after the other, with progress on stderr: a live list on a terminal, plain lines elsewhere, nothing when `quiet`. */
export async function steps<Context extends object>(
  context: Context,
  tasks: ListrTask<Context>[],
  quiet: boolean,
): Promise<Context> {
  const logger = new ListrLogger({ processOutput: new ProcessOutput(process.stderr, process.stderr) });
  const list = new Listr<Context>(tasks, {
    renderer: quiet ? "silent" : process.stderr.isTTY ? "default" : "simple",
    ...(quiet ? {} : { rendererOptions: { logger } }),
    registerSignalListeners: false,
  } as never);
  return list.run(context);
}
