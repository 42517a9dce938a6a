"use strict";

// Order of values as pandas sorts them: numbers by value, texts by their lower case, what is missing last either way.
function compare(a, b, descending) {
  const missing = (a === null) - (b === null);
  if (missing || a === null) return missing;
  const order = a < b ? -1 : a > b ? 1 : 0;
  return descending ? -order : order;
}

function create(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

function show(number, whole) {
  if (number === null) return "";
  const fixed = number.toFixed(whole || number === 0 ? 0 : 3);
  return (Number(fixed) || number === 0 ? fixed : number.toExponential(1)).replaceAll("-", "−");
}

// ---- tables: a click on a column's head sorts by it, another one turns the order round

function mark(heads, head, descending) {
  for (const other of heads) other.removeAttribute("aria-sort");
  if (head) head.setAttribute("aria-sort", descending ? "descending" : "ascending");
}

function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const number = head.classList.contains("number");
    const descending = head.getAttribute("aria-sort") === "ascending";
    const value = (cell) => number ? ("value" in cell.dataset ? Number(cell.dataset.value) : null) : cell.textContent.toLowerCase() || null;
    const rows = [...table.tBodies[0].rows].map((row) => [value(row.cells[column]), row]);
    rows.sort((a, b) => compare(a[0], b[0], descending));
    table.tBodies[0].append(...rows.map(([, row]) => row));
    mark(heads, head, descending);
  }));
}

// ---- the browser of texts: what is shown is a function of the form's values and of the page's number

const PAGE = 50;
const SHORT = 200;
const SELECTS = ["setting", "method", "origin", "label", "invalid"];
const NOTHING = { label: "never labeled", invalid: "valid" };
const HEADS = { invalid: "validity" };
const NUMBERS = ["first", "last", "least", "most"];

