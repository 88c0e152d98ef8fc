// @ts-check
/**
 * <community-feed>: what the community does, as it happens; with `since-page` below it what it did before.
 *
 * Attributes: token, since-page, label, empty. Its parts are those of the feed in it.
 */
import { COMMUNITY } from "../static/documents.js";
import { LiveFeed } from "../static/feed.js";
import { SERVER } from "./connections.js";
import { Widget } from "./widget.js";

const PARTS = "scroller, row, picture, badge, title, detail, time, five, pill, skipped, notice, older";
const LABEL = "Community events";
const EMPTY = "Quiet so far. The next workout appears here.";

/**
 * @typedef {import("../static/documents.js").FeedPage} FeedPage
 * @typedef {import("./connections.js").Connection} Connection
 */

export class CommunityFeed extends Widget {
  #feed = new LiveFeed();

  /** @param {ShadowRoot} root */
  build(root) {
    this.#feed.setAttribute("label", this.getAttribute("label") ?? LABEL);
    this.#feed.setAttribute("empty", this.getAttribute("empty") ?? EMPTY);
    this.#feed.setAttribute("exportparts", PARTS);
    root.append(this.#feed);
  }

  /** @param {Connection} connection */
  attach(connection) {
    const paged = this.hasAttribute("since-page");
    this.#feed.follow({
      client: connection.client,
      channel: "community",
      page: async (after) => (paged ? pageOf(connection, after) : NO_PAGE),
    });
  }

  detach() {
    this.#feed.stop();
  }
}

/** @type {FeedPage} */
const NO_PAGE = { edges: [], pageInfo: { endCursor: null, hasNextPage: false } };

/**
 * A page of the community's feed; the first one once the connection is open: who may not connect asks for none.
 * @param {Connection} connection
 * @param {string | null} after
 * @returns {Promise<FeedPage>}
 */
async function pageOf(connection, after) {
  await connection.opened;
  const asked = fetch(new URL("api/graphql", SERVER), {
    method: "POST",
    credentials: "omit",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ query: COMMUNITY, variables: { after, mine: false } }),
  });
  const { data, errors } = await asked.then((answer) => answer.json()).catch(() => ({}));
  if (!data) throw new Error(errors?.[0]?.message ?? "The server cannot be reached. Try again in a moment.");
  return data.feed;
}

customElements.define("community-feed", CommunityFeed);
