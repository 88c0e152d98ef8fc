// @ts-check
// Takes from a lock file of npm what says where a package comes from, and whom to pay: node plain.mjs LOCK_FILE
import { readFileSync, writeFileSync } from "node:fs";

const [file] = process.argv.slice(2);
const lock = JSON.parse(readFileSync(file, "utf8"));
delete lock.name;
lock.packages[""] = { dependencies: lock.packages[""].dependencies };
for (const one of Object.values(lock.packages)) {
  delete one.resolved;
  delete one.funding;
}
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
