// Make the files in static/dist/ that pages load: bundled, minified, named after their content, and compressed in
// advance. bin/setup runs it. docs/decisions/0036-bundle.md has the reasons.

import { existsSync } from "node:fs";
import { mkdir, readFile, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import { build } from "esbuild";

const OUTPUT = "static/dist";
const MANIFEST = `${OUTPUT}/manifest.json`;

/** Time for which a server that was started before a build finds the files of its own build. */
const KEPT_DAYS = 30;

const options = {
  outdir: OUTPUT,
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  minify: true,
  charset: "utf8",
  metafile: true,
  preserveSymlinks: true,
  write: false,
  logLevel: "warning",
};

const modules = { bundle: true, format: "esm", sourcemap: true };

const builds = await Promise.all([
  // What it imports with import() is loaded later. A module that both had in common would be a third file.
  build({ ...options, ...modules, entryPoints: ["static/js/app.js"], splitting: true }),
  build({
    ...options,
    ...modules,
    entryPoints: [
      "static/js/api_docs.js",
      "static/js/status.js",
      "static/js/offline.js",
      "static/js/service_worker.js",
      "static/css/app.css",
      "static/css/api_docs.css",
      "static/css/status.css",
      "static/icon.svg",
      "static/icon-unread.svg",
      "static/icon-512.png",
    ],
    loader: { ".svg": "copy", ".png": "copy" },
  }),
  // A minified script that defines a global variable, which it would not do as a module.
  build({ ...options, entryPoints: ["static/vendor/swagger-ui-bundle.js"], loader: { ".js": "copy" } }),
  build({ ...options, entryPoints: ["static/vendor/emoji.json"], loader: { ".json": "copy" } }),
]);

/** The files by their sources, both relative to static/. */
const manifest = {};
for (const [path, { entryPoint }] of builds.flatMap(({ metafile }) => Object.entries(metafile.outputs)))
  if (entryPoint) manifest[entryPoint.replace("static/", "")] = path.replace("static/", "");

await mkdir(OUTPUT, { recursive: true });
for (const { path, contents } of builds.flatMap(({ outputFiles }) => outputFiles))
  await store(`${OUTPUT}/${basename(path)}`, contents);
await removeOldFiles();
await replace(MANIFEST, JSON.stringify(manifest, null, 2));

/** Write a file after its compressed forms, unless an earlier build has: the name stands for the content. */
async function store(path, contents) {
  if (existsSync(path)) return;
  // For the library of the API reference, the highest quality saves another 8 % but takes 8 s.
  const params = { [constants.BROTLI_PARAM_QUALITY]: contents.length < 500_000 ? 11 : 9 };
  await writeFile(`${path}.br`, await promisify(brotliCompress)(contents, { params }));
  await writeFile(`${path}.gz`, await promisify(gzip)(contents, { level: 9 }));
  await replace(path, contents);
}

/** Write a file so that a server never reads a part of it. */
async function replace(path, contents) {
  await writeFile(`${path}.new`, contents);
  await rename(`${path}.new`, path);
}

/** Remove the files of builds that have long been replaced. */
async function removeOldFiles() {
  const replaced = JSON.parse(await readFile(MANIFEST, "utf8").catch(() => "{}"));
  const now = new Date();
  for (const name of await readdir(OUTPUT)) {
    const belongsTo = (files) => Object.values(files).some((file) => `dist/${name}`.startsWith(file));
    const path = `${OUTPUT}/${name}`;
    if (belongsTo(manifest) || path === MANIFEST) continue;
    if (belongsTo(replaced)) await utimes(path, now, now);
    else if (now - (await stat(path)).mtime > KEPT_DAYS * 24 * 3600 * 1000) await rm(path);
  }
}
