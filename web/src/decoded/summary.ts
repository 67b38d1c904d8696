import type { Explorer } from "../app/explorer";
import type { Decoded } from "../engine/types";
import { nearestRows } from "../space/nearest";
import { number, percent, t } from "../texts";
import { modelTitle, where } from "../texts/words";
import { said } from "./distribution";
import { brightness } from "./pixels";

const FIELDS = 4;
/** A search among more rows than these would be felt at each stop. */
const SEARCHED = 200_000;

/** What was decoded, in a sentence for those who can't see it. */
export function summary(explorer: Explorer, decoded: Decoded[]): string {
  return decoded
    .map((one, i) => {
      const model = explorer.models.value[i];
      const what = wordsOf(one);
      const title = decoded.length > 1 ? `${modelTitle(model)}: ` : "";
      return `${title}${where(explorer, model)}. ${what}${likeness(explorer, i)}`;
    })
    .join(" ");
}

function wordsOf(one: Decoded): string {
  if (one.type === "row") return rowWords(one);
  return one.type === "image" ? t("spoken.picture", { light: percent(brightness(one)) }) : seriesWords(one);
}

function seriesWords({ channels }: Decoded & { type: "series" }): string {
  return channels
    .slice(0, FIELDS)
    .map(({ name, values }) => t("spoken.channel", { name, low: number(Math.min(...values)), high: number(Math.max(...values)) }))
    .join(", ");
}

function rowWords(row: Decoded & { type: "row" }): string {
  return row.fields
    .slice(0, FIELDS)
    .map((field) => `${field.name}: ${said(field)}`)
    .join(", ");
}

/** "Most like those labelled 3", where rows with labels are in the page. */
function likeness(explorer: Explorer, index: number): string {
  const model = explorer.models.value[index];
  const column = model.points?.columns.find((one) => one.labels);
  if (!column?.labels || model.points!.count > SEARCHED) return "";
  const [near] = nearestRows(model, explorer.codes.value[index], 1);
  const label = near && column.labels[column.values[near.row]];
  return label ? ` ${t("spoken.like", { column: column.name, label })}` : "";
}
