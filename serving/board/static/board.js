// Draws the charts of the page in its colours, saves them as png, and takes a filter over without loading the scripts again.
"use strict";

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const isDark = matchMedia("(prefers-color-scheme: dark)");
const views = new Map();

function config() {
  const [ink, quiet, rule] = ["--ink", "--quiet", "--rule"].map(color);
  const font = getComputedStyle(document.body).fontFamily;
  const words = { labelColor: quiet, titleColor: quiet, labelFont: font, titleFont: font };
  return {
    background: color("--panel"),
    view: { stroke: null },
    font,
    axis: { ...words, gridColor: rule, domainColor: rule, tickColor: rule, labelFontSize: 12, titleFontWeight: "normal" },
    legend: { ...words, labelColor: ink, labelFontSize: 12 },
    line: { strokeWidth: 2 },
    bar: { color: isDark.matches ? "#63a4e8" : "#2b6cb0" },
    area: { color: isDark.matches ? "#63a4e8" : "#2b6cb0" },
    range: {
      category: isDark.matches
        ? ["#63b3ed", "#f6ad55", "#68d391", "#fc8181", "#b794f4", "#4fd1c5", "#f687b3", "#cbd5e0"]
        : ["#2b6cb0", "#c05621", "#2f855a", "#c53030", "#6b46c1", "#2c7a7b", "#b83280", "#4a5568"],
    },
  };
}

async function draw() {
  for (const view of views.values()) view.finalize();
  views.clear();
  for (const spec of document.querySelectorAll("script.spec")) {
    const place = spec.previousElementSibling;
    const options = { actions: false, renderer: "svg", config: config(), tooltip: { theme: isDark.matches ? "dark" : "light" } };
    const drawn = await vegaEmbed(place, JSON.parse(spec.textContent), options);
    // The place tells what the chart shows, and the table has the numbers: no reader of screens goes through its marks.
    place.querySelector("svg").setAttribute("aria-hidden", "true");
    views.set(place, drawn.view);
  }
  document.documentElement.dataset.drawn = performance.now().toFixed(0);
}

async function show(address, isNew = true) {
  const answer = await fetch(address);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const focused = document.activeElement?.name;
  for (const part of ["main", ".top", "footer"]) document.querySelector(part).replaceWith(page.querySelector(part));
  document.title = page.title;
  if (isNew) history.pushState(null, "", address);
  document.querySelector(`form.filters [name="${focused}"]`)?.focus();
  await draw();
}

function asked(form) {
  return `${form.getAttribute("action")}?${new URLSearchParams(new FormData(form))}`;
}

document.addEventListener("change", (event) => {
  const form = event.target.closest("form.filters");
  if (form?.checkValidity()) show(asked(form));
});
document.addEventListener("submit", (event) => {
  event.preventDefault();
  show(asked(event.target));
});
document.addEventListener("click", async (event) => {
  const link = event.target.closest("nav a, .presets a");
  if (link && location.protocol !== "file:" && !(event.ctrlKey || event.metaKey || event.shiftKey)) {
    event.preventDefault();
    await show(link.getAttribute("href"));
    if (link.closest("nav")) scrollTo(0, 0);
  }
  const button = event.target.closest("button.png");
  if (button) {
    const place = button.closest(".block").querySelector(".chart");
    const saved = document.createElement("a");
    saved.href = await views.get(place).toImageURL("png", 2);
    saved.download = `${button.dataset.name}.png`;
    saved.click();
  }
});
addEventListener("popstate", () => show(location.href, false));
isDark.addEventListener("change", draw);
draw();
