import { pythonText } from "../../api/python_text";
import { jsonText, leaves } from "../../api/values";
import type { Value } from "../../generated/nni_proto/v1/value_pb";
import { Copy } from "../../ui/Copy";
import { visible } from "../../ui/text";

/** A value with its leaves below each other, nested ones by their path; it can be copied. */
export function ParameterList({ value, name }: { value: Value | undefined; name: string }) {
  if (value === undefined) return <p class="quiet">There are none.</p>;
  const all = leaves(value);
  return (
    <div>
      <div class="trial-copies">
        <Copy text={jsonText(value, 2)} label={`Copy the ${name} as JSON`}>
          JSON
        </Copy>
        <Copy text={pythonText(value)} label={`Copy the ${name} as Python`}>
          Python
        </Copy>
      </div>
      <table class="facts">
        <tbody>
          {all.map((leaf) => (
            <tr key={leaf.path}>
              <th scope="row">{visible(leaf.path) || name}</th>
              <td>
                {visible(jsonText(leaf.value))}
                <Copy text={jsonText(leaf.value)} label={`Copy ${visible(leaf.path) || name}`} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {all.length === 0 && <p class="quiet">It is empty.</p>}
    </div>
  );
}
