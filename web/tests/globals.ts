/** What the texts ask of a browser, for tests in Node: import this first. */
Object.assign(globalThis, { location: { search: "?lang=en" }, navigator: { languages: ["en"], language: "en" } });
