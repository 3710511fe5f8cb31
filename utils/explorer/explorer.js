// Draws AttentionExplorer (utils/explorer) in the browser: two columns of words joined by lines, or a
// table of cells. Pointing at a word, or moving to it with Tab or the arrow keys, leaves its weights only.

const SVG = "http://www.w3.org/2000/svg";
const ROW = 30; // pixels a word, as in explorer.css
const GAP = 220; // pixels between the columns
const WIDEST = 12; // pixels a line of weight 1

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function written(weight) {
  return weight === null ? "?" : weight.toFixed(2);
}

function render({ model, el }) {
  const chosen = () => model.get("weights")[model.get("layer")][model.get("head")];
  const set = (name, value) => {
    model.set(name, value);
    model.save_changes();
  };

  function choice(label, trait, names) {
    const select = make("select", { "aria-label": label }, ...names.map((name, place) => make("option", { value: place }, name)));
    select.value = model.get(trait);
    select.addEventListener("change", () => set(trait, Number(select.value)));
    model.on(`change:${trait}`, () => (select.value = model.get(trait)));
    select.hidden = names.length < 2;
    return select;
  }

  function views() {
    const button = make("button", { type: "button", class: "view" });
    const name = () => (button.textContent = model.get("view") === "lines" ? "show cells" : "show lines");
    button.addEventListener("click", () => set("view", model.get("view") === "lines" ? "cells" : "lines"));
    model.on("change:view", name);
    name();
    return button;
  }

  // Words that can be pointed at. `place` is among the words that look.
  function pointed(element, place) {
    element.addEventListener("mouseenter", () => set("word", place));
    element.addEventListener("focus", () => set("word", place));
    element.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      const next = step && stage.querySelector(`[data-place="${place + step}"]`);
      if (event.key === "Escape") element.blur();
      if (!next) return;
      event.preventDefault();
      event.stopPropagation(); // JupyterLab would go to the next cell
      next.focus();
    });
    element.addEventListener("blur", () => set("word", -1));
    element.dataset.place = place;
    return element;
  }

  function lines() {
    const words = model.get("words"), keys = model.get("key_words"), weights = chosen();
    const height = ROW * Math.max(words.length, keys.length);
    const left = make("div", { class: "words looking" });
    const right = make("div", { class: "words" });
    words.forEach((word, place) => left.append(pointed(make("button", { type: "button" }, word), place)));
    keys.forEach((word) => right.append(make("div", {}, make("span", {}, word), make("span", { class: "weight" }))));
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("width", GAP);
    svg.setAttribute("height", height);
    svg.setAttribute("aria-hidden", "true");
    weights.forEach((row, from) => row.forEach((weight, to) => {
      const line = document.createElementNS(SVG, "path");
      const start = ROW * (from + 0.5), end = ROW * (to + 0.5);
      line.setAttribute("d", `M0 ${start} C${GAP / 2} ${start} ${GAP / 2} ${end} ${GAP} ${end}`);
      line.setAttribute("stroke-width", Math.max(WIDEST * (weight ?? 0), 0.4));
      line.setAttribute("stroke-opacity", 0.15 + 0.85 * (weight ?? 0));
      line.dataset.from = from;
      svg.append(line);
    }));
    return make("div", { class: "lines" }, left, svg, right);
  }

  function cells() {
    const words = model.get("words"), keys = model.get("key_words"), weights = chosen();
    const head = make("tr", {}, make("td"), ...keys.map((word) => make("th", { scope: "col" }, word)));
    const rows = words.map((word, from) => {
      const name = make("th", { scope: "row" }, pointed(make("button", { type: "button" }, word), from));
      const row = make("tr", { "data-from": from }, name);
      row.addEventListener("mouseenter", () => set("word", from));
      for (const weight of weights[from]) {
        const cell = make("td", { class: weight > 0.5 ? "dark" : "" }, written(weight));
        cell.style.setProperty("--weight", weight ?? 0);
        row.append(cell);
      }
      return row;
    });
    return make("div", { class: "cells" }, make("table", {}, head, ...rows));
  }

  // What is pointed at stands out; the sentence below says the same to those who do not see it.
  function point() {
    const word = model.get("word"), row = chosen()[word];
    stage.classList.toggle("pointing", Boolean(row));
    stage.querySelectorAll("[data-from]").forEach((part) => part.classList.toggle("on", Number(part.dataset.from) === word));
    stage.querySelectorAll("[data-place]").forEach((part) => part.classList.toggle("on", Number(part.dataset.place) === word));
    stage.querySelectorAll(".weight").forEach((text, to) => (text.textContent = row ? written(row[to]) : ""));
    const keys = model.get("key_words");
    said.textContent = row
      ? `${model.get("words")[word]} looks at ${row.map((weight, to) => `${keys[to]} ${written(weight)}`).join(", ")}`
      : "Point at a word on the left, or move to it with Tab and the arrow keys.";
  }

  function draw() {
    const place = stage.contains(document.activeElement) ? document.activeElement.dataset.place : undefined;
    stage.replaceChildren(model.get("view") === "lines" ? lines() : cells());
    if (place !== undefined) stage.querySelector(`[data-place="${place}"]`)?.focus();
    point();
  }

  const layers = model.get("weights").map((_, place) => `layer ${place + 1}`);
  const title = make("div", { class: "title" }, model.get("title"));
  title.hidden = !model.get("title");
  const stage = make("div", { class: "stage" });
  stage.addEventListener("mouseleave", () => stage.contains(document.activeElement) || set("word", -1));
  const said = make("div", { class: "said", role: "status" });
  const controls = make("div", { class: "controls" }, choice("Layer", "layer", layers), choice("Head", "head", model.get("heads")), views());
  const root = make("div", { class: "attention-explorer" }, title, controls, stage, said);
  root.setAttribute("role", "group");
  root.setAttribute("aria-label", model.get("title") || "Attention weights");
  el.append(root);
  for (const trait of ["weights", "layer", "head", "view"]) model.on(`change:${trait}`, draw);
  model.on("change:word", point);
  draw();
}

export default { render };
