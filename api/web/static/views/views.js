// @ts-check
/** All views, each by the name that it has in an address: one file of what is fetched once somebody goes to one. */
export { show as challenges } from "./challenges.js";
export { show as credits } from "./credits.js";
export { show as leaderboard } from "./leaderboard.js";
export { show as me } from "./me.js";
export { show as muscles } from "./muscles.js";
export { show as people } from "./people.js";
export { show as person } from "./person.js";
export { show as privacy } from "./privacy.js";
export { show as rivals } from "./rivals.js";
