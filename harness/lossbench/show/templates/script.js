"use strict";
// Tables sort, filter, search and export; where one stood is in the address, so that a link leads back to it:
// #anchor?picture.q=huber&findings.sort=-7&findings.f2=torch
(() => {
  const [first, query] = location.hash.slice(1).split("?");
  const state = new URLSearchParams(query || "");
  let anchor = first;
  const save = () => {
    const text = state.toString();
    history.replaceState(null, "", "#" + anchor + (text ? "?" + text : ""));
  };
  const put = (key, value) => { if (value) state.set(key, value); else state.delete(key); save(); };
  const make = (tag, properties, ...children) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...children);
    return element;
  };
  const wordsOf = (cell) => cell.textContent.replace(/\s+/g, " ").trim();

  const saver = (name, linesOf) => {
    const button = make("button", { type: "button", textContent: "CSV", title: "Save the rows found as CSV" });
    // A cell that begins like a spreadsheet formula is made text.
    const quote = (s) => `"${(/^[=+@\t\r]/.test(s) ? "'" + s : s).replaceAll('"', '""')}"`;
    button.addEventListener("click", () => {
      const text = linesOf().map((line) => line.map(quote).join(",")).join("\r\n");
      const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
      make("a", { href: url, download: `${name}.csv` }).click();
      setTimeout(() => URL.revokeObjectURL(url), 1000);
    });
    return button;
  };

  // Where each header stands in a body row: header cells may span rows and columns.
  const columns = (table) => {
    const taken = [], places = new Map();
    [...table.tHead.rows].forEach((row, r) => {
      let c = 0;
      for (const th of row.cells) {
        while (taken[r]?.[c]) c++;
        places.set(th, c);
        for (let i = 0; i < th.rowSpan; i++) for (let j = 0; j < th.colSpan; j++) (taken[r + i] ||= [])[c + j] = true;
        c += th.colSpan;
      }
    });
    return places;
  };

  const keyOf = (row, column) => {
    const cell = row.cells[column], raw = cell?.dataset.v ?? (cell ? wordsOf(cell) : "");
    const number = raw === "inf" ? Infinity : raw === "" ? NaN : Number(raw);
    return Number.isNaN(number) ? raw : number;
  };

  const enhance = (table) => {
    const name = table.dataset.name, body = table.tBodies[0], rows = [...body.rows], places = columns(table);
    const text = rows.map((row) => wordsOf(row).toLowerCase());
    const tests = new Map(), output = make("output", {}), tools = make("div", { className: "tools" });
    const show = () => {
      let shown = 0;
      rows.forEach((row, i) => { row.hidden = ![...tests.values()].every((test) => test(row, i)); shown += !row.hidden; });
      output.textContent = `${shown} of ${rows.length} rows`;
    };
    const search = make("input", { type: "search", value: state.get(`${name}.q`) || "" });
    const seek = () => {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      tests.set("q", (_, i) => words.every((word) => text[i].includes(word)));
      show();
    };
    search.addEventListener("input", () => { put(`${name}.q`, search.value); seek(); });
    tools.append(make("label", {}, "search ", search));

    const choose = (label, key, options, apply) => {
      const select = make("select", {}, make("option", { value: "", textContent: "all" }),
        ...options.map((option) => make("option", { value: option, textContent: option })));
      select.value = options.includes(state.get(key)) ? state.get(key) : "";
      select.addEventListener("change", () => { put(key, select.value); apply(select.value); show(); });
      tools.append(make("label", {}, label + " ", select));
      apply(select.value);
    };
    for (const th of table.querySelectorAll("th[data-filter]")) {
      const column = places.get(th), values = rows.map((row) => wordsOf(row.cells[column]));
      const options = [...new Set(values)].sort();
      if (options.length < 2 || options.length > 60) continue;
      choose(th.textContent, `${name}.f${column}`, options,
        (value) => tests.set(`f${column}`, (_, i) => !value || values[i] === value));
    }
    if (table.dataset.dtypes) narrow(table, name, choose);

    const sort = (th, descending) => {
      const column = places.get(th), sign = descending ? -1 : 1;
      const keyed = rows.map((row, i) => [keyOf(row, column), i, row]);
      keyed.sort(([a, i], [b, j]) =>
        (typeof a === typeof b ? (a < b ? -sign : a > b ? sign : 0) : typeof a === "number" ? -1 : 1) || i - j);
      body.append(...keyed.map(([, , row]) => row));
      table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
      th.setAttribute("aria-sort", descending ? "descending" : "ascending");
    };
    for (const th of table.querySelectorAll("th[data-sort]")) {
      const button = make("button", { type: "button" }, ...th.childNodes), column = places.get(th);
      th.append(button);
      button.addEventListener("click", () => {
        const descending = th.getAttribute("aria-sort") === "ascending";
        sort(th, descending);
        put(`${name}.sort`, (descending ? "-" : "") + (column + 1));
      });
      const wanted = Number(state.get(`${name}.sort`));
      if (wanted && Math.abs(wanted) === column + 1) sort(th, wanted < 0);
    }

    const csv = saver(name, () => {
      const heads = [];
      for (const [th, c] of places) for (let j = 0; j < th.colSpan; j++) heads[c + j] = [heads[c + j], wordsOf(th)].filter(Boolean).join(" ");
      const told = (c) => wordsOf(c.querySelector("details > span") || c) || c.querySelector("title")?.textContent || "";
      return [heads, ...[...body.rows].filter((row) => !row.hidden).map((row) => [...row.cells].map(told))];
    });
    tools.append(csv, output);
    (table.closest(".scroll") || table).before(tools);
    seek();
  };

  // The picture: the worst letter on ordinary inputs and, if it is worse, that at the edges; or of the inputs chosen.
  const narrow = (table, name, choose) => {
    const marks = new Map([...document.querySelectorAll("ul.legend [data-v]")].map((li) => {
      const mark = li.querySelector(".mark");
      return [mark.textContent, [mark.className.match(/m-\w+/)[0], Number(li.dataset.v)]];
    }));
    const dtypes = table.dataset.dtypes.split(" "), regimes = table.dataset.regimes.split(" "), chosen = { dtype: "", regime: "" };
    const squares = [...table.querySelectorAll("td[data-g]")].map((td) => ({ td, letters: [...td.dataset.g] }));
    const classOf = (letter) => marks.get(letter)?.[0] ?? "m-untested", rankOf = (letter) => marks.get(letter)?.[1] ?? -1;
    const worst = (letters) => letters.reduce((a, b) => (rankOf(b) > rankOf(a) ? b : a), "·");
    const apply = () => {
      for (const { td, letters } of squares) {
        const of = (wanted) => worst(letters.filter((_, i) => (!chosen.dtype || dtypes[Math.floor(i / regimes.length)] === chosen.dtype) && wanted(regimes[i % regimes.length])));
        let letter = of((r) => r === (chosen.regime || "typical")), edge = chosen.regime ? "·" : of((r) => r !== "typical");
        if (letter === "·") [letter, edge] = [edge, "·"];
        const small = rankOf(edge) > rankOf(letter) ? [make("small", { className: classOf(edge), textContent: edge })] : [];
        td.replaceChildren(letter, ...small);
        td.className = "sq " + classOf(letter);
        td.dataset.v = 10 * rankOf(letter) + rankOf(small.length ? edge : letter);
      }
    };
    choose("dtype", `${name}.dtype`, dtypes, (value) => { chosen.dtype = value; apply(); });
    choose("inputs", `${name}.regime`, regimes, (value) => { chosen.regime = value; apply(); });
  };

/* cells */
  document.querySelectorAll("table[data-name]").forEach(enhance);
  document.querySelectorAll("table[data-roster]").forEach(roster);
  const go = (id) => document.getElementById(id)?.scrollIntoView();
  document.addEventListener("click", (event) => {
    const link = event.target.closest('a[href^="#"]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    save();
    anchor = link.getAttribute("href").slice(1);
    const text = state.toString();
    history.pushState(null, "", "#" + anchor + (text ? "?" + text : ""));
    go(anchor);
    const target = document.getElementById(anchor);
    if (target) { target.tabIndex = -1; target.focus({ preventScroll: true }); }
  });
  addEventListener("popstate", () => { anchor = location.hash.slice(1).split("?")[0]; go(anchor); });
  if (query && anchor) go(anchor);
  // Paper has nothing to press: what is folded is printed, too.
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("details:not([open])")];
    for (const details of folded) details.open = true;
  });
  addEventListener("afterprint", () => { for (const details of folded) details.open = false; });
})();
