import { client, problemText } from "../../api/client";
import { idOf, mayChange } from "../../api/page_facts";
import { useLiveQuery } from "../../api/query";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { toast } from "../../ui/Toast";
import { counted, visible } from "../../ui/text";

/** Starts a TensorBoard for trials and opens it in a tab of its own. */
export async function openTensorBoard(parent: string, trials: readonly string[]): Promise<void> {
  // The tab is opened at once: browsers refuse one that opens long after the click.
  const tab = window.open("about:blank", "_blank");
  try {
    const { tensorBoard } = await client.createTensorBoard({ parent, trials: [...trials] });
    if (tensorBoard === undefined) throw new Error("no answer");
    const address = new URL(tensorBoard.path, document.baseURI).href;
    if (tab === null) toast(`TensorBoard runs at ${address}; the browser did not allow a new tab.`);
    else tab.location.href = address;
  } catch (error) {
    tab?.close();
    toast(`TensorBoard cannot be started: ${problemText(error)}`, "failed");
  }
}

/** The TensorBoards that run, each to open or to stop. */
export function TensorBoardsDialog({ parent, onClose }: { parent: string; onClose: () => void }) {
  const answer = useLiveQuery(`tensor boards ${parent}`, async (signal) => {
    return (await client.listTensorBoards({ parent }, { signal })).tensorBoards;
  });
  const boards = answer.data ?? [];
  async function stop(names: readonly string[]): Promise<void> {
    try {
      await Promise.all(names.map((name) => client.deleteTensorBoard({ name })));
    } catch (error) {
      toast(`It cannot be stopped: ${problemText(error)}`, "failed");
    }
    answer.refresh();
  }
  return (
    <Dialog
      title="TensorBoards"
      onClose={onClose}
      actions={
        <>
          {mayChange && (
            <Button
              icon="stop"
              disabled={boards.length === 0}
              onClick={() => stop(boards.map((board) => board.name))}
            >
              Stop all
            </Button>
          )}
          <Button kind="primary" onClick={onClose}>
            Done
          </Button>
        </>
      }
    >
      {answer.problem !== undefined && <p class="problem">{answer.problem}</p>}
      {boards.length === 0 && (
        <p class="quiet">
          None runs.{mayChange && " Select trials in the table and choose TensorBoard to start one."}
        </p>
      )}
      <ul class="boards">
        {boards.map((board) => (
          <li key={board.name}>
            <a href={new URL(board.path, document.baseURI).href} target="_blank" rel="noopener">
              {board.trials.length === 0 ? "All trials" : counted(board.trials.length, "trial")}
            </a>{" "}
            <span class="quiet">{board.trials.slice(0, 5).map(idOf).join(", ")}</span>
            {board.problem !== "" && <pre class="code problem">{visible(board.problem)}</pre>}
            {mayChange && (
              <Button
                kind="quiet"
                icon="stop"
                label="Stop this TensorBoard"
                onClick={() => stop([board.name])}
              />
            )}
          </li>
        ))}
      </ul>
    </Dialog>
  );
}
