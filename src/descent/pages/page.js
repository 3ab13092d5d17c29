"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("charts").textContent);
  const places = [...document.querySelectorAll(".draw")];
  const style = () => getComputedStyle(document.body);

  // The style variables that stand where a colour belongs, as the present scheme has them.
  const coloured = (value, css, isColour) => {
    if (typeof value === "string") return isColour && value.startsWith("--") ? css.getPropertyValue(value).trim() : value;
    if (Array.isArray(value)) return value.map((one) => coloured(one, css, isColour));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, coloured(one, css, /color/.test(key))]));
  };

  const layoutOf = (own, css, width) => {
    const axis = { gridcolor: css.getPropertyValue("--line"), linecolor: css.getPropertyValue("--line"),
      zeroline: false, automargin: true };
    const given = (name) => ({ ...axis, ...own[name], title: { standoff: 8, ...own[name].title } });
    return { ...own, xaxis: given("xaxis"), yaxis: given("yaxis"),
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: css.getPropertyValue("--ink").trim(), family: css.fontFamily, size: width < 520 ? 11 : 12 },
      margin: { l: 44, r: 14, t: own.showlegend ? 34 : 12, b: 40 },
      legend: { orientation: "h", traceorder: "normal", x: 0, y: 1.02, yanchor: "bottom" },
      hoverlabel: { bgcolor: css.getPropertyValue("--card").trim(), font: { color: css.getPropertyValue("--ink").trim() },
        align: "left", namelength: -1 },
      hovermode: "closest" };
  };

  const drawAll = () => {
    const css = style();
    return Promise.all(places.map((place) => {
      const figure = figures[Number(place.dataset.chart)];
      return Plotly.react(place, coloured(figure.data, css, false), layoutOf(figure.layout, css, window.innerWidth),
        { responsive: true, displayModeBar: false });
    }));
  };

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  drawAll().then(() => { document.documentElement.dataset.drawn = String(places.length); });
})();
