// Make the files in static/dist/ that pages load: bundled, minified, named after their content, and compressed in
// advance. bin/setup runs it. docs/decisions/0036-bundle.md has the reasons.

import { readFile, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
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
  minify: true,
  charset: "utf8",
  metafile: true,
  preserveSymlinks: true,
  logLevel: "warning",
};

const builds = await Promise.all([
  build({
    ...options,
    entryPoints: [
      "static/js/app.js",
      "static/js/api_docs.js",
      "static/css/app.css",
      "static/css/api_docs.css",
      "static/icon.svg",
      "static/icon-unread.svg",
    ],
    bundle: true,
    format: "esm",
    sourcemap: true,
    loader: { ".svg": "copy" },
  }),
  // A minified script that defines a global variable, which it would not do as a module.
  build({ ...options, entryPoints: ["static/vendor/swagger-ui-bundle.js"], loader: { ".js": "copy" } }),
]);

/** The files by their sources, both relative to static/. */
const manifest = {};
for (const [path, { entryPoint }] of builds.flatMap(({ metafile }) => Object.entries(metafile.outputs))) {
  if (!entryPoint) continue;
  manifest[entryPoint.replace("static/", "")] = path.replace("static/", "");
  await compress(path);
}
await removeOldFiles();
await writeFile(`${MANIFEST}.new`, JSON.stringify(manifest, null, 2));
await rename(`${MANIFEST}.new`, MANIFEST);

/** Write a file's compressed forms beside it. */
async function compress(path) {
  const content = await readFile(path);
  // For the library of the API reference, the highest quality saves another 8 % but takes 8 s.
  const params = { [constants.BROTLI_PARAM_QUALITY]: content.length < 500_000 ? 11 : 9 };
  await writeFile(`${path}.gz`, await promisify(gzip)(content, { level: 9 }));
  await writeFile(`${path}.br`, await promisify(brotliCompress)(content, { params }));
}

/** Remove the files of builds that have long been replaced. */
async function removeOldFiles() {
  const replaced = Object.values(JSON.parse(await readFile(MANIFEST, "utf8").catch(() => "{}")));
  const now = new Date();
  for (const name of await readdir(OUTPUT)) {
    const path = `${OUTPUT}/${name}`;
    if (replaced.some((file) => path.startsWith(`static/${file}`))) await utimes(path, now, now);
    else if (now - (await stat(path)).mtime > KEPT_DAYS * 24 * 3600 * 1000) await rm(path);
  }
}
