"use strict";
(() => {
  const table = document.getElementById("instances");
  if (!table) return;
  const body = table.tBodies[0], rows = Array.from(body.rows);
  const controls = document.querySelector(".filters"), words = document.getElementById("words");
  const chips = Array.from(controls.querySelectorAll("button")), told = document.getElementById("told");
  controls.hidden = false;

  const texts = new Map(rows.map(row => [row, Array.from(row.cells)
    .filter(cell => !cell.classList.contains("number")).map(cell => cell.textContent.toLowerCase()).join(" ")]));

  const filter = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const pressed = new Set(chips.filter(c => c.getAttribute("aria-pressed") === "true").map(c => c.value));
    let shown = 0;
    for (const row of rows) {
      const fits = pressed.has(row.dataset.verdict) && wanted.every(w => texts.get(row).includes(w));
      row.hidden = !fits;
      shown += fits;
    }
    told.textContent = shown + " of " + rows.length + " shown";
  };
  words.addEventListener("input", filter);
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      const pressed = chips.filter(c => c.getAttribute("aria-pressed") === "true");
      const mine = pressed.includes(chip);
      const alone = mine && pressed.length === 1;  // pressing the last one shows all again
      if (alone || pressed.length === chips.length) {
        for (const c of chips) c.setAttribute("aria-pressed", String(alone || c === chip));
      } else {
        chip.setAttribute("aria-pressed", String(!mine));
      }
      filter();
    });
  }

  const value = (row, column) => {
    const cell = row.cells[column], text = cell.dataset.value;
    if (text === undefined) return cell.textContent.trim();
    return text === "" ? null : Number(text);
  };
  const words_of = new Intl.Collator("en", { numeric: true });
  const compare = (a, b) => typeof a === "number" ? a - b : words_of.compare(a, b);
  const sort = (head, column) => {
    const down = head.getAttribute("aria-sort") === "ascending";
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const keyed = rows.map(row => [value(row, column), row]);
    keyed.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return down ? compare(b, a) : compare(a, b);
    });
    body.append(...keyed.map(([, row]) => row));
  };
  Array.from(table.tHead.rows[0].cells).forEach((head, column) => {
    const button = head.querySelector("button");
    if (button) button.addEventListener("click", () => sort(head, column));
  });

  const title = document.title;
  const arrive = () => {
    const page = location.hash ? document.getElementById(location.hash.slice(1)) : null;
    const head = page && page.classList.contains("page") ? page.querySelector("h1") : null;
    document.title = head ? head.textContent + " – " + title : title;
    if (head) {
      head.focus({ preventScroll: true });
      window.scrollTo(0, 0);
    }
  };
  window.addEventListener("hashchange", arrive);
  arrive();
})();
