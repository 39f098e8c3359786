export {
  type ElementName,
  type FloatName,
  isElementName,
  isFloatName,
  type Register,
  registerOf,
} from "./elements.js";
export { groups, linear } from "./grid.js";
export {
  type ArrayName,
  type Builtins,
  type ElementType,
  input,
  output,
  type Scope,
  type ShaderSource,
  type Shared,
  type Storage,
  shader,
  shared,
  type UniformType,
} from "./shader.js";
export { f32, LOWEST, type Piece, unroll, Wgsl, wgsl } from "./text.js";
