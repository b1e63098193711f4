import { credential, inject, match, type RefusedDocuments, upstream } from "./documents.ts";

const notOneOf = "exactly one of upstream and match.hosts is required";

const fromLists: RefusedDocuments = {
  ...Object.fromEntries(
    [
      "https://a.example/",
      "https://a.example/v1?key=1",
      "https://a.example/v1#x",
      "https://user:pass@a.example",
      "https://A.example",
      "https://a.example/../b",
      "https://a.example//b",
      "https://a.example/%2e",
      "https://a.example/a.",
      "https://a.example/a&b",
      "https://a.example:0",
      "https://a.example:65536",
      "https://0x7f.1",
      "https://2130706433",
      "https://256.1.1.1",
      "https://bücher.example",
      "ftp://a.example",
      "a.example",
      "https://",
      "",
    ].map((baseUrl) => [`the base URL ${baseUrl}`, [upstream({ baseUrl }), "spec.upstream.baseUrl", /must be http/]]),
  ),
  ...Object.fromEntries(
    ["https://[:::]", "https://[1:2]", "https://[1:2:3:4:5:6:7:8:9]", "https://[00001::]"].map((baseUrl) => [
      `the base URL ${baseUrl}`,
      [upstream({ baseUrl }), "spec.upstream.baseUrl", "must be a URL"],
    ]),
  ),
  ...Object.fromEntries(
    [
      ...["", "*", "*.org", "a.*.org", "*.example.org:1", "A.example", "a.example/x", "https://a.example", "a..b"],
      ...["1.2", "*.1.2", "[::1]", "-a.example", "a.example.", "b\u00fc.example"],
    ].map((host) => [`the host “${host}”`, [match({ hosts: [host] }), "spec.match.hosts[0]", /must be a host/]]),
  ),
  ...Object.fromEntries(
    ["", "a", "/a?b", "/a#b", "/../a", "/a/.", "//a", "/a/**/b", "/a*", "/%2e%2e/a", "/a;b", "/a\\b", "/é"].map(
      (path) => [`the path “${path}”`, [match({ paths: [path] }), "spec.match.paths[0]", /must be a path/]],
    ),
  ),
};

export const refusedCredentials: RefusedDocuments = {
  ...fromLists,
  "a credential of nothing": [credential({ inject: { header: "a", format: "{secret}" } }), "spec", notOneOf],
  "a credential that matches hosts beside its upstream": [
    credential({ upstream: { api: "OpenAI" }, match: { hosts: ["a.example"], paths: ["/"], methods: ["GET"] } }),
    "spec",
    notOneOf,
  ],
  "a match without an injection": [
    credential({ match: { hosts: ["a.example"], paths: ["/"], methods: ["GET"] } }),
    "spec",
    "inject is required without upstream",
  ],
  "an upstream in the place of the proxy's own API": [
    credential({ upstream: { api: "OpenAI" } }, "v1"),
    "metadata.name",
    'a Credential with upstream must not be called "v1": its name is the first part of the path at the proxy',
  ],
  "an API that nobody knows": [upstream({ api: "Gemini" }), "spec.upstream.api", /Anthropic/],
  "no API": [upstream({ api: null }), "spec.upstream.api", /Anthropic/],
  "a subscription of OpenAI": [
    upstream({ subscription: true }),
    "spec.upstream",
    "subscription is only for the api Anthropic",
  ],
  "http on a public host": [
    upstream({ baseUrl: "http://llm.example.org" }),
    "spec.upstream",
    "a baseUrl with http needs private: true",
  ],
  "a host twice": [match({ hosts: ["a.example", "a.example"] }), "spec.match.hosts[1]", /twice/],
  "a path twice": [match({ paths: ["/a", "/b", "/b"] }), "spec.match.paths[2]", /twice/],
  "a method twice": [match({ methods: ["GET", "GET"] }), "spec.match.methods[1]", /twice/],
  "a method in small letters": [match({ methods: ["get"] }), "spec.match.methods[0]", /capitals/],
  "no methods": [match({ methods: undefined }), "spec.match.methods", /expected array/],
  "a header in capitals": [inject({ header: "X-Api-Key" }), "spec.inject.header", /lower case/],
  "a header about the connection": [
    inject({ header: "transfer-encoding" }),
    "spec.inject.header",
    "must not be a header about the connection itself",
  ],
  "a format without the key": [
    inject({ format: "Bearer" }),
    "spec.inject.format",
    "must contain {secret} exactly once",
  ],
  "a format with the key twice": [
    inject({ format: "{secret}:{secret}" }),
    "spec.inject.format",
    "must contain {secret} exactly once",
  ],
  "a format with a line feed": [inject({ format: "{secret}\nx: y" }), "spec.inject.format", /printable ASCII/],
  "a key outside of its folder": [
    credential({ upstream: { api: "OpenAI" }, secretRef: { name: "a", key: "../b" } }),
    "spec.secretRef.key",
    /letters, digits/,
  ],
  "a Secret without a name": [
    credential({ upstream: { api: "OpenAI" }, secretRef: {} }),
    "spec.secretRef.name",
    /expected string/,
  ],
};
