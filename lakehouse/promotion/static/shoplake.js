// What the pages of Great Expectations ask of jQuery and Bootstrap, which they would fetch from the network: tables that
// can be sorted and searched, tabs, parts that open, and showing and hiding what passed. What else they ask is ignored.
(() => {
  "use strict";

  const shownTable = (table, options) => {
    const columns = options.columns.filter((column) => column.visible !== "false" && column.visible !== false);
    let { sortName, sortOrder } = options;
    const search = document.createElement("input");
    Object.assign(search, { className: "search", type: "search", placeholder: "search" });
    search.setAttribute("aria-label", "search");
    table.before(search);
    const head = table.createTHead().insertRow();
    for (const column of columns) {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = column.title;
      cell.dataset.by = column.sortName || column.field;
      head.append(cell);
    }
    const body = table.createTBody();
    const plain = (html) => new DOMParser().parseFromString(String(html ?? ""), "text/html").body.textContent.trim();
    const keyOf = (row, name) => {
      const own = row[`_${name}_sort`] ?? row[name];
      return typeof own === "number" ? own : plain(own);
    };
    const compare = (one, other) => {
      if (typeof one === "number" && typeof other === "number") return one - other;
      return String(one).localeCompare(String(other));
    };
    const draw = () => {
      const asked = search.value.toLowerCase();
      const rows = options.data.filter((row) =>
        columns.some((column) => plain(row[column.field]).toLowerCase().includes(asked)));
      const sign = sortOrder === "desc" ? -1 : 1;
      if (sortName) rows.sort((a, b) => sign * compare(keyOf(a, sortName), keyOf(b, sortName)));
      body.replaceChildren();
      for (const row of rows) {
        const line = body.insertRow();
        if (row._table_row_link_path) line.dataset.href = row._table_row_link_path;
        columns.forEach((column, place) => {
          const cell = line.insertCell();
          cell.innerHTML = row[column.field] ?? "";
          if (!place && row._table_row_link_path && !cell.querySelector("a")) {
            const link = document.createElement("a");
            link.href = row._table_row_link_path;
            link.append(...cell.childNodes);
            cell.append(link);
          }
        });
      }
    };
    search.addEventListener("input", draw);
    head.addEventListener("click", ({ target }) => {
      const by = target.dataset.by;
      if (!by) return;
      sortOrder = sortName === by && sortOrder === "asc" ? "desc" : "asc";
      sortName = by;
      draw();
    });
    body.addEventListener("click", ({ target }) => {
      const line = target.closest("tr[data-href]");
      if (line && !target.closest("a")) window.location = line.dataset.href;
    });
    table.clear = () => { search.value = ""; draw(); };
    draw();
  };

  const found = (asked, within = document) => {
    if (typeof asked === "string") return [...within.querySelectorAll(asked)];
    return asked instanceof Node ? [asked] : [...(asked ?? [])];
  };

  const wrapped = (elements) => {
    const each = (work) => { elements.forEach((element, place) => work.call(element, place, element)); return self; };
    const known = {
      length: elements.length,
      each,
      ready: (work) => { work(); return self; },
      parent: () => wrapped([...new Set(elements.map((element) => element.parentElement).filter(Boolean))]),
      fadeIn: () => each((_, element) => { element.hidden = false; }),
      fadeOut: () => each((_, element) => { element.hidden = true; }),
      bootstrapTable: (options) => each((_, table) => {
        if (options && options.columns) shownTable(table, options);
        else if (table.clear) table.clear();
      }),
    };
    const self = new Proxy(known, { get: (own, name) => (name in own ? own[name] : () => self) });
    return self;
  };

  window.$ = window.jQuery = (asked) => (typeof asked === "function" ? (asked(), wrapped([])) : wrapped(found(asked)));

  document.addEventListener("click", (event) => {
    const control = event.target.closest("[data-toggle], [data-dismiss]");
    if (!control) return;
    const target = control.dataset.target || control.getAttribute("href");
    const element = target?.startsWith("#") ? document.getElementById(target.slice(1)) : null;
    if (control.dataset.dismiss === "alert") control.closest(".alert").remove();
    if (control.dataset.toggle === "collapse" && element) {
      event.preventDefault();
      control.setAttribute("aria-expanded", String(element.classList.toggle("show")));
    }
    if (control.dataset.toggle === "tab" && element) {
      event.preventDefault();
      const tabs = control.closest("ul").querySelectorAll("[data-toggle=tab]");
      for (const tab of tabs) tab.classList.toggle("active", tab === control);
      for (const pane of element.parentElement.children) pane.classList.toggle("active", pane === element);
    }
  });
})();
