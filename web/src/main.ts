import { Explorer } from "./app/explorer";
import { showFailure } from "./app/failure";
import { mount } from "./app/app";
import { startTheme } from "./colour/theme";
import { fill, h } from "./core/dom";
import { Signal } from "./core/signal";
import { packInPage, type Pack } from "./engine";
import { Lesson } from "./lesson/lesson";
import { t } from "./texts";
import "./style/base.css";
import "./style/layout.css";
import "./style/controls.css";
import "./style/map.css";
import "./style/side.css";
import "./style/lesson.css";
import "./style/print.css";

/** Opens the pack and builds the page; says what it is doing, and what went wrong. */
async function start(root: HTMLElement, load: () => Promise<Pack>): Promise<void> {
  startTheme();
  fill(root, h("main", { class: "loading" }, h("p", { role: "status" }, t("loading"))));
  // The sentence is painted before the work that it speaks of begins.
  await new Promise((resolve) => setTimeout(resolve, 0));
  try {
    const explorer = new Explorer(await load());
    mount(root, { explorer, lesson: new Lesson(), comparing: new Signal(false), tab: new Signal("sliders") });
  } catch (failure) {
    showFailure(root, failure);
  }
}

void start(document.getElementById("app")!, packInPage);
