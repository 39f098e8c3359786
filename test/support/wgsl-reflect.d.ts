/** The package's module for `import`; its main file is CommonJS under a name that Node takes for a module. */
declare module "wgsl_reflect/wgsl_reflect.module.js" {
  export * from "wgsl_reflect";
}
