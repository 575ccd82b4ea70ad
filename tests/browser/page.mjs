// Opens deploy/embed/index.html in a real browser, as a page of another origin than rosterd's, and looks at it when asked.
//
// page.mjs LIBRARY BROWSER RULE HTML: where playwright-core is, the browser's program, the SHA-256 of the public key that is
// trusted, and the page. For each line of standard input, such as `away Away`, it lets the page's next interval pass, waits
// until each of the three ways says `away` and the picture `Away`, and prints `seen away`. At the end of its input it prints
// `no errors`, or what the page's console had.

import { createServer } from "node:http";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [library, executablePath, key, html] = process.argv.slice(2);
const { chromium } = createRequire(import.meta.url)(library);

const text = readFileSync(html);
const site = createServer((_, answer) => answer.setHeader("Content-Type", "text/html").end(text));
site.listen(0, "127.0.0.1");
await once(site, "listening");

const browser = await chromium.launch({
  executablePath,
  // Root has no sandbox; and one certificate is trusted, no other.
  args: ["--no-sandbox", `--ignore-certificate-errors-spki-list=${key}`],
});
const page = await browser.newPage();
const errors = [];
const pictures = new Map();
page.on("console", (message) => ["error", "warning"].includes(message.type()) && errors.push(message.text()));
page.on("pageerror", (error) => errors.push(String(error)));
page.on("response", (response) => pictures.set(response.url(), response));
await page.clock.install();
await page.goto(`http://127.0.0.1:${site.address().port}/`);
console.log("opened");

const says = async ([word, title]) => {
  await page.waitForFunction((word) => {
    const text = (id) => document.getElementById(id).textContent;
    const picture = document.getElementById("by-picture");
    return text("by-fetch") === word && text("by-script") === word && picture.alt === word
      && picture.complete && picture.naturalWidth === 116;
  }, word, { polling: 20 });
  // What the picture shows, by the bytes that the browser got for it.
  const address = await page.evaluate(() => document.getElementById("by-picture").currentSrc);
  const picture = await (pictures.get(address) ?? await page.waitForResponse(address)).text();
  if (!picture.includes(`<title>${title}</title>`)) throw new Error(`the picture is not of ${title}: ${picture}`);
};

page.setDefaultTimeout(30_000);
for await (const line of createInterface({ input: process.stdin })) {
  await page.clock.runFor(20_000);
  await says(line.split(" "));
  console.log(`seen ${line}`);
}
console.log(errors.length === 0 ? "no errors" : `errors: ${JSON.stringify(errors)}`);
await browser.close();
site.close();
