"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const form = byId("filters");
  const people = [...document.querySelectorAll("table.people tbody")].map((body) => {
    const [head, ...rows] = body.rows;
    const name = head.textContent;
    const right = (row) => {
      const [, clusters, through] = [...row.cells].map((cell) => cell.textContent);
      const text = `${name} ${row.textContent}`.toLowerCase();
      return { row, text, clusters: clusters?.split(", ") ?? [], through, data: row.dataset };
    };
    return { body, look: body.dataset.look, rows: rows.map(right) };
  });
  const only = ["full", "ends", "look"].map(byId);

  const filter = () => {
    const words = byId("search").value.toLowerCase().split(/\s+/).filter(Boolean);
    const [cluster, group] = [byId("cluster").value, byId("group").value];
    const [full, ends, look] = only.map((box) => box.checked);
    const fits = ({ text, clusters, through, data }) =>
      words.every((word) => text.includes(word)) &&
      (!cluster || clusters.includes(cluster)) &&
      (!group || through === group) &&
      (!full || data.full) &&
      (!ends || data.ends);
    let shown = 0;
    for (const person of people) {
      let any = false;
      for (const right of person.rows) {
        const fit = (!look || person.look) && fits(right);
        right.row.hidden = !fit;
        any ||= fit;
      }
      person.body.hidden = !any;
      shown += any ? 1 : 0;
    }
    byId("nobody").hidden = shown > 0;
    const all = people.length.toLocaleString("en");
    byId("shown").textContent =
      shown === people.length ? `All ${all} people are shown.` : `${shown.toLocaleString("en")} of ${all} people.`;
  };

  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(filter));
  for (const tile of document.querySelectorAll("a[data-show]")) {
    tile.addEventListener("click", () => {
      form.reset();
      byId(tile.dataset.show).checked = true;
      setTimeout(filter);
    });
  }
  // A link to somebody who is filtered away shows everybody again.
  addEventListener("hashchange", () => {
    const target = byId(decodeURIComponent(location.hash.slice(1)));
    if (target?.closest("tbody[hidden]")) {
      form.reset();
      setTimeout(() => target.scrollIntoView());
    }
  });
  form.hidden = false;
  filter();
})();
