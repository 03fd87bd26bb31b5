// Puts what changed into the page as it comes, without moving what somebody reads, selects or types.

const root = document.documentElement;
/** @type {EventSource | null} */
let stream = null;
const address = new URL(root.dataset.live ?? "/live", location.href);

/** What makes an element the same one in a new version of the page. @param {Node} node */
const keyOf = (node) => (node instanceof Element ? node.id || node.getAttribute("data-key") : null);

/** @param {Node} old @param {Node} fresh */
const isSame = (old, fresh) => old.nodeName === fresh.nodeName && keyOf(old) === keyOf(fresh);

/** Makes `old` what `fresh` is, by as few changes as are needed. @param {Element} old @param {Element} fresh */
function morph(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeName !== fresh.nodeName) return old.replaceWith(fresh);
  for (const { name } of [...old.attributes])
    if (!fresh.hasAttribute(name) && !isKept(old, name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) {
    if (old.getAttribute(name) !== value && !isKept(old, name)) old.setAttribute(name, value);
  }
  morphChildren(old, fresh);
}

/** What readers and scripts have set: an opened part, a button that scripts have shown, a time's title. */
function isKept(element, name) {
  if (name === "open") return element instanceof HTMLDetailsElement;
  return name === "hidden" ? element.matches("button.copy") : name === "title" && element instanceof HTMLTimeElement;
}

/** @param {Element} old @param {Element} fresh */
function morphChildren(old, fresh) {
  let place = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const match = findMatch(place, child);
    if (match === null) {
      old.insertBefore(child, place);
      continue;
    }
    // What stands between is not in the new version, or comes later in it.
    while (place !== null && place !== match) place = remove(place);
    place = match.nextSibling;
    if (match instanceof Element) morph(match, child);
    else if (match.nodeValue !== child.nodeValue) match.nodeValue = child.nodeValue;
  }
  while (place !== null) place = remove(place);
}

/** The element with the same key further on; without a key, only the very next one. @param {ChildNode | null} place @param {Node} child */
function findMatch(place, child) {
  if (place === null || keyOf(child) === null) return place !== null && isSame(place, child) ? place : null;
  for (let node = place; node !== null; node = node.nextSibling) if (isSame(node, child)) return node;
  return null;
}

/** @param {ChildNode} node */
function remove(node) {
  const next = node.nextSibling;
  node.remove();
  return next;
}

/** @param {MessageEvent<string>} message */
function onChange({ data }) {
  const end = data.indexOf("\n");
  address.searchParams.set("from", data.slice(0, end));
  const template = document.createElement("template");
  template.innerHTML = data.slice(end + 1);
  for (const fresh of [...template.content.children]) {
    const old = document.getElementById(fresh.id);
    if (old !== null) morph(old, fresh);
  }
  document.dispatchEvent(new Event("changed"));
}

/** A new daemon may show other things; what somebody is writing is worth more. */
function onRestart() {
  const isTyped = [...document.querySelectorAll("textarea")].some((area) => area.value !== area.defaultValue);
  if (isTyped) tell("lost", "the queue was restarted: reload");
  else location.reload();
}

/** @param {"live" | "lost"} state @param {string} text */
function tell(state, text) {
  const place = document.getElementById("stream");
  if (place === null) return;
  place.hidden = false;
  place.className = `stream ${state}`;
  place.textContent = text;
}

/** Nobody looks at a page in the background. */
function follow() {
  stream?.close();
  stream = null;
  if (document.hidden) return;
  stream = new EventSource(address);
  stream.addEventListener("open", () => tell("live", "live"));
  stream.addEventListener("message", onChange);
  stream.addEventListener("restarted", onRestart);
  // The browser itself tries again, unless it was refused.
  stream.addEventListener("error", () => {
    const isRefused = stream?.readyState === EventSource.CLOSED;
    tell("lost", isRefused ? "not live: reload" : "no connection");
  });
}

document.addEventListener("visibilitychange", follow);
addEventListener("pagehide", () => stream?.close());
addEventListener("pageshow", (event) => event.persisted && follow());
follow();
