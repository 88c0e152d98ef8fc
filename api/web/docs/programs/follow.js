// @ts-check
/**
 * Follows a channel by server-sent events in a browser, from the newest event on or behind `since`.
 *
 * An EventSource comes back by itself when its connection is cut, with the id of what it heard last. It gives up at any
 * answer that is no stream: a restart behind a proxy, or a token that is over. Then another one is made, from that id on.
 * @param {string} address such as https://musclemap.example/api/v1/feed/stream?channel=community
 * @param {{
 *   onEvent: (event: Record<string, unknown>, id: string) => void,
 *   onGap: () => void,
 *   token?: () => Promise<string>,
 *   since?: string,
 * }} options `onGap`: something was missed, and pages of the GraphQL API have it. `token`: a fresh channel token.
 * @returns {() => void} ends it
 */
export function follow(address, { onEvent, onGap, token, since = "" }) {
  /** @type {EventSource | undefined} */
  let source;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let failures = 0;
  let ended = false;

  const open = async () => {
    const url = new URL(address);
    try {
      if (token) url.searchParams.set("token", await token());
    } catch {
      again();
      return;
    }
    if (since) url.searchParams.set("since", since);
    if (ended) return;
    source = new EventSource(url);
    source.onopen = () => { failures = 0; };
    source.onerror = () => { if (source?.readyState === EventSource.CLOSED) again(); };
    source.addEventListener("event", (message) => {
      since = message.lastEventId;
      onEvent(JSON.parse(message.data).event, since);
    });
    source.addEventListener("digest", (message) => { since = message.lastEventId; });
    source.addEventListener("gap", (message) => {
      since = message.lastEventId;
      onGap();
    });
  };

  const again = () => {
    if (ended) return;
    timer = setTimeout(open, Math.random() * Math.min(30_000, 1_000 * 2 ** failures));
    failures += 1;
  };

  open();
  return () => {
    ended = true;
    clearTimeout(timer);
    source?.close();
  };
}
