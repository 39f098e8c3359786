import { vi } from "vitest";
import { main } from "../../src/cli/program.js";

/** What a command line printed, and its exit code. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line in this process. */
export async function cli(...args: string[]): Promise<Outcome> {
  const out: string[] = [];
  const err: string[] = [];
  const line = (into: string[]) => (text: unknown) => void into.push(`${text}\n`);
  const write = (into: string[]) => (text: unknown) => into.push(String(text)) > 0;
  const spies = [
    vi.spyOn(console, "log").mockImplementation(line(out)),
    vi.spyOn(console, "error").mockImplementation(line(err)),
    vi.spyOn(process.stdout, "write").mockImplementation(write(out) as never),
    vi.spyOn(process.stderr, "write").mockImplementation(write(err) as never),
  ];
  try {
    const code = await main(args);
    return { code, stdout: out.join(""), stderr: err.join("") };
  } finally {
    for (const spy of spies) spy.mockRestore();
    process.exitCode = 0; // the test runner's own again
  }
}
