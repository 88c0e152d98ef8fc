// @ts-check
/**
 * Subscribes by GraphQL and prints a place and an event a line, for ever: node subscribe.mjs ADDRESS [SINCE] [TOKEN]
 *
 * ADDRESS is of /api/graphql/ws; SINCE `epoch:offset`, as a page of the feed or an earlier line says; TOKEN an access
 * token. Node 20 has its WebSocket behind --experimental-websocket; later ones and browsers have it as it is.
 */

const QUERY = "subscription { event: communityFeed { id type createdAt data } }";
const FINAL = [4400, 4401, 4409, 4429]; // closed for what this program said: the same again is of no use
const LATER = ["RETRY_LATER", "RATE_LIMITED", "UNAVAILABLE"];

const [address, place = "", token] = process.argv.slice(2);
const [epoch, offset] = place.split(":");
/** @type {{epoch: string, offset: number} | undefined} */
let since = epoch ? { epoch, offset: Number(offset) } : undefined;
let failures = 0;

/** @param {{data: {event: object} | null, extensions: {position: {epoch: string, offset: number}}}} told */
function tell({ data, extensions }) {
  since = extensions.position;
  failures = 0;
  if (data) console.log(`${since.epoch}:${since.offset}`, JSON.stringify(data.event));
  else console.error("missed some: the pages of the GraphQL API have them");
}

/**
 * One connection, to its end.
 * @returns {Promise<void>} rejected where coming back is of no use
 */
const listen = () =>
  new Promise((resolve, reject) => {
    const socket = new WebSocket(address, "graphql-transport-ws");
    const say = (/** @type {object} */ message) => socket.send(JSON.stringify(message));
    socket.onopen = () => {
      say({ type: "connection_init", payload: token ? { authorization: `Bearer ${token}` } : {} });
    };
    socket.onerror = () => resolve(); // where it could not be opened, Node 20 says no `close`
    socket.onclose = ({ code, reason }) => (FINAL.includes(code) ? reject(new Error(`${code} ${reason}`)) : resolve());
    socket.onmessage = ({ data }) => {
      const { type, payload } = JSON.parse(data);
      if (type === "ping") say({ type: "pong" });
      else if (type === "next") tell(payload);
      else if (type === "connection_ack") {
        say({ type: "subscribe", id: "1", payload: { query: QUERY, extensions: since ? { since } : {} } });
      } else if (type === "error") {
        if (!LATER.includes(payload[0].extensions?.code)) reject(new Error(JSON.stringify(payload)));
        socket.close();
      }
    };
  });

for (;;) {
  await listen();
  const waitMs = Math.random() * Math.min(30_000, 1_000 * 2 ** failures);
  failures += 1;
  await new Promise((resolve) => setTimeout(resolve, waitMs));
}
