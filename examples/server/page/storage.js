// What the browser remembers for the page. Where it may not, the page does until it is closed.

const memory = new Map();

export function get(name) {
  try {
    return localStorage.getItem(name) ?? memory.get(name) ?? null;
  } catch {
    return memory.get(name) ?? null;
  }
}

export function set(name, text) {
  memory.set(name, text);
  try {
    localStorage.setItem(name, text);
  } catch {
    // Private windows may have no storage, or a full one.
  }
}