function browser(data) {
  const form = document.getElementById("filters");
  const fields = form.elements;
  const table = document.getElementById("offers");
  const plain = data.columns.map((name, i) => 
    ({ id: name, name: HEADS[name] ?? name, at: i, number: ["seed", "round", "reward"].includes(name), whole: name !== "reward" }));
  const terms = data.terms.flatMap((term, i) => ["raw", "share"].map((kind, j) =>
    ({ id: `${kind} ${term}`, name: kind, term, at: plain.length + 2 * i + j, number: true })));
  const columns = [...plain, ...terms];
  const at = Object.fromEntries(plain.map((column) => [column.id, column.at]));
  const heads = new Map();
  let page = 0;

  function prepare() {
    for (const name of SELECTS) {
      const values = [...new Set(data.rows.map((row) => row[at[name]]))].sort();
      const options = values.map((value) => create("option", { value, textContent: value || NOTHING[name] || "" }));
      fields[name].append(create("option", { textContent: "all" }), ...options);
    }
    const title = (column) => column.term === undefined ? column.name : `${column.term}, ${column.name}`;
    const options = (chosen) => chosen.map((column) => create("option", { value: column.id, textContent: title(column) }));
    fields.term.append(...options(columns.filter((column) => column.number && (column.term !== undefined || column.id === "reward"))));
    fields.by.append(create("option", { value: "", textContent: "run and round" }), ...options(columns));
    const rows = [create("tr"), create("tr")];
    for (const column of columns) {
      const head = create("th", { scope: "col" }, create("button", { type: "button", textContent: column.name }));
      head.className = column.number ? "number" : column.id;
      head.querySelector("button").addEventListener("click", () => choose(column.id));
      heads.set(column.id, head);
      if (column.term === undefined) {
        head.rowSpan = 2;
        rows[0].append(head);
      } else {
        if (column.name === "raw") rows[0].append(create("th", { scope: "colgroup", colSpan: 2, className: "term", textContent: column.term }));
        rows[1].append(head);
      }
    }
    table.tHead.append(...rows);
  }

  function choose(id) {
    const again = fields.by.value === id;
    fields.order.value = (again ? fields.order.value === "up" : columns.find((column) => column.id === id).number) ? "down" : "up";
    fields.by.value = id;
    update();
  }

  function limit(name, otherwise) {
    const value = fields[name].valueAsNumber;
    return Number.isNaN(value) ? otherwise : value;
  }

  function matching() {
    const wanted = SELECTS.filter((name) => fields[name].selectedIndex > 0).map((name) => [at[name], fields[name].value]);
    const part = fields.text.value.toLowerCase();
    const [first, last] = [limit("first", -Infinity), limit("last", Infinity)];
    const bounded = NUMBERS.slice(2).some((name) => !Number.isNaN(fields[name].valueAsNumber));
    const [least, most] = [limit("least", -Infinity), limit("most", Infinity)];
    const term = columns.find((column) => column.id === fields.term.value).at;
    const rows = data.rows.filter((row) => wanted.every(([i, value]) => row[i] === value)
      && row[at.round] >= first && row[at.round] <= last
      && (!bounded || (row[term] !== null && row[term] >= least && row[term] <= most))
      && (!part || row[at.text].toLowerCase().includes(part)));
    const by = columns.find((column) => column.id === fields.by.value);
    if (!by) return rows;
    const value = (row) => by.number ? row[by.at] : row[by.at].toLowerCase() || null;
    const descending = fields.order.value === "down";
    return rows.map((row) => [value(row), row]).sort((a, b) => compare(a[0], b[0], descending)).map(([, row]) => row);
  }

  function cell(row, column) {
    const value = row[column.at];
    const title = column.term === undefined ? column.name : `${column.term} ${column.name}`;
    const made = create("td", { className: column.number ? "number" : column.id });
    made.dataset.name = title;
    if (column.id !== "text") {
      made.append(create("bdi", { textContent: column.number ? show(value, column.whole) : value }));
      return made;
    }
    const letters = value.length > SHORT ? [...value] : [];
    const whole = create("bdi", { textContent: value, dir: "auto" });
    if (letters.length <= SHORT) {
      made.append(whole);
    } else {
      const start = create("bdi", { textContent: `${letters.slice(0, SHORT).join("")}…`, dir: "auto" });
      made.append(create("details", {}, create("summary", {}, start), whole));
    }
    return made;
  }

  function draw() {
    const rows = matching();
    page = Math.max(0, Math.min(page, Math.ceil(rows.length / PAGE) - 1));
    const shown = rows.slice(page * PAGE, (page + 1) * PAGE);
    table.tBodies[0].replaceChildren(...shown.map((row) => create("tr", {}, ...columns.map((column) => cell(row, column)))));
    mark(heads.values(), heads.get(fields.by.value), fields.order.value === "down");
    const count = rows.length.toLocaleString("en-US");
    document.getElementById("count").textContent = `${count} of ${data.rows.length.toLocaleString("en-US")} texts match`;
    const last = page * PAGE + shown.length;
    document.getElementById("place").textContent = shown.length ? `${page * PAGE + 1}–${last} of ${count}` : "none";
    document.getElementById("previous").disabled = page === 0;
    document.getElementById("next").disabled = last === rows.length;
  }

  // The address says what is shown, so that it can be passed on: #texts?method=SIGnAL&by=reward
  function remember() {
    const state = new URLSearchParams();
    for (const field of form.querySelectorAll("input, select")) {
      const usual = SELECTS.includes(field.name) ? field.selectedIndex === 0 : field.value === usually(field.name);
      if (!usual) state.set(field.name, field.value);
    }
    if (page) state.set("page", page + 1);
    const query = state.toString();
    history.replaceState(null, "", query ? `#texts?${query}` : location.hash.startsWith("#texts") ? "#texts" : location.hash || "#");
  }

  function usually(name) {
    return { term: "reward", by: "reward", order: "down" }[name] ?? "";
  }

  function recall() {
    const [place, query] = [location.hash.slice(1, 6), location.hash.slice(7)];
    const state = new URLSearchParams(place === "texts" ? query : "");
    for (const field of form.querySelectorAll("input, select")) {
      const value = state.get(field.name);
      if (!SELECTS.includes(field.name)) {
        field.value = value ?? usually(field.name);
        if (field.selectedIndex === -1) field.value = usually(field.name);
      } else {
        field.selectedIndex = value === null ? 0 : Math.max(0, [...field.options].findIndex((option, i) => i && option.value === value));
      }
    }
    page = Math.max(0, Math.trunc(Number(state.get("page")) || 1) - 1);
    draw();
    if (query) document.getElementById("texts").scrollIntoView();
  }

  function update(turn = 0) {
    page = turn ? page + turn : 0;
    draw();
    remember();
    if (turn) document.getElementById("count").scrollIntoView();
  }

  prepare();
  recall();
  for (const [event, name] of [["input", "input"], ["change", "select"]]) {
    form.addEventListener(event, (of) => of.target.matches(name) && update());
  }
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    history.replaceState(null, "", "#texts");
    recall();
  });
  document.getElementById("previous").addEventListener("click", () => update(-1));
  document.getElementById("next").addEventListener("click", () => update(1));
  window.addEventListener("hashchange", recall);
}

document.querySelectorAll("table.sortable").forEach(sortable);
const data = document.getElementById("data");
if (data) browser(JSON.parse(data.textContent));
