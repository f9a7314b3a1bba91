import { useState } from "preact/hooks";
import { client, problemText } from "../../api/client";
import { readWhole } from "../../api/file_tail";
import { idOf } from "../../api/page_facts";
import { useLiveQuery } from "../../api/query";
import type { ExperimentFile } from "../../generated/nni_proto/v1/experiment_file_pb";
import { Button } from "../../ui/Button";
import { Copy } from "../../ui/Copy";
import { saveAs } from "../../ui/clipboard";
import { formatBytes, formatTime, secondsOf } from "../../ui/format";
import { LogView } from "../../ui/LogView";
import { toast } from "../../ui/Toast";
import { visible } from "../../ui/text";

/** The files of a trial: their list, a look into each, download. */
export function TrialFiles({ trial }: { trial: string }) {
  const [shown, setShown] = useState<string>();
  const answer = useLiveQuery(`files ${trial}`, (signal) => client.listFiles({ parent: trial }, { signal }));
  const files = answer.data?.files ?? [];
  return (
    <div>
      {answer.data?.directory && (
        <p class="quiet">
          {visible(answer.data.directory)}{" "}
          <Copy text={answer.data.directory} label="Copy the folder's path" />
        </p>
      )}
      {answer.problem !== undefined && <p class="problem">{visible(answer.problem)}</p>}
      {answer.data?.missingReason && <p class="quiet">{visible(answer.data.missingReason)}</p>}
      {files.length > 0 && (
        <table class="facts files">
          <thead>
            <tr>
              <th scope="col">File</th>
              <th scope="col">Size</th>
              <th scope="col">Written</th>
              <th scope="col">
                <span class="only-read-aloud">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {files.map((file) => (
              <FileRow
                key={file.path}
                trial={trial}
                file={file}
                directory={answer.data?.directory ?? ""}
                shown={shown === file.path}
                onShow={() => setShown(shown === file.path ? undefined : file.path)}
              />
            ))}
          </tbody>
        </table>
      )}
      {answer.data?.nextPageToken && (
        <p class="quiet">There are more files; the first thousand are listed.</p>
      )}
      {shown !== undefined && <LogView parent={trial} path={shown} />}
    </div>
  );
}

function FileRow(props: {
  trial: string;
  file: ExperimentFile;
  directory: string;
  shown: boolean;
  onShow: () => void;
}) {
  const { trial, file, directory } = props;
  const written = secondsOf(file.modifyTime);
  async function download(): Promise<void> {
    try {
      const pieces = await readWhole(trial, file.path);
      const name = file.path.slice(file.path.lastIndexOf("/") + 1);
      saveAs(`${idOf(trial)}-${name}`, new Blob(pieces), "application/octet-stream");
    } catch (error) {
      toast(`${file.path} cannot be downloaded: ${problemText(error)}`, "failed");
    }
  }
  return (
    <tr>
      <th scope="row">{visible(file.path)}</th>
      <td class="numeric">{formatBytes(Number(file.size))}</td>
      <td>{written === undefined ? "" : formatTime(written)}</td>
      <td>
        <Button
          kind="quiet"
          icon="eye"
          label={`Show ${file.path}`}
          aria-pressed={props.shown}
          onClick={props.onShow}
        />
        <Button kind="quiet" icon="download" label={`Download ${file.path}`} onClick={download} />
        {directory !== "" && (
          <Copy text={`${directory}/${file.path}`} label={`Copy the path of ${file.path}`} />
        )}
      </td>
    </tr>
  );
}
