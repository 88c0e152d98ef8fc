// @ts-check
/**
 * Tells the server once how fast this page was, when it is first left: Core Web Vitals (web.dev/articles/vitals) and how
 * long it took to be live. Numbers alone: no address of a page, nothing of the person or the device.
 */
import { listen } from "./dom.js";

const PATH = "/api/v1/vitals";
const MS_MAX = 600_000; // the server takes no more: such a page was asleep
const LEFT = ["visibilitychange", "pagehide"]; // the second comes alone where a tab goes elsewhere at once

/** @typedef {"lcp" | "inp" | "cls" | "fcp" | "ttfb" | "live"} Vital */

/** @param {EventTarget} live  a LiveClient */
export async function measure(live) {
  /** @type {Partial<Record<Vital, number>>} */
  const told = {};
  /** @type {(name: Vital) => (metric: {value: number}) => void} */
  const keep = (name) => ({ value }) => {
    if (value <= MS_MAX) told[name] = value;
  };
  if (!document.hidden) {
    const first = keep("live");
    listen(live, "welcome", () => told.live ?? first({ value: performance.now() }));
  }
  // On the window, which hears it after the document: what the library ends with is among what is sent.
  const send = (/** @type {Event} */ { type }) => {
    if ((type !== "pagehide" && !document.hidden) || !Object.keys(told).length) return;
    for (const left of LEFT) removeEventListener(left, send);
    navigator.sendBeacon?.(PATH, new Blob([JSON.stringify(told)], { type: "application/json" }));
  };
  for (const left of LEFT) addEventListener(left, send);
  if (document.readyState !== "complete") await new Promise((resolve) => addEventListener("load", resolve));
  const { onCLS, onFCP, onINP, onLCP, onTTFB } = await import("./vendor/web-vitals.js");
  onCLS(keep("cls"), { reportAllChanges: true });
  onINP(keep("inp"), { reportAllChanges: true });
  onLCP(keep("lcp"), { reportAllChanges: true });
  onFCP(keep("fcp"));
  onTTFB(keep("ttfb"));
}
