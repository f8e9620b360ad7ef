/**
 * Elements. What comes from users becomes text nodes and attributes, never markup.
 */

/** An element: `h("button", { class: "plain", onclick }, "Kick")`. What is null is left out. */
export function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) {
      element.addEventListener(key.slice(2), value);
    } else if (value === true) {
      element.setAttribute(key, "");
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(key, value);
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** A table; each cell is a text or an element. `empty` is said if there are no rows. */
export function table(columns, rows, empty) {
  if (!rows.length) {
    return h("p", { class: "empty" }, empty);
  }
  const cells = (row) => row.map((cell, at) => h("td", { "data-label": columns[at] }, cell));
  return h(
    "table",
    {},
    h("thead", {}, h("tr", {}, columns.map((each) => h("th", { scope: "col" }, each)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, cells(row)))),
  );
}

/** Ask before something is done; resolves to what `content` gives, or to null. */
export function confirm(title, content, action) {
  return new Promise((resolve) => {
    const dialog = h(
      "dialog",
      { "aria-labelledby": "question", onclose: () => finish(null) },
      h(
        "form",
        { method: "dialog", onsubmit: (event) => { event.preventDefault(); finish(true); } },
        h("h2", { id: "question" }, title),
        content,
        h(
          "div",
          { class: "actions" },
          h("button", { type: "button", class: "plain", onclick: () => finish(null) }, "Cancel"),
          h("button", { type: "submit", class: "danger" }, action),
        ),
      ),
    );
    function finish(result) {
      dialog.remove();
      resolve(result);
    }
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** A number of bytes for people. */
export function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  while (count >= 1024 && at < units.length - 1) {
    count /= 1024;
    at += 1;
  }
  return `${at ? count.toFixed(1) : count} ${units[at]}`;
}

/** Seconds for people: the two largest units. */
export function duration(seconds) {
  const units = [["d", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const parts = [];
  for (const [name, size] of units) {
    const count = Math.floor(seconds / size);
    seconds -= count * size;
    if (count || (name === "s" && !parts.length)) {
      parts.push(`${count} ${name}`);
    }
  }
  return parts.slice(0, 2).join(" ");
}

/** Milliseconds since 1970 for people. */
export function moment(time) {
  return new Date(time).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}
