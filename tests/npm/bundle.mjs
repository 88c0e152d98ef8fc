// @ts-check
// What browsers take, in few files: node bundle.mjs NODE_MODULES OUT
// Writes OUT/static/vendor/h3.js (of h3-js, what the map uses), OUT/static/page (the page), OUT/built (the widgets, for
// other sites) and OUT/npm (the client and its types), made of api/web.
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

import { pruned } from "./pruned.mjs";

const [modules, out] = process.argv.slice(2);
const esbuild = createRequire(`${modules}/`)("esbuild");
const web = join(import.meta.dirname, "..", "..", "api", "web");
const start = join(web, "static", "app.js");
const h3 = "/* Has h3-js by Uber Technologies in it, Apache License 2.0: static/vendor/h3-js.LICENSE, h3-js.NOTICE */\n";

/** Files name others beside them by import.meta.url: in a bundle that is where the page's static files are. */
function bundle(entry, file, root) {
  const built = esbuild.buildSync({
    entryPoints: [join(web, entry)],
    outfile: join(out, file),
    absWorkingDir: web,
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    loader: { ".css": "text" },
    define: { "import.meta.url": "STATIC_FILES" },
    banner: { js: root && `const STATIC_FILES=new URL("${root}static/",import.meta.url).href;` },
    legalComments: "none",
    metafile: true,
    logLevel: "error",
  });
  if (!Object.keys(built.metafile.inputs).some((input) => input.includes("h3"))) return;
  const path = join(out, file);
  writeFileSync(path, h3 + readFileSync(path, "utf8"));
}

/** Modules of the page that it fetches on demand bring nothing that it starts with: all of that is one file. */
const onDemand = {
  name: "on-demand",
  setup(build) {
    build.onResolve({ filter: /\/vendor\// }, ({ path }) => ({ path: `../vendor/${basename(path)}`, external: true }));
    build.onResolve({ filter: /^\.\// }, ({ path, kind, resolveDir }) =>
      kind === "dynamic-import" ? { path: join(resolveDir, path), pluginData: onDemand } : undefined,
    );
    // What each of them imports, too, goes into the part that all share.
    build.onLoad({ filter: /\.js$/ }, ({ path, pluginData }) =>
      pluginData === onDemand ? { contents: `${readFileSync(path, "utf8")}\nimport ${JSON.stringify(start)};` } : undefined,
    );
  },
};

/**
 * The page's sheet, what it starts with (chunk.js) and what it fetches on demand. All keep their names, outside and
 * inside, so that a page of before finds what it asks for after an update.
 */
async function page() {
  const folder = join(out, "static", "page");
  const common = { bundle: true, legalComments: "none", logLevel: "error" };
  const sheet = { entryPoints: [join(web, "static", "page.css")], outfile: join(folder, "style.css"), minify: true };
  esbuild.buildSync({ ...common, ...sheet });
  const { outputFiles } = await esbuild.build({
    ...common,
    entryPoints: [start],
    outdir: folder,
    write: false,
    splitting: true,
    chunkNames: "[name]",
    format: "esm",
    target: "es2022",
    define: { "import.meta.url": "STATIC_FILES" },
    banner: { js: 'const STATIC_FILES=new URL("../",import.meta.url).href;' },
    plugins: [onDemand],
  });
  const alone = basename(start); // nothing is left in it but the import of all the rest
  const parts = outputFiles.filter(({ path }) => basename(path) !== alone);
  // Each made small by itself, so that what one imports of another keeps its name.
  const small = (text) => esbuild.transformSync(text, { minify: true, format: "esm", target: "es2022" }).code;
  for (const { path, text } of parts) writeFileSync(path, small(text));
  const written = ["style.css", ...parts.map(({ path }) => basename(path))];
  for (const file of readdirSync(folder)) if (!written.includes(file)) rmSync(join(folder, file));
}

/** What the map needs of h3-js; its types stand beside it in h3.d.ts, written by hand. */
function vendor(file) {
  const { version } = JSON.parse(readFileSync(join(modules, "h3-js", "package.json"), "utf8"));
  const uses = ["cellToBoundary", "cellToLatLng"];
  const library = pruned(modules, readFileSync(join(modules, "h3-js", "dist", "browser", "h3-js.es.js"), "utf8"), uses);
  const whole = mkdtempSync(join(tmpdir(), "h3-"));
  writeFileSync(join(whole, "h3.js"), library);
  esbuild.buildSync({
    stdin: { contents: `export { ${uses.join(", ")} } from "./h3.js";`, resolveDir: whole },
    outfile: join(out, file),
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    banner: { js: `/* Of h3-js ${version} by Uber Technologies, Apache License 2.0, reduced to what is called: h3-js.LICENSE, h3-js.NOTICE */` },
    legalComments: "none",
    logLevel: "error",
  });
  rmSync(whole, { recursive: true });
}

/** The types of the client, as its JSDoc says them. */
function types() {
  const made = mkdtempSync(join(tmpdir(), "types-"));
  const options = ["--ignoreConfig", "--allowJs", "--declaration", "--emitDeclarationOnly", "--outDir", made];
  const modern = ["--target", "es2022", "--module", "es2022", "--moduleResolution", "bundler"];
  const client = join(web, "static", "client.js");
  execFileSync(process.execPath, [join(modules, "typescript", "bin", "tsc"), ...options, ...modern, client]);
  const wanted = ["client.d.ts"];
  for (const file of wanted) {
    const text = readFileSync(join(made, file), "utf8");
    writeFileSync(join(out, "npm", file), text);
    for (const [, name] of text.matchAll(/"\.\/(\w+)\.js"/g)) if (!wanted.includes(`${name}.d.ts`)) wanted.push(`${name}.d.ts`);
  }
  const stale = readdirSync(join(out, "npm")).filter((file) => file.endsWith(".d.ts") && !wanted.includes(file));
  for (const file of stale) rmSync(join(out, "npm", file));
  rmSync(made, { recursive: true });
}

vendor("static/vendor/h3.js");
for (const folder of ["built", "npm"]) mkdirSync(join(out, folder), { recursive: true });
await page();
bundle("widgets/widgets.js", "built/widgets.js", "./");
bundle("widgets/community-feed.js", "built/community-feed.js", "../");
bundle("widgets/presence-map.js", "built/presence-map.js", "../");
bundle("static/client.js", "npm/client.js", "");
types();
copyFileSync(join(web, "..", "..", "LICENSE"), join(out, "npm", "LICENSE"));
