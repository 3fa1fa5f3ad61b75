"use strict";
(() => {
  // Rows shown at first, and with each "more".
  const FIRST = 200;
  const SLICE = 1000;
  // Columns of the matrix at most.
  const COLUMNS = 40;
  // Milliseconds without a key before the filter is applied to large tables.
  const PAUSE = 120;

  const byId = (id) => document.getElementById(id);
  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === true) made.setAttribute(name, "");
      else if (value !== false && value != null) made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  };
  const count = (n, word) => `${n.toLocaleString("en")} ${word}${n === 1 ? "" : "s"}`;
  const share = (n, all, word) =>
    n === all ? count(all, word) : `${n.toLocaleString("en")} of ${count(all, word)}`;

  // ---- What was found ----------------------------------------------------------------------------
  const data = JSON.parse(byId("data").textContent);
  const STATES = ["open", "closed", "filtered", "unscanned"];
  const MARKS = { open: "●", closed: "×", filtered: "–", unscanned: "?" };
  const hosts = data.hosts.map((host, order) => {
    const [ip, name, counts, chance, seconds, note, ports] = host;
    return { order, ip, name, counts, chance, seconds, note, ports, text: `${ip} ${name} ${note}`.toLowerCase() };
  });
  const ports = [];
  for (const host of hosts) {
    host.ports = host.ports.map(([port, reason, rtt, attempts, named, product, details, from]) => {
      const [why, state] = data.reasons[reason];
      const service = data.services[named] ?? "";
      const row = { host, port, service, state, why, rtt, attempts, from: data.senders[from] ?? "" };
      row.product = data.products[product] ?? "";
      row.details = data.details[details] ?? "";
      row.text = `${service} ${row.product} ${row.details} ${why} ${row.from}`.toLowerCase();
      ports.push(row);
      return row;
    });
  }

  const findings = data.findings.map(([[kind, outcome], order, ip, name, ports, [before, now], message, rule]) => {
    const text = `${kind} ${ip} ${name} ${message} ${rule}`.toLowerCase();
    return { kind, outcome, order, ip, name, ports, before, now, message, rule, text };
  });

  // ---- A table that sorts, and shows its rows in slices ------------------------------------------
  // A column: its title, the value it is sorted by, what is shown (the value if nothing else is told).
  class Table {
    constructor(id, title, noun, columns, { hint } = {}) {
      Object.assign(this, { noun, columns, rows: [], all: 0, shown: 0, by: 0, down: false, turn: 0, remark: "" });
      this.caption = element("caption");
      this.head = element("thead");
      this.body = element("tbody");
      this.table = element("table", { id }, this.caption, this.head, this.body);
      this.more = element("div", { class: "more" });
      this.title = element("h2", { id: `${id}-title` }, title);
      const region = { class: "scroll", role: "region", tabindex: "0", "aria-labelledby": `${id}-title` };
      this.section = element("section", { "aria-labelledby": `${id}-title` }, this.title);
      if (hint) this.section.append(element("p", { class: "note" }, hint));
      this.section.append(element("div", region, this.table), this.more);
      byId("live").append(this.section);
      this.drawHead();
    }

    setColumns(columns) {
      const title = this.columns[this.by].title;
      this.columns = columns;
      this.by = columns.findIndex((column) => column.title === title);
      if (this.by < 0) [this.by, this.down] = [0, false];
      this.drawHead();
    }

    drawHead() {
      this.heads = this.columns.map((column, index) => {
        const button = element("button", { type: "button", title: column.hint }, column.title);
        button.addEventListener("click", () => this.sortBy(index));
        return element("th", { scope: "col", class: column.number && "number" }, button);
      });
      this.head.replaceChildren(element("tr", {}, ...this.heads));
    }

    sortBy(index) {
      this.down = index === this.by && !this.down;
      this.by = index;
      this.draw();
    }

    set(rows, all) {
      [this.rows, this.all] = [rows, all];
      this.draw();
    }

    draw() {
      this.heads.forEach((head, index) => {
        if (index === this.by) head.setAttribute("aria-sort", this.down ? "descending" : "ascending");
        else head.removeAttribute("aria-sort");
      });
      const { value } = this.columns[this.by];
      const sign = this.down ? -1 : 1;
      const keyed = this.rows.map((row, order) => ({ row, order, key: value(row) }));
      // What is not known comes last, whichever way.
      keyed.sort((a, b) => {
        if (a.key === b.key) return a.order - b.order;
        if (a.key == null || b.key == null) return a.key == null ? 1 : -1;
        return a.key < b.key ? -sign : sign;
      });
      this.sorted = keyed.map((entry) => entry.row);
      this.shown = 0;
      this.turn += 1;
      this.body.replaceChildren();
      this.add(FIRST);
    }

    add(n) {
      const slice = this.sorted.slice(this.shown, this.shown + n);
      this.body.append(...slice.map((row) => this.line(row)));
      this.shown += slice.length;
      const rest = this.sorted.length - this.shown;
      const part = rest > 0 ? `; the first ${this.shown.toLocaleString("en")} are shown` : "";
      this.caption.textContent = share(this.rows.length, this.all, this.noun) + part + this.remark;
      this.more.replaceChildren();
      if (rest > 0) {
        this.more.append(this.button(`Show ${Math.min(rest, SLICE).toLocaleString("en")} more`, () => this.add(SLICE)));
        this.more.append(this.button("Show all", () => this.addAll(this.turn)));
      }
    }

    button(text, act) {
      const button = element("button", { type: "button" }, text);
      button.addEventListener("click", () => {
        const before = this.shown;
        act();
        // The button is a new one, or there is none any more: the focus goes to what it brought.
        const line = this.body.children[before];
        line?.setAttribute("tabindex", "-1");
        line?.focus({ preventScroll: true });
      });
      return button;
    }

    // All rows, with time between for whoever waits; ends when the rows are others.
    addAll(turn) {
      if (turn !== this.turn || this.shown >= this.sorted.length) return;
      this.add(SLICE);
      setTimeout(() => this.addAll(turn));
    }

    line(row) {
      const cells = this.columns.map((column, index) => {
        const shown = column.show ? column.show(row) : (column.value(row) ?? "");
        const state = column.state?.(row);
        const kind = [column.number && "number", column.text && "text", state].filter(Boolean).join(" ") || null;
        return index === 0
          ? element("th", { scope: "row", class: kind }, shown)
          : element("td", { class: kind }, shown);
      });
      return element("tr", {}, ...cells);
    }
  }

  // ---- The tables --------------------------------------------------------------------------------
  const any = (rows, value) => rows.some((row) => value(row) != null && value(row) !== "");
  const only = (rows, columns) =>
    columns.filter((column) => !column.optional || any(rows, column.value));
  const address = { title: "Host", value: (row) => row.order, show: (row) => row.ip };
  const ofHost = (column) => ({
    ...column,
    value: (row) => column.value(row.host),
    show: column.show && ((row) => column.show(row.host)),
  });
  const name = { title: "Name", value: (row) => row.name || null, text: true, optional: true };

  // What the audit found, if there was one.
  const OUTCOMES = ["failed", "incomplete", "clean"];
  const kinds = [...new Set(findings.map((row) => row.kind))];
  // The worst on top, then in the order of the audit.
  const rank = (row) => OUTCOMES.indexOf(row.outcome) * kinds.length + kinds.indexOf(row.kind);
  const range = ([first, last]) => (first === last ? `${first}` : `${first}-${last}`);
  const findingTable = findings.length > 0 && new Table("finding-table", "Changes and findings", "finding", only(findings, [
    { title: "Kind", value: rank, show: (row) => row.kind, state: (row) => `is-${row.outcome}` },
    { ...address, value: (row) => row.order },
    name,
    { title: "Ports", value: (row) => row.ports[0]?.[0], show: (row) => row.ports.map(range).join(","), text: true },
    { title: "Was", value: (row) => row.before, state: (row) => row.before, optional: true },
    { title: "Is", value: (row) => row.now, state: (row) => row.now, optional: true },
    { title: "What", value: (row) => row.message, text: true },
    { title: "Rule", value: (row) => row.rule || null, text: true, optional: true },
  ]));
  const matrix = new Table("matrix", "Hosts by ports", "host", [address], {
    hint: "● open, × closed, – filtered, ? unscanned; blank: not listed. The filter picks hosts and ports.",
  });
  const portTable = new Table("port-table", "Ports", "port", only(ports, [
    ofHost(address),
    ofHost(name),
    { title: "Port", value: (row) => row.port, number: true },
    { title: "Service", value: (row) => row.service || null, text: true },
    { title: "Product", value: (row) => row.product || null, text: true, optional: true },
    { title: "State", value: (row) => STATES.indexOf(row.state), show: (row) => row.state, state: (row) => row.state },
    { title: "Reason", value: (row) => row.why },
    { title: "From", value: (row) => row.from || null, optional: true },
    { title: "RTT, ms", value: (row) => row.rtt, number: true, optional: true },
    { title: "Attempts", value: (row) => row.attempts, number: true },
    { title: "Details", value: (row) => row.details || null, text: true, optional: true },
  ]));
  const hostTable = new Table("host-table", "Hosts", "host", only(hosts, [
    address,
    name,
    ...STATES.map((state, index) => ({
      title: state[0].toUpperCase() + state.slice(1), value: (row) => row.counts[index], number: true,
    })),
    { title: "Chance that an open port was missed", value: (row) => row.chance[0], show: (row) => row.chance[1] },
    { title: "Seconds", value: (row) => row.seconds, number: true },
    { title: "Note", value: (row) => row.note || null, text: true, optional: true },
  ]));

  // The ports that most hosts have open, ascending, and of each host what they are.
  const listed = hosts.filter((host) => host.ports.length > 0).length;
  const showMatrix = (rows) => {
    const [open, services, byHost] = [new Map(), new Map(), new Map()];
    for (const row of rows) {
      services.set(row.port, row.service);
      open.set(row.port, (open.get(row.port) ?? 0) + (row.state === "open"));
      if (!byHost.has(row.host)) byHost.set(row.host, new Map());
      byHost.get(row.host).set(row.port, row.state);
    }
    const columns = [...open.keys()].sort((a, b) => open.get(b) - open.get(a) || a - b).slice(0, COLUMNS);
    columns.sort((a, b) => a - b);
    const state = (host, port) => byHost.get(host)?.get(port);
    matrix.setColumns([address, ...columns.map((port) => ({
      title: String(port),
      hint: services.get(port) || null,
      value: (host) => { const index = STATES.indexOf(state(host, port)); return index < 0 ? null : index; },
      show: (host) => {
        const there = state(host, port);
        if (!there) return "";
        return element("span", {}, element("span", { "aria-hidden": "true" }, MARKS[there]), element("span", { class: "word" }, there));
      },
      state: (host) => state(host, port),
    }))]);
    const cut = open.size > columns.length;
    matrix.remark = cut ? `; of ${count(open.size, "port")} the ${COLUMNS} that most of them have open` : "";
    matrix.set([...byHost.keys()], listed);
  };

  // ---- The filter --------------------------------------------------------------------------------
  // `22,8000-8100` as ranges; null if it cannot be read.
  const portRanges = (text) => {
    const ranges = [];
    for (const item of text.split(/[\s,]+/).filter(Boolean)) {
      const range = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(item);
      if (!range) return null;
      ranges.push([Number(range[1]), Number(range[2] ?? range[1])]);
    }
    return ranges;
  };

  const apply = () => {
    const words = byId("text").value.toLowerCase().split(/\s+/).filter(Boolean);
    const state = byId("state").value;
    const ranges = portRanges(byId("ports").value);
    if (ranges) byId("ports").removeAttribute("aria-invalid");
    else byId("ports").setAttribute("aria-invalid", "true");
    if (!ranges) {
      byId("count").textContent = "Ports are numbers and ranges: 22,8000-8100";
      return;
    }
    const narrowed = ranges.length > 0;
    const overlaps = (low, high) => ranges.some(([first, last]) => first <= high && low <= last);
    const foundHosts = [];
    const foundPorts = [];
    for (const host of hosts) {
      const rest = words.filter((word) => !host.text.includes(word));
      const before = foundPorts.length;
      for (const row of host.ports) {
        if ((!narrowed || overlaps(row.port, row.port)) && (!state || row.state === state) && rest.every((word) => row.text.includes(word))) {
          foundPorts.push(row);
        }
      }
      if (foundPorts.length > before || (rest.length === 0 && !narrowed && !state)) foundHosts.push(host);
    }
    showMatrix(foundPorts);
    portTable.set(foundPorts, ports.length);
    hostTable.set(foundHosts, hosts.length);
    const found = findings.filter((row) =>
      (!narrowed || row.ports.some(([first, last]) => overlaps(first, last))) &&
      (!state || row.now === state) && words.every((word) => row.text.includes(word)));
    if (findingTable) findingTable.set(found, findings.length);
    const told = [share(foundHosts.length, hosts.length, "host"), share(foundPorts.length, ports.length, "port")];
    if (findingTable) told.push(share(found.length, findings.length, "finding"));
    byId("count").textContent = told.join(", ");
  };

  let waiting;
  const applySoon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(apply, PAUSE);
  };
  const states = STATES.filter((state) => ports.some((row) => row.state === state));
  byId("state").append(...states.map((state) => element("option", { value: state }, state)));
  byId("state-label").hidden = states.length < 2;
  byId("filter").addEventListener("input", applySoon);
  byId("filter").addEventListener("reset", applySoon);
  byId("filter").addEventListener("submit", (event) => event.preventDefault());

  // On paper everything is shown; nothing can be opened there.
  addEventListener("beforeprint", () => {
    for (const table of tables) table.add(Infinity);
    for (const details of document.querySelectorAll("details")) details.open = true;
  });

  const tables = [findingTable, matrix, portTable, hostTable].filter(Boolean);
  apply();
  byId("live").hidden = false;
})();
