// @ts-check
/** All widgets in one file. */
import "./community-feed.js";
import "./presence-map.js";
