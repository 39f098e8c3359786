/** What went wrong, as a word that a program can branch on. */
export type ErrorCode =
  | "invalid-model" // a file that breaks its format or the operator's schema
  | "unsupported" // valid, but not something Nonzero does
  | "invalid-argument" // an option, a pattern, a command line
  | "shape" // shapes or dtypes that do not fit together
  | "layout" // a tensor that does not fit its sparse layout
  | "not-found" // a file, an input or a layer that is not there
  | "io" // reading or writing failed
  | "device" // a GPU that is missing, was lost, or has no room
  | "aborted"; // stopped by the user

/** Where it went wrong. Every part is optional; those that are known are in the message. */
export interface ErrorPlace {
  readonly file?: string | undefined;
  readonly node?: string | undefined;
  readonly field?: string | undefined;
}

/**
 * Every error that Nonzero throws on purpose. `message` starts with the place (`model.onnx, node 'conv1', field 'pads': …`),
 * so that printing it is enough; `code` and the fields of the place are there for programs.
 */
export class NonzeroError extends Error {
  override readonly name = "NonzeroError";
  readonly code: ErrorCode;
  readonly reason: string;
  readonly place: ErrorPlace;

  constructor(code: ErrorCode, reason: string, place: ErrorPlace = {}, options?: ErrorOptions) {
    const where = [
      place.file,
      place.node === undefined ? undefined : `node '${place.node}'`,
      place.field === undefined ? undefined : `field '${place.field}'`,
    ].filter((part) => part !== undefined);
    super(where.length > 0 ? `${where.join(", ")}: ${reason}` : reason, options);
    this.code = code;
    this.reason = reason;
    this.place = place;
  }

  /** The same error with more of its place known; what was known already stays. */
  at(place: ErrorPlace): NonzeroError {
    const error = new NonzeroError(
      this.code,
      this.reason,
      { ...place, ...definedOf(this.place) },
      { cause: this.cause },
    );
    if (this.stack !== undefined) error.stack = this.stack;
    return error;
  }
}

/** Run `body`; a NonzeroError that leaves it learns where it happened. */
export function locate<T>(place: ErrorPlace, body: () => T): T {
  try {
    return body();
  } catch (error) {
    throw error instanceof NonzeroError ? error.at(place) : error;
  }
}

/** As `locate`, for what answers later. */
export async function locateAsync<T>(place: ErrorPlace, body: () => T | Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    throw error instanceof NonzeroError ? error.at(place) : error;
  }
}

function definedOf(place: ErrorPlace): ErrorPlace {
  return Object.fromEntries(Object.entries(place).filter(([, value]) => value !== undefined));
}
