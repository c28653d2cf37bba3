// The form of the page. Whatever comes from the gateway is put into text nodes,
// never into markup.
"use strict";

const form = document.getElementById("ask");
const result = document.getElementById("result");
const shownHeaders = ["Operation-Id", "Muster-Complete", "Cache-Control", "Cache-Status", "Age", "ETag", "Retry-After", "RateLimit", "WWW-Authenticate", "Preference-Applied"];

function element(name, className, ...children) {
  const e = document.createElement(name);
  if (className) e.className = className;
  e.append(...children);
  return e;
}

// colour splits JSON into spans for keys, strings, numbers and literals.
function colour(json) {
  const parts = document.createDocumentFragment();
  const tokens = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
  let end = 0;
  for (const t of json.matchAll(tokens)) {
    parts.append(json.slice(end, t.index));
    if (t[1]) parts.append(element("span", t[2] ? "k" : "s", t[1]), t[2] || "");
    else parts.append(element("span", t[3] ? "l" : "n", t[0]));
    end = t.index + t[0].length;
  }
  parts.append(json.slice(end));
  return parts;
}

// segment encodes a path segment, and leaves readable what a path may hold.
function segment(text) {
  return encodeURIComponent(text).replaceAll("%3A", ":").replaceAll("%40", "@");
}

function request() {
  const f = new FormData(form);
  const names = (name) => f.get(name).split(",").map((s) => s.trim()).filter(Boolean).map(encodeURIComponent).join(",");
  const query = [];
  if (names("fields")) query.push("fields=" + names("fields"));
  if (names("sources")) query.push("sources=" + names("sources"));
  if (f.has("provenance")) query.push("provenance=true");
  if (f.has("explain")) query.push("explain=true");
  // The browser's own cache is left out below. It would then add a no-cache, which is for the
  // gateway to see only where it was asked for; no-transform stands in its place and does nothing.
  const headers = { Accept: "application/json", "Cache-Control": f.has("fresh") ? "no-cache" : "no-transform" };
  const token = f.get("token").trim().replace(/^Bearer\s+/i, "");
  if (token) headers.Authorization = "Bearer " + token;
  if (f.has("strict")) headers.Prefer = "handling=strict";
  const path = "v1/tenants/" + segment(f.get("tenant")) + "/users/" + segment(f.get("user"));
  return { url: path + (query.length ? "?" + query.join("&") : ""), headers };
}

function showRequest() {
  document.getElementById("request").textContent = "GET /" + request().url;
}

function sourceList(sources) {
  const list = element("ul", "sources");
  for (const s of sources) {
    const notes = [];
    if (s.from) notes.push(s.from);
    if (s.from === "upstream" || s.from === "shared") notes.push(s.took + " ms");
    else if (s.age !== undefined) notes.push(s.age + " s old");
    if (s.needs) notes.push("needs " + s.needs.join(" or "));
    list.append(element("li", "", element("strong", "", s.source), element("span", "pill " + s.outcome, s.outcome), element("small", "", notes.join(", "))));
  }
  return list;
}

function headerList(headers) {
  const list = element("dl", "headers");
  for (const name of shownHeaders) {
    if (headers.has(name)) list.append(element("dt", "", name), element("dd", "", headers.get(name)));
  }
  return list;
}

function headline(status, took, body) {
  const words = status === 200 ? "Complete" : status === 207 ? "Partial" : (body && body.error) || "No answer";
  const line = element("div", "headline", element("b", "", status + "  " + words), element("small", "", Math.round(took) + " ms in all"));
  if (body && body.reason) line.append(element("span", "", body.reason + " " + body.resolution));
  return line;
}

async function lookUp(event) {
  event.preventDefault();
  showRequest();
  const button = form.querySelector("button");
  button.disabled = true;
  const began = performance.now();
  result.replaceChildren();
  try {
    const { url, headers } = request();
    const response = await fetch(url, { headers, cache: "no-store" });
    const text = await response.text();
    let body = null;
    try { body = JSON.parse(text); } catch { /* shown as it is */ }
    result.className = response.status === 200 ? "complete" : response.status === 207 ? "partial" : "error";
    result.append(headline(response.status, performance.now() - began, body));
    if (body && body.sources) result.append(sourceList(body.sources));
    if (body && body.incompleteFields && body.incompleteFields.length) {
      result.append(element("p", "missing", "Could be different: ", element("code", "", body.incompleteFields.join(", "))));
    }
    result.append(headerList(response.headers));
    result.append(element("pre", "", element("code", "", body ? colour(JSON.stringify(body, null, 2)) : text)));
  } catch (failure) {
    result.className = "error";
    result.append(element("b", "", "The gateway could not be reached."), element("p", "", String(failure)));
  }
  result.hidden = false;
  button.disabled = false;
}

// The names of the sources, where they may be known, say what can be written.
async function suggestSources() {
  try {
    const response = await fetch("v1/providers");
    if (response.ok) form.sources.placeholder = (await response.json()).providers.map((p) => p.name).join(",");
  } catch { /* a hint is missing, no more */ }
}

for (const example of document.querySelectorAll("code.json")) example.replaceChildren(colour(example.textContent));
form.addEventListener("input", showRequest);
form.addEventListener("submit", lookUp);
showRequest();
suggestSources();
