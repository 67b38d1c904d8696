import type { Explorer } from "../app/explorer";
import { fill, h } from "../core/dom";
import { nextFrame } from "../core/frame";
import type { Scope } from "../core/signal";
import type { Decoded, LatentModel } from "../engine/types";
import { t } from "../texts";
import { modelTitle } from "../texts/words";
import { paint } from "./pixels";
import { LinesView } from "./lines";
import { RowView } from "./row";
import { summary } from "./summary";

/** How long the point must rest before what was decoded is read out, in milliseconds. */
const QUIET = 600;

/** What the decoders answer to the point, at once; a screen reader hears it when the point rests. */
export function decodedView(scope: Scope, explorer: Explorer): HTMLElement {
  const body = h("div", { class: "decoded-body" });
  const spoken = h("p", { class: "unseen", "aria-live": "polite", id: "spoken" });
  const waiting = h("p", { class: "note" });
  let show: (answers: Decoded[]) => void = () => {};
  let timer = 0;
  scope.add(() => clearTimeout(timer));

  scope.build(explorer.models, () => {
    const { input } = explorer.pack;
    if (input.type === "series") show = series(body, explorer);
    else show = input.type === "image" ? pictures(body, explorer.models.value, input) : rows(body, explorer);
  });
  scope.watch([explorer.models, explorer.codes], () => {
    const answer = (decoded: Decoded[]) => {
      waiting.textContent = "";
      show(decoded);
      clearTimeout(timer);
      timer = window.setTimeout(() => (spoken.textContent = summary(explorer, decoded)), QUIET);
    };
    ask(explorer, answer, (words) => (waiting.textContent = words));
  });
  return h("section", { class: "decoded", "aria-label": t("decoded.title") }, body, waiting, spoken);
}

/** Decodes in the page where it can; else asks the server, which answers the newest question only. */
function ask(explorer: Explorer, answer: (decoded: Decoded[]) => void, wait: (words: string) => void): void {
  const models = explorer.models.value;
  const codes = explorer.codes.value;
  if (models.length !== codes.length) return;
  if (models.every((model) => model.inPage)) return answer(models.map((model, i) => model.decode(codes[i])));
  Promise.all(models.map((model, i) => model.decodeSoon(codes[i]))).then(
    (decoded) => {
      if (decoded.every((one): one is Decoded => one !== null)) nextFrame(() => answer(decoded));
      else if (!explorer.pack.served) wait(t("decoded.far"));
    },
    () => wait(t("decoded.lost")),
  );
}

/** Canvases have the pictures' shape before there is one to show: nothing jumps when the server answers. */
function pictures(body: HTMLElement, models: LatentModel[], { width, height }: { width: number; height: number }): (decoded: Decoded[]) => void {
  const canvases = models.map((model) =>
    h("canvas", { class: "pixels", width, height, role: "img", "aria-label": t("decoded.picture", { model: modelTitle(model) }) }),
  );
  fill(
    body,
    ...canvases.map((canvas, i) =>
      h("figure", { class: "picture" }, canvas, models.length > 1 ? h("figcaption", {}, modelTitle(models[i])) : null),
    ),
  );
  body.className = `decoded-body pictures of-${models.length}`;
  return (decoded) => decoded.forEach((one, i) => one.type === "image" && paint(canvases[i], one));
}

function rows(body: HTMLElement, explorer: Explorer): (decoded: Decoded[]) => void {
  const view = new RowView(explorer.pack, explorer.models.value);
  fill(body, view.element);
  body.className = "decoded-body rows";
  return (decoded) => view.show(decoded.filter((one) => one.type === "row"));
}

function series(body: HTMLElement, explorer: Explorer): (decoded: Decoded[]) => void {
  const view = new LinesView(explorer.pack, explorer.models.value);
  fill(body, view.element);
  body.className = "decoded-body series";
  return (decoded) => view.show(decoded.filter((one) => one.type === "series"));
}
