// @ts-check
// The official parser and the official validator of JSON Schema over what test_asyncapi.py says.
// node asyncapi.mjs NODE_MODULES < {"document": text or null, "checks": [[label, schema, value], ...]}
// Prints {"diagnostics": [...], "misfits": [...]}: what is wrong, a line each.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.argv[2]}/`);
const { document, checks } = JSON.parse(readFileSync(0, "utf8"));

/** Errors, warnings and hints; what merely informs (that a newer version of AsyncAPI exists) is none. */
async function diagnosed(text) {
  const { DiagnosticSeverity, Parser } = require("@asyncapi/parser");
  const { document: parsed, diagnostics } = await new Parser().parse(text);
  const wrong = diagnostics.filter(({ severity }) => severity !== DiagnosticSeverity.Information);
  const lines = wrong.map(({ code, path, message }) => `${code} at ${path.join(".")}: ${message}`);
  return parsed || lines.length ? lines : ["it cannot be parsed"];
}

function misfitting() {
  const Ajv = require("ajv").default;
  const ajv = new Ajv({ strict: false, allErrors: true });
  require("ajv-formats").default(ajv);
  const validators = new Map(); // a schema's text -> its validator
  return checks.flatMap(([label, schema, value]) => {
    const text = JSON.stringify(schema);
    if (!validators.has(text)) validators.set(text, ajv.compile(schema));
    const validate = validators.get(text);
    if (validate(value)) return [];
    return validate.errors.map(
      ({ instancePath, message, params }) => `${label}${instancePath}: ${message} ${JSON.stringify(params)}`,
    );
  });
}

const diagnostics = document === null ? [] : await diagnosed(document);
console.log(JSON.stringify({ diagnostics, misfits: misfitting() }));
