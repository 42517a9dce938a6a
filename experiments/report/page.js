// Values sort as pandas sorts them: numbers by value, texts by their lower case, missing values last in either order.
const compare = (sign) => (a, b) => (a === null) - (b === null) || (a === null ? 0 : sign * ((a > b) - (a < b)));
for (const [name, read] of [["number", Number], ["text", String]]) {
  DataTable.ext.type.order[`${name}-pre`] = (value) => value === "" || value === null ? null : read(value);
  DataTable.ext.type.order[`${name}-asc`] = compare(1);
  DataTable.ext.type.order[`${name}-desc`] = compare(-1);
}
Object.assign(DataTable.defaults, { autoWidth: false, order: [], orderDescReverse: false, ordering: { handler: false, indicators: false } });

// ---- tables: a click on a head sorts by its column, another one reverses the order; ties keep the order before it

for (const table of document.querySelectorAll("table.sortable")) {
  const columnDefs = [{ targets: ".number", type: "number" }, { targets: "_all", type: "text" }];
  const sorted = new DataTable(table, { columnDefs, layout: { topStart: null, topEnd: null, bottomStart: null, bottomEnd: null }, paging: false });
  table.tHead.querySelectorAll("button").forEach((button, column) => button.addEventListener("click", () => {
    const before = sorted.order();
    const order = before[0]?.[0] === column && before[0][1] === "asc" ? "desc" : "asc";
    sorted.order([[column, order], ...before.filter(([other]) => other !== column)]).draw();
  }));
}

// ---- the browser of texts: what it shows is a function of the form's values and of the page's number

const SHORT = 200;
const CHOICES = ["setting", "method", "origin", "label", "invalid"];
const NOTHING = { label: "never labeled", invalid: "valid" };

function create(name, properties, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

function show(number, whole) {
  if (number === null) return "";
  const fixed = number.toFixed(whole || number === 0 ? 0 : 3);
  return (Number(fixed) || number === 0 ? fixed : number.toExponential(1)).replaceAll("-", "−");
}

function textCell(value) {
  const whole = create("bdi", { textContent: value, dir: "auto" });
  const letters = value.length > SHORT ? [...value] : [];
  if (letters.length <= SHORT) return whole;
  const start = create("bdi", { textContent: `${letters.slice(0, SHORT).join("")}…`, dir: "auto" });
  return create("details", {}, create("summary", {}, start), whole);
}

function browser({ columns, rows }) {
  const form = document.getElementById("filters");
  const fields = form.elements;
  const inputs = [...form.querySelectorAll("input, select")];
  const at = Object.fromEntries(columns.map((column, i) => [column.id, i]));

  for (const name of CHOICES) {
    const values = [...new Set(rows.map((row) => row[at[name]]))].sort();
    fields[name].append(...values.map((value) => new Option(value || NOTHING[name] || "", value)));
  }
  for (const { id, title, number, term } of columns) {
    if (term || id === "reward") fields.term.append(new Option(title, id));
    fields.by.append(new Option(title, id, id === "reward", id === "reward"));
  }

  const render = ({ id, number, whole }) => (value, kind) => {
    if (kind !== "display") return number || value === null ? value : value.toLowerCase();
    return id === "text" ? textCell(value) : create("bdi", { textContent: number ? show(value, whole) : value });
  };
  const table = new DataTable("#offers", {
    data: rows,
    columns: columns.map((column, i) => ({
      data: i,
      type: column.number ? "number" : "text",
      className: column.number ? "number" : column.id,
      render: render(column),
      createdCell: (cell) => { cell.dataset.name = column.title; },
    })),
    layout: { topStart: "info", topEnd: null, bottomStart: { paging: { type: "simple_numbers" } }, bottomEnd: null },
    language: {
      info: "_TOTAL_ of _MAX_ texts match",
      infoEmpty: "0 of _MAX_ texts match",
      infoFiltered: "",
      emptyTable: "No text to show",
      zeroRecords: "No text matches",
      paginate: { previous: "Previous", next: "Next" },
    },
    pageLength: 50,
  });

  function limits(low, high) {
    const [least, most] = [fields[low].valueAsNumber, fields[high].valueAsNumber];
    return (value) => !(value < least || value > most || (value === null && (least === least || most === most)));
  }

  function matching() {
    const wanted = CHOICES.filter((name) => fields[name].selectedIndex > 0).map((name) => [at[name], fields[name].value]);
    const part = fields.text.value.toLowerCase();
    const [round, reward, term] = [limits("first", "last"), limits("least", "most"), at[fields.term.value]];
    return (_, row) => wanted.every(([i, value]) => row[i] === value)
      && round(row[at.round]) && reward(row[term]) && row[at.text].toLowerCase().includes(part);
  }

  // The address says what is shown, so that it can be passed on: #texts?method=SIGnAL&by=round
  const usual = (field) => field.options ? Math.max(0, [...field.options].findIndex((option) => option.defaultSelected)) : "";

  function remember() {
    const state = new URLSearchParams();
    for (const field of inputs) {
      if ((field.options ? field.selectedIndex : field.value) !== usual(field)) state.set(field.name, field.value);
    }
    if (table.page()) state.set("page", table.page() + 1);
    const query = state.toString();
    history.replaceState(null, "", query ? `#texts?${query}` : location.hash.startsWith("#texts") ? "#texts" : location.hash || "#");
  }

  function recall() {
    const [place, query] = [location.hash.slice(1, 6), location.hash.slice(7)];
    const state = new URLSearchParams(place === "texts" ? query : "");
    for (const field of inputs) {
      const value = state.get(field.name);
      if (!field.options) field.value = value ?? "";
      else {
        const all = CHOICES.includes(field.name) ? 0 : -1;
        const found = [...field.options].findIndex((option, i) => i !== all && option.value === value);
        field.selectedIndex = found < 0 ? usual(field) : found;
      }
    }
    draw(Math.trunc(Number(state.get("page")) || 1) - 1);
    if (query) document.getElementById("texts").scrollIntoView();
  }

  function draw(page = 0) {
    const by = at[fields.by.value];
    table.search.fixed("form", matching()).order(by === undefined ? [] : [[by, fields.order.value]]).draw();
    if (page) table.page(Math.max(0, Math.min(page, table.page.info().pages - 1))).draw("page");
  }

  function update() {
    draw();
    remember();
  }

  [...document.querySelectorAll("#offers thead button")].forEach((button, i) => button.addEventListener("click", () => {
    const { id, number } = columns[i];
    const again = fields.by.value === id;
    fields.order.value = (again ? fields.order.value === "asc" : number) ? "desc" : "asc";
    fields.by.value = id;
    update();
  }));
  for (const [event, name] of [["input", "input"], ["change", "select"]]) {
    form.addEventListener(event, (of) => of.target.matches(name) && update());
  }
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", (event) => {
    event.preventDefault();
    history.replaceState(null, "", "#texts");
    recall();
  });
  table.on("page", () => setTimeout(() => {
    remember();
    document.querySelector("#texts .dt-info").scrollIntoView();
  }));
  recall();
  window.addEventListener("hashchange", recall);
}

const data = document.getElementById("data");
if (data) browser(JSON.parse(data.textContent));
