import { Component, type ComponentChildren } from "preact";
import { Button } from "../ui/Button";
import { visible } from "../ui/text";

/** Shows an error of the page in the place of what failed; the rest of the page stays. */
export class Boundary extends Component<{ children: ComponentChildren }, { problem?: string }> {
  override state: { problem?: string } = {};

  static override getDerivedStateFromError(error: unknown): { problem: string } {
    return { problem: error instanceof Error ? error.message : String(error) };
  }

  override componentDidCatch(error: unknown): void {
    console.error(error);
  }

  render({ children }: { children: ComponentChildren }, { problem }: { problem?: string }) {
    if (problem === undefined) return children;
    return (
      <div class="note error" role="alert">
        <div class="note-text">
          <strong>This part of the page cannot be shown.</strong>
          <p>
            {visible(problem)}. When the manager is of another version by now, loading the page again helps.
          </p>
          <Button icon="refresh" onClick={() => window.location.reload()}>
            Load the page again
          </Button>
        </div>
      </div>
    );
  }
}
