// @ts-check
// Subscribers written with npm's `graphql-ws` and with `@apollo/client` over it, as their documents tell.
// node subscribers.mjs NODE_MODULES URL EPOCH CLIENTS EVENTS TOKEN
// Half of the clients are of each kind. Each follows the community from its beginning on, and comes back with its place.
// Prints {"open": n} when all are connected, then {"records": [{kind, offsets, ids, gaps, wrong, connects}, ...]} when all have heard so many events.
import { createRequire } from "node:module";

const [modules, url, epoch, clients, events, token] = process.argv.slice(2);
const require = createRequire(`${modules}/`);
const { createClient } = require("graphql-ws");
const { ApolloClient, InMemoryCache, gql } = require("@apollo/client");
const { GraphQLWsLink } = require("@apollo/client/link/subscriptions");
const { WebSocket } = require("ws");
globalThis.WebSocket = WebSocket; // browsers have one

const QUERY = "subscription Feed { communityFeed { id type createdAt actor { name } data cursor } }";
const records = [];
let open = 0;

function report() {
  process.stdout.write(JSON.stringify({ records }) + "\n", () => process.exit(0));
}

for (let number = 0; number < Number(clients); number += 1) {
  const kind = number % 2 ? "apollo" : "graphql-ws";
  const record = { kind, offsets: [], ids: [], gaps: 0, wrong: [], connects: 0 };
  records.push(record);
  const client = createClient({
    url,
    webSocketImpl: WebSocket,
    connectionParams: token ? { authorization: `Bearer ${token}` } : undefined,
    retryAttempts: Infinity,
    retryWait: () => new Promise((done) => setTimeout(done, 100 + Math.random() * 200)),
    shouldRetry: () => true,
    on: { connected },
  });
  function connected() {
    record.connects += 1;
    open += 1;
    if (open === Number(clients)) console.log(JSON.stringify({ open }));
  }
  const extensions = { since: { epoch, offset: 0 } }; // read again by the client for each `subscribe`
  const sink = {
    next(result) {
      const { position, gap } = result.extensions;
      extensions.since = position;
      if (gap) record.gaps += 1;
      else {
        record.offsets.push(position.offset);
        record.ids.push(result.data.communityFeed.id);
      }
      if (records.every((one) => one.offsets.length >= Number(events))) setTimeout(report, 300); // nothing comes twice
    },
    error: (error) => record.wrong.push(JSON.stringify(error) + String(error)),
    complete: () => record.wrong.push("complete"),
  };
  if (kind === "apollo") {
    const apollo = new ApolloClient({ link: new GraphQLWsLink(client), cache: new InMemoryCache() });
    apollo.subscribe({ query: gql(QUERY), extensions, fetchPolicy: "no-cache" }).subscribe(sink);
  } else {
    client.subscribe({ query: QUERY, extensions }, sink);
  }
}
setTimeout(report, 60_000);
