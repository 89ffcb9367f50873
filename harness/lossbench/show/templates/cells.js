  // Every answer: rows stand in a block of data, and only the page of them that one sees is made of elements.
  const PAGE = 50;
  const roster = (table) => {
    const data = JSON.parse(document.getElementById("cells-data").textContent), name = table.dataset.roster;
    const unpack = ({ at, runs }) => {
      const codes = new Uint32Array(data.rows);
      if (at) codes.set(at);
      else for (let r = 0, i = 0; r < runs.length; r += 2) { codes.fill(runs[r], i, i + runs[r + 1]); i += runs[r + 1]; }
      return codes;
    };
    // A word's place in the order of its column; what has no number stands last whatever the direction.
    const places = ({ words, key }) => {
      const keys = (key || words).map((k) => (k === "inf" ? Infinity : k === "-inf" ? -Infinity : k));
      const order = words.map((_, i) => i).filter((i) => keys[i] !== null);
      order.sort((a, b) => (keys[a] < keys[b] ? -1 : keys[a] > keys[b] ? 1 : 0));
      const found = words.map(() => -1);
      let place = -1;
      order.forEach((i, n) => { if (!n || keys[i] !== keys[order[n - 1]]) place++; found[i] = place; });
      return found;
    };
    const columns = data.columns.map((column) => ({ ...column, at: unpack(column), places: places(column) }));
    const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells], output = make("output", {}), chosen = new Map();
    let rows = [], first = 0, by = 0, words = "";

    const sorted = (given) => {
      if (!by) return given;
      const { at, places } = columns[Math.abs(by) - 1], buckets = places.map(() => []), last = [];
      for (const i of given) (buckets[places[at[i]]] || last).push(i);
      return [...(by < 0 ? buckets.reverse() : buckets), last].flat();
    };
    const find = () => {
      const terms = words.toLowerCase().split(/\s+/).filter(Boolean)
        .map((term) => columns.map((c) => c.words.map((word) => word.toLowerCase().includes(term))));
      const picks = [...chosen].filter(([, code]) => code >= 0).map(([k, code]) => [columns[k].at, code]);
      const found = [];
      for (let i = 0; i < data.rows; i++) {
        if (picks.every(([at, code]) => at[i] === code) && terms.every((t) => t.some((has, k) => has[columns[k].at[i]]))) found.push(i);
      }
      rows = sorted(found);
    };
    const cell = (column, i, k) => {
      const code = column.at[i], word = column.words[code], td = make(k ? "td" : "th", k ? {} : { scope: "row" });
      if (column.href?.[code]) td.append(make("a", { href: column.href[code], textContent: word }));
      else if (column.css) td.append(make("span", { className: column.css[code], textContent: word }));
      else td.textContent = word;
      if (column.key && !column.css) td.className = "num";
      return td;
    };
    const draw = () => {
      first = Math.max(0, Math.min(first, PAGE * Math.floor((rows.length - 1) / PAGE)));
      const shown = rows.slice(first, first + PAGE);
      body.replaceChildren(...shown.map((i) => make("tr", {}, ...columns.map((column, k) => cell(column, i, k)))));
      const number = (n) => n.toLocaleString("en");
      output.textContent = rows.length ? `${number(first + 1)} to ${number(first + shown.length)} of ${number(rows.length)} rows${data.of > data.rows ? `; ${number(data.of - data.rows)} more, all to rounding, are in agreement.parquet` : ""}` : "no rows";
      back.disabled = !first;
      next.disabled = first + PAGE >= rows.length;
    };
    const again = () => { first = 0; put(`${name}.from`, ""); find(); draw(); };
    const turn = (text, step) => {
      const button = make("button", { type: "button", textContent: text });
      button.addEventListener("click", () => { first += step; draw(); put(`${name}.from`, first ? String(first + 1) : ""); });
      return button;
    };
    const back = turn("previous", -PAGE), next = turn("next", PAGE);

    const search = make("input", { type: "search", value: state.get(`${name}.q`) || "" });
    words = search.value;
    search.addEventListener("input", () => { words = search.value; put(`${name}.q`, words); again(); });
    const tools = make("div", { className: "tools" }, make("label", {}, "search ", search));
    columns.forEach((column, k) => {
      if (column.words.length < 2 || column.words.length > 60 || column.key && !column.css) return;
      const key = `${name}.f${k}`, options = [...column.words].sort();
      const select = make("select", {}, make("option", { value: "", textContent: "all" }), ...options.map((o) => make("option", { value: o, textContent: o })));
      select.value = options.includes(state.get(key)) ? state.get(key) : "";
      chosen.set(k, column.words.indexOf(select.value));
      select.addEventListener("change", () => { put(key, select.value); chosen.set(k, column.words.indexOf(select.value)); again(); });
      tools.append(make("label", {}, column.head + " ", select));
    });
    by = Number(state.get(`${name}.sort`)) || 0;
    if (!columns[Math.abs(by) - 1]) by = 0;
    const say = () => heads.forEach((th, k) => {
      if (Math.abs(by) === k + 1) th.setAttribute("aria-sort", by < 0 ? "descending" : "ascending");
      else th.removeAttribute("aria-sort");
    });
    heads.forEach((th, k) => {
      const button = make("button", { type: "button" }, ...th.childNodes);
      th.append(button);
      button.addEventListener("click", () => { by = by === k + 1 ? -by : k + 1; say(); again(); put(`${name}.sort`, String(by)); });
    });
    tools.append(saver(name, () => [columns.map((c) => c.head), ...rows.map((i) => columns.map((c) => c.words[c.at[i]]))]), output);
    table.closest(".scroll").before(tools);
    table.closest(".scroll").after(make("p", { className: "tools" }, back, next));
    first = (Number(state.get(`${name}.from`)) || 1) - 1;
    say();
    find();
    draw();
  };
