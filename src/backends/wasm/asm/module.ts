import { name, section, unsigned, vector } from "./encoding.js";
import { type Func, TYPE_CODES } from "./func.js";

/** Pages of 64 KiB that an imported memory may have: 4 GiB. */
export const MAX_PAGES = 65536;

/**
 * The bytes of a module that imports a memory (`env.memory`, shared or not) and exports functions by name.
 * Functions are numbered in the order of `functions`.
 */
export function moduleBytes(functions: Readonly<Record<string, Func>>, options: { shared: boolean }): Uint8Array<ArrayBuffer> {
  const list = Object.entries(functions);
  const types = list.map(([, f]) => [
    0x60,
    ...vector(f.params.map((param) => [TYPE_CODES[param.type]])),
    ...vector(f.result === null ? [] : [[TYPE_CODES[f.result]]]),
  ]);
  const limits = options.shared ? [0x03, 0, ...unsigned(MAX_PAGES)] : [0x00, 0];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, vector(types)),
    ...section(2, vector([[...name("env"), ...name("memory"), 0x02, ...limits]])),
    ...section(3, vector(list.map((_, i) => unsigned(i)))),
    ...section(7, vector(list.map(([exported], i) => [...name(exported), 0x00, ...unsigned(i)]))),
    ...section(10, vector(list.map(([, f]) => f.body()))),
  ]);
}
