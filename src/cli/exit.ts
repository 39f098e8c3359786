import { type ErrorCode, NonzeroError } from "../tensor/index.js";

/** What the command's exit code says. */
export const EXIT = {
  ok: 0,
  /** It ran, and what it was asked to check does not hold. */
  failed: 1,
  /** The command line makes no sense. */
  usage: 2,
  /** A model or another input is missing, malformed or does not fit. */
  input: 3,
  /** Valid, but not something that Nonzero does. */
  unsupported: 4,
  /** Reading or writing failed: permissions, a full disk, memory. */
  io: 5,
  /** The GPU is missing, was lost, or has no room. */
  device: 6,
  /** Stopped by Ctrl-C. */
  aborted: 130,
  /** An error that is not ours: a bug. */
  bug: 70,
} as const;

const BY_CODE: Readonly<Record<ErrorCode, number>> = {
  "invalid-model": EXIT.input,
  shape: EXIT.input,
  layout: EXIT.input,
  "not-found": EXIT.input,
  "invalid-argument": EXIT.usage,
  unsupported: EXIT.unsupported,
  io: EXIT.io,
  device: EXIT.device,
  aborted: EXIT.aborted,
};

/** Prints an error as a person wants it (with `json`, as a program does too), and gives the exit code. Errors that are not ours keep their stack. */
export function report(error: unknown, json: boolean): number {
  if (error instanceof NonzeroError) {
    const { code, message, reason, place } = error;
    if (json) console.log(JSON.stringify({ error: { code, reason, ...place } }));
    const option = place.field?.startsWith("--") ? place.field : null;
    console.error(`nonzero: ${option === null ? message : message.replace(`field '${option}'`, option)}`);
    return BY_CODE[code];
  }
  if (json) console.log(JSON.stringify({ error: { code: "bug", reason: String(error) } }));
  console.error(`nonzero: this is a bug in Nonzero: ${error instanceof Error ? error.stack : error}`);
  return EXIT.bug;
}
