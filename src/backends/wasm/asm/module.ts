import { name, section, unsigned, vector } from "./encoding.js";
import { type Func, TYPE_CODES } from "./func.js";

/** Pages of 64 KiB that an imported memory may have: 4 GiB. */
export const MAX_PAGES = 65536;

export interface ModuleOptions {
  readonly shared: boolean;
  /** Also import `env.table`, a table of functions (i32, i32, i32) → nothing, which `Func.callKernel` calls. */
  readonly table?: boolean;
}

const KERNEL_TYPE = [0x60, ...vector([[TYPE_CODES.i32], [TYPE_CODES.i32], [TYPE_CODES.i32]]), ...vector([])];

/**
 * The bytes of a module that imports a memory (`env.memory`, shared or not) and exports functions by name.
 * Functions are numbered in the order of `functions`; type 0 is a kernel's.
 */
export function moduleBytes(
  functions: Readonly<Record<string, Func>>,
  options: ModuleOptions,
): Uint8Array<ArrayBuffer> {
  const list = Object.entries(functions);
  const types = list.map(([, f]) => [
    0x60,
    ...vector(f.params.map((param) => [TYPE_CODES[param.type]])),
    ...vector(f.result === null ? [] : [[TYPE_CODES[f.result]]]),
  ]);
  const limits = options.shared ? [0x03, 0, ...unsigned(MAX_PAGES)] : [0x00, 0];
  const imports = [[...name("env"), ...name("memory"), 0x02, ...limits]];
  if (options.table) imports.push([...name("env"), ...name("table"), 0x01, 0x70, 0x00, 0]);
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(1, vector([KERNEL_TYPE, ...types])),
    ...section(2, vector(imports)),
    ...section(3, vector(list.map((_, i) => unsigned(i + 1)))),
    ...section(7, vector(list.map(([exported], i) => [...name(exported), 0x00, ...unsigned(i)]))),
    ...section(10, vector(list.map(([, f]) => f.body()))),
  ]);
}
