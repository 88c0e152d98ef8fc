// @ts-check
// Of h3-js's translation of H3 from C, the functions that are called: a bundler cannot tell, for it is one function.
import { createRequire } from "node:module";

/**
 * @param {string} modules  node_modules
 * @param {string} source  h3-js as it is bundled for browsers
 * @param {string[]} wanted  functions of H3 that are called, as C has them
 */
export function pruned(modules, source, wanted) {
  const acorn = createRequire(`${modules}/`)("acorn");
  const tree = acorn.parse(source, { ecmaVersion: "latest", sourceType: "module" });
  const body = [...nodes(tree)].find((node) => node.type === "BlockStatement" && node.body[0]?.directive === "almost asm").body;
  const exported = body.find((node) => node.type === "ReturnStatement").argument.properties;
  const functions = new Map(body.filter((node) => node.type === "FunctionDeclaration").map((node) => [node.id.name, node]));
  // What h3-js binds for its users, by the name that C has for it; memory and sizes stay.
  const bindings = tree.body.flatMap((node) => node.declarations ?? []).find(({ id }) => id.name === "BINDINGS").init.elements;
  const left = (name) => !wanted.includes(name) && !name.startsWith("sizeOf");
  const unbound = bindings.filter(({ elements: [name] }) => left(name.value));
  const names = new Set(unbound.map(({ elements: [name] }) => `_${name.value}`));
  const unused = exported.filter(({ key }) => names.has(key.name));
  const waiting = exported.filter((one) => !unused.includes(one)).map(({ value }) => value.name);
  for (const { declarations } of body.filter((node) => node.type === "VariableDeclaration"))
    for (const { init } of declarations) if (init.type === "ArrayExpression") waiting.push(...init.elements.map((one) => one.name));
  const called = new Set();
  for (const name of waiting) {
    if (called.has(name) || !functions.has(name)) continue;
    called.add(name);
    for (const { type, callee } of nodes(functions.get(name))) if (type === "CallExpression") waiting.push(callee.name);
  }
  const gone = [...functions].filter(([name]) => !called.has(name)).map(([, node]) => node);
  const cut = [...gone, ...unused, ...unbound].sort((a, b) => b.start - a.start);
  // A comma goes with what stood before it.
  return cut.reduce((text, { start, end }) => text.slice(0, start) + text.slice(text[end] === "," ? end + 1 : end), source);
}

function* nodes(node) {
  if (Array.isArray(node)) for (const one of node) yield* nodes(one);
  if (typeof node?.type !== "string") return;
  yield node;
  for (const child of Object.values(node)) yield* nodes(child);
}
