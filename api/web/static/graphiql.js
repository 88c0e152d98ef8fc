// @ts-check
/** GraphiQL on this API, with queries to begin with. It is loaded as three globals, before this module. */

const QUERIES = `# A page of what happens, without names, and the place at which the live stream goes on.
query Community {
  communityFeed(first: 5) {
    edges { cursor node { id type createdAt data highFives } }
    pageInfo { endCursor hasNextPage }
    position { epoch offset }
  }
}

# What there is to train, by muscle.
query Exercises {
  muscles { id slug name }
  exercises(search: "squat") { id slug name muscles { muscle { slug } activation } }
}

# Who is here.
query Presence {
  presenceStats { online training }
  nowTraining(minutes: 10) { minute training }
}

# Signed in alone: give {"authorization": "Bearer …"} under Headers.
query Me {
  me { id name level xp }
  creditBalance { credits version }
}
`;

/** @typedef {{ createElement: (what: unknown, properties: object) => unknown }} React */
/** @typedef {{ createRoot: (where: Element) => { render: (element: unknown) => void } }} ReactDOM */
/** @typedef {{ createFetcher: (options: { url: string }) => unknown }} GraphiQL */

const { React, ReactDOM, GraphiQL } =
  /** @type {{ React: React, ReactDOM: ReactDOM, GraphiQL: GraphiQL }} */ (/** @type {unknown} */ (globalThis));

const where = document.querySelector("#graphiql");
if (where) {
  ReactDOM.createRoot(where).render(React.createElement(GraphiQL, {
    fetcher: GraphiQL.createFetcher({ url: "/api/graphql" }),
    defaultQuery: QUERIES,
    isHeadersEditorEnabled: true,
    shouldPersistHeaders: false,
  }));
}
