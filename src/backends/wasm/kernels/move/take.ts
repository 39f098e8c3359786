import type { Take } from "../../../specs/move/take.js";
import type { ElementBytes } from "../../../specs/node.js";
import { i32 } from "../../asm/index.js";
import { type Buffer, type KernelCode, kernelFunction, type Lowering } from "../../kernel.js";
import { eachRow } from "../lines.js";
import { perChunk } from "../rows.js";
import { copyBytes, copyElement } from "./run.js";

/** Adds the launch of a take; its indices, at most MOST_TABLE_WORDS and all within the axis, travel as arguments. */
export function launchTake(
  to: Lowering,
  { bytes, outer, input, inner, indices }: Take,
  target: Buffer,
  from: Buffer,
): void {
  const output = indices.length;
  // Along the last axis a line is a row; along others each output position is one.
  const along = inner === 1;
  const rows = along ? outer : outer * output;
  const each = perChunk((along ? output : inner) * bytes * 2);
  to.launch(
    takeCode(bytes, along),
    [target, from, rows, each, input, output, inner, ...indices],
    Math.ceil(rows / each),
  );
}

/** Where the table begins among the arguments y, x, rows, rows per chunk, input, output, inner. */
const TABLE = 4 * 7;

const takeCode = (bytes: ElementBytes, along: boolean): KernelCode => ({
  key: `take/${bytes}/${along ? "along" : "across"}`,
  build: () =>
    kernelFunction(7, (f, { chunk }, [y, x, rows, each, input, output, inner], args) => {
      const from = f.local("i32");
      const to = f.local("i32");
      const run = f.local("i32", i32.mul(inner!, bytes));
      eachRow(f, chunk, rows!, each!, (row) => {
        if (along) {
          f.set(to, i32.add(y!, i32.mul(i32.mul(row, output!), bytes)));
          const line = f.local("i32", i32.add(x!, i32.mul(i32.mul(row, input!), bytes)));
          f.for(0, output!, 1, (j) => {
            const index = i32.load(i32.add(args, i32.shl(j, 2)), TABLE);
            f.set(from, i32.add(line, i32.mul(index, bytes)));
            copyElement(f, bytes, to, from);
            f.increment(to, bytes);
          });
          f.free(line);
        } else {
          f.set(to, i32.add(y!, i32.mul(row, run)));
          const index = i32.load(i32.add(args, i32.shl(i32.rem_u(row, output!), 2)), TABLE);
          f.set(from, i32.add(x!, i32.mul(i32.add(i32.mul(i32.div_u(row, output!), input!), index), run)));
          copyBytes(f, bytes, to, from, run);
        }
      });
    }),
});
