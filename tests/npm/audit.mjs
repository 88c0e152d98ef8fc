// @ts-check
// GraphQL over HTTP as npm's graphql-http judges it: node audit.mjs NODE_MODULES URL prints [[id, name, status], ...].
import { createRequire } from "node:module";

const [modules, url] = process.argv.slice(2);
const { serverAudits } = createRequire(`${modules}/`)("graphql-http");

/** A query by GET brings what no form can send. */
const fetchFn = (/** @type {string} */ address, /** @type {RequestInit} */ init = {}) => {
  const headers = new Headers(init.headers);
  if ((init.method ?? "GET") === "GET") headers.set("apollo-require-preflight", "true");
  return fetch(address, { ...init, headers });
};

const told = [];
for (const audit of serverAudits({ url, fetchFn })) {
  const { id, name, status } = await audit.fn();
  told.push([id, name, status]);
}
console.log(JSON.stringify(told));
