import { signal } from "@preact/signals";
import { Button } from "./Button";
import { Dialog } from "./Dialog";

interface Question {
  title: string;
  text: string;
  action: string;
  danger: boolean;
  answer: (yes: boolean) => void;
}

const question = signal<Question | undefined>();

/**
 * Asks before something is done that cannot be taken back.
 *
 * @param asked The title, what will happen, and the word on the button that does it.
 * @returns Whether it is to be done.
 */
export function confirmed(asked: {
  title: string;
  text: string;
  action: string;
  danger?: boolean;
}): Promise<boolean> {
  question.value?.answer(false);
  return new Promise((resolve) => {
    question.value = {
      danger: true,
      ...asked,
      answer: (yes) => {
        question.value = undefined;
        resolve(yes);
      },
    };
  });
}

/** Shows what confirmed asks; the frame has it once. */
export function ConfirmHost() {
  const asked = question.value;
  if (asked === undefined) return null;
  return (
    <Dialog
      title={asked.title}
      size="narrow"
      onClose={() => asked.answer(false)}
      actions={
        <>
          <Button onClick={() => asked.answer(false)}>Cancel</Button>
          <Button kind={asked.danger ? "danger" : "primary"} onClick={() => asked.answer(true)}>
            {asked.action}
          </Button>
        </>
      }
    >
      <p>{asked.text}</p>
    </Dialog>
  );
}
