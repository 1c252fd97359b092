// Tables too long to be read whole: a page at a time, filtered by words, sorted by the heading that is clicked.
(() => {
  const SIZE = 50;
  const make = (kind, into, text = "", name = "") => {
    const element = into.appendChild(document.createElement(kind));
    element.textContent = text;
    if (name) element.className = name;
    return element;
  };
  const number = text => { const x = parseFloat(String(text).replace("−", "-")); return Number.isNaN(x) ? null : x; };
  const words = row => row.slice(0, -1).map(cell => Array.isArray(cell) ? cell.map(one => one[0]).join(" ") : cell).join(" ").toLowerCase();

  function show(holder) {
    const { columns, rows } = JSON.parse(holder.querySelector("script").textContent);
    const bar = make("p", holder, "", "faint");
    const filter = make("input", bar);
    filter.type = "search";
    filter.placeholder = "filter: words, all of which occur";
    filter.setAttribute("aria-label", "filter the rows");
    const back = make("button", bar, "‹"), on = make("button", bar, "›"), place = make("span", bar);
    back.setAttribute("aria-label", "page before");
    on.setAttribute("aria-label", "next page");
    const table = make("table", holder), head = make("tr", make("thead", table)), body = make("tbody", table);
    const texts = rows.map(words);
    let order = rows.map((_, i) => i), page = 0, sorted = null, up = true;

    function draw() {
      const last = Math.max(0, Math.ceil(order.length / SIZE) - 1);
      page = Math.min(Math.max(page, 0), last);
      place.textContent = ` ${order.length ? page * SIZE + 1 : 0} to ${Math.min(order.length, (page + 1) * SIZE)} of ` +
        `${order.length}${order.length < rows.length ? ` (${rows.length} in all)` : ""}`;
      body.replaceChildren();
      for (const i of order.slice(page * SIZE, (page + 1) * SIZE)) {
        const line = make("tr", body, "", rows[i].at(-1));
        columns.forEach((column, k) => {
          const cell = rows[i][k], at = make("td", line, Array.isArray(cell) ? "" : cell, column.kind);
          if (Array.isArray(cell)) for (const [text, href] of cell) {
            if (href) make("a", at, text).href = href; else at.append(text);
            at.append(" ");
          }
        });
      }
    }

    function arrange() {
      const asked = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      order = rows.map((_, i) => i).filter(i => asked.every(word => texts[i].includes(word)));
      if (sorted !== null) {
        const numeric = columns[sorted].kind === "number", way = up ? 1 : -1;
        const keys = rows.map(row => numeric ? number(row[sorted]) : String(row[sorted]));
        // What is empty stands last, whichever way the others go.
        const empty = key => key === null || key === "";
        order.sort((i, j) => empty(keys[i]) - empty(keys[j]) ||
          way * (numeric ? keys[i] - keys[j] : keys[i].localeCompare(keys[j], undefined, { numeric: true })));
      }
      page = 0;
      draw();
    }

    columns.forEach((column, k) => {
      const heading = make("th", head, "", column.kind === "number" ? "number" : "");
      make("button", heading, column.name).addEventListener("click", () => {
        up = sorted === k ? !up : true;
        sorted = k;
        for (const other of head.children) other.removeAttribute("aria-sort");
        heading.setAttribute("aria-sort", up ? "ascending" : "descending");
        arrange();
      });
    });
    filter.addEventListener("input", arrange);
    back.addEventListener("click", () => { page--; draw(); });
    on.addEventListener("click", () => { page++; draw(); });
    draw();
  }

  document.querySelectorAll(".paged").forEach(show);
})();
