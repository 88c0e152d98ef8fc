// @ts-check
/** The gallery of widgets: its lines name this server, and are copied by a button. */
export {}; // a module may wait

const { rtUrl } = await (await fetch("/config.json")).json();

for (const code of document.querySelectorAll("pre code")) {
  const text = (code.textContent ?? "")
    .replaceAll("wss://live.example/ws", rtUrl)
    .replaceAll("wss://live.example", new URL(rtUrl).origin)
    .replaceAll("https://live.example", location.origin);
  code.textContent = text;
  if (navigator.clipboard) code.parentElement?.before(copier(text));
}

/** @param {string} text */
function copier(text) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(text).then(
      () => (button.textContent = "Copied"),
      () => (button.textContent = "Not allowed here"),
    );
    setTimeout(() => (button.textContent = "Copy"), 2_000);
  });
  return button;
}
