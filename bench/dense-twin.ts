import { NO_EPILOGUE } from "../src/backends/specs/matmul/epilogue.js";
import type { ShaderCode } from "../src/backends/webgpu/kernel.js";
import { type MatrixFill, transposedDepth } from "../src/backends/webgpu/kernels/matmul/fill-matrix.js";
import { tileShader } from "../src/backends/webgpu/kernels/matmul/tile.js";
import { parseTile, type Tile, threadsOf } from "../src/backends/webgpu/kernels/matmul/tiling.js";
import { PLAIN_GPU } from "../test/support/capture-webgpu.js";

/** The dense kernel with a sparse kernel's tile and loops, to compare it with. */
export interface Twin {
  readonly tile: Tile;
  readonly code: ShaderCode;
  /** The same with half the steps in a trip of its loop. */
  readonly half: ShaderCode;
}

/**
 * The twin of the tile kernel with the key `key`, W and x lying as the weight of a MatMul or Linear does and all sides whole. Where a
 * dense step would not fit into workgroup memory, the twin makes two of half the depth: a trip goes along as many k.
 */
export function denseTwin(key: string, featureMajor: boolean): Twin {
  const sparse = parseTile(key);
  const fits = 4 * sparse.depth * (sparse.rows + sparse.tokens) <= PLAIN_GPU.limits.maxComputeWorkgroupStorageSize;
  const tile = fits ? sparse : { ...sparse, depth: sparse.depth / 2, unroll: 2 * sparse.unroll };
  const order = featureMajor ? "feature-major" : "token-major";
  const fill = (tile: Tile, length: number, order: MatrixFill["order"]): MatrixFill => ({
    order,
    width: order === "feature-major" ? 4 : transposedDepth(tile, length, threadsOf(tile), null),
    ragged: false,
  });
  const codeOf = (tile: Tile): ShaderCode =>
    tileShader({
      tile,
      weights: { kind: "matrix", fill: fill(tile, tile.rows, "feature-major") },
      x: fill(tile, tile.tokens, order),
      ...{
        yOrder: order,
        yVector: true,
        whole: true,
        epilogue: NO_EPILOGUE,
        scaled: false,
        shuffled: false,
        batched: false,
      },
    });
  return { tile, code: codeOf(tile), half: codeOf({ ...tile, unroll: tile.unroll / 2 }) };
}
