// @ts-check
// How long each function is: node functions.mjs NODE_MODULES FILE... prints [[file, name, lines], ...].
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const [modules, ...files] = process.argv.slice(2);
const acorn = createRequire(`${modules}/`)("acorn");

/** [name, lines] of all functions below a node; `name` is what the nearest declaration around it is called. */
function* functions(node, name) {
  if (Array.isArray(node)) for (const one of node) yield* functions(one, name);
  if (typeof node?.type !== "string") return;
  const named = node.id?.name ?? node.key?.name ?? name;
  const { start, end } = node.loc;
  if (/^(Arrow)?Function/.test(node.type)) yield [named, end.line - start.line + 1];
  for (const child of Object.values(node)) yield* functions(child, named);
}

const measured = files.flatMap((file) => {
  const tree = acorn.parse(readFileSync(file, "utf8"), { ecmaVersion: "latest", sourceType: "module", locations: true });
  return [...functions(tree, "?")].map(([name, lines]) => [file, name, lines]);
});
console.log(JSON.stringify(measured));
