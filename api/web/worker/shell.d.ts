/** What the server writes above the worker: the page's own files, and a name that changes with any of them. */
declare const SHELL: { version: string; files: string[] };
