import type { Explorer } from "../app/explorer";
import { h } from "../core/dom";
import { nextFrame } from "../core/frame";
import type { Scope } from "../core/signal";
import { type EncodeInput, fieldsOf } from "../engine/types";
import { coordinates, t } from "../texts";
import { drawing } from "./drawing";
import { editor } from "./editor";

/** Draw a picture, or edit a row, and see where the encoder puts it. */
export function encodeTool(scope: Scope, explorer: Explorer): HTMLElement {
  const said = h("p", { class: "note", role: "status" });
  let newest: EncodeInput;
  const encode = () => {
    const codes = explorer.models.value.map((model) => model.encode(newest));
    explorer.moveAll(
      codes.map((code) => code.mean),
      "encode",
    );
    const { mean, sd } = codes[0];
    explorer.marks.value = { model: explorer.main, cloud: { mean, sd } };
    said.textContent = t(explorer.main.stochastic ? "encode.said" : "encode.point", {
      mean: coordinates(mean),
      sd: coordinates(sd),
    });
  };
  const changed = (input: EncodeInput) => {
    newest = input;
    nextFrame(encode);
  };
  scope.add(() => (explorer.marks.value = null));
  const { input } = explorer.pack;
  const tool = input.type === "image" ? drawing(scope, explorer, input, changed) : editor(explorer, fieldsOf(input), changed);
  return h("div", {}, h("p", {}, t(input.type === "image" ? "encode.draw" : "encode.edit")), tool, said);
}
