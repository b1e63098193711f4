import type { Plugin } from "esbuild";

/**
 * An `import` of a module of Node reads all that it exports, and for `node:http` that loads a whole HTTP client that nobody
 * uses: 30 ms of each start, and 4 MB. Asked for as an object, it gives what is asked for.
 */
const builtinModules: Plugin = {
  name: "builtin-modules",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^node:/ }, ({ path }) => ({ path, namespace: "builtin-modules" }));
    onLoad({ filter: /.*/, namespace: "builtin-modules" }, ({ path }) => ({
      contents: `module.exports = process.getBuiltinModule(${JSON.stringify(path)});`,
      loader: "js",
    }));
  },
};

/** Sentences of zod in 60 languages; its errors are read by nobody but us. */
const oneLocale: Plugin = {
  name: "one-locale",
  setup({ onLoad }) {
    onLoad({ filter: /zod\/v4\/locales\/index\.js$/ }, () => ({
      contents: 'export { default as en } from "./en.js";',
    }));
  },
};

/** What makes a bundled program start faster and take less memory. */
export const leanBundle = {
  plugins: [builtinModules, oneLocale],
  /** Some packages call `require` for what Node brings along. */
  banner: 'const require=process.getBuiltinModule("node:module").createRequire(import.meta.url);',
};
