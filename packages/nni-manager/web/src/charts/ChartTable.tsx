import { visible } from "../ui/text";
import type { DataTable } from "./picture";

/** More rows than these make a page slow; the trials page shows the rest. */
const MOST_ROWS = 500;

/** What a chart shows, as a table. */
export function ChartTable({ title, data }: { title: string; data: DataTable }) {
  const rows = data.rows.slice(0, MOST_ROWS);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls can be scrolled by keyboard
    <section class="chart-table" tabIndex={0} aria-label={`${title} as table`}>
      <table>
        {data.rows.length > MOST_ROWS && (
          <caption>
            The first {MOST_ROWS} of {data.rows.length} rows. The trials page shows all of them.
          </caption>
        )}
        <thead>
          <tr>
            {data.headers.map((header) => (
              <th key={header} scope="col">
                {visible(header)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.join("\n")}>
              {row.map((cell, column) => (
                <td key={data.headers[column]}>{visible(cell)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
