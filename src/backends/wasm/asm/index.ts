export { Expr, type ValType } from "./expression.js";
export { Func, Local } from "./func.js";
export * from "./instructions.js";
export { MAX_PAGES, moduleBytes } from "./module.js";
