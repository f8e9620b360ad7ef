/**
 * Keeps a list of messages where its reader is, whatever is drawn.
 *
 * Who is at the end stays at the end; for everybody else the first message in sight stays where it
 * was, also when older ones are put before it.
 */

/** Pixels from the end that still count as the end. */
const NEAR = 48;

const boxes = new WeakMap();

/** Whether the end is in sight. */
export function isAtEnd(box) {
  return box.scrollHeight - box.scrollTop - box.clientHeight < NEAR;
}

/** Go to the end. */
export function toEnd(box) {
  box.scrollTop = box.scrollHeight;
}

/**
 * Call before the page is drawn; call what it gives afterwards. `name` tells one conversation from
 * the next, which begins at its end.
 */
export function hold(find) {
  const box = find();
  const before = box && { name: box.dataset.name, isAtEnd: isAtEnd(box), anchor: anchorOf(box) };
  return () => {
    const now = find();
    if (!now) return;
    watch(now);
    if (!before || now !== box || before.name !== now.dataset.name || before.isAtEnd) {
      toEnd(now);
    } else if (before.anchor?.element.isConnected) {
      const { element, top } = before.anchor;
      now.scrollTop += element.getBoundingClientRect().top - top;
    }
  };
}

function anchorOf(box) {
  const { top } = box.getBoundingClientRect();
  for (const element of box.querySelectorAll("[data-node]")) {
    const place = element.getBoundingClientRect();
    if (place.bottom > top) return { element, top: place.top };
  }
  return null;
}

/** Pictures get their height late, and a keyboard takes some away. */
function watch(box) {
  if (boxes.has(box)) return;
  let wasAtEnd = true;
  box.addEventListener("scroll", () => (wasAtEnd = isAtEnd(box)), { passive: true });
  const observer = new ResizeObserver(() => {
    if (wasAtEnd) toEnd(box);
  });
  observer.observe(box);
  observer.observe(box.firstElementChild);
  boxes.set(box, observer);
}
