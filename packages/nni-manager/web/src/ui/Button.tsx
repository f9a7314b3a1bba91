import type { ButtonHTMLAttributes, ComponentChildren, Ref } from "preact";
import { Icon, type IconName } from "./Icon";

/** What a button is made of. */
export interface ButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, "icon" | "ref"> {
  /** plain, primary for the one that goes on, danger for what cannot be taken back, quiet without a frame. */
  kind?: "plain" | "primary" | "danger" | "quiet";
  /** Stands before the text. */
  icon?: IconName;
  /** Whether its work goes on: it cannot be pressed again. */
  busy?: boolean;
  /** The name of a button that has only an icon; also its tool tip. */
  label?: string;
  children?: ComponentChildren;
  buttonRef?: Ref<HTMLButtonElement>;
}

/** A button. */
export function Button(props: ButtonProps) {
  const {
    kind = "plain",
    icon,
    busy = false,
    label,
    children,
    disabled,
    class: more,
    buttonRef,
    ...others
  } = props;
  const only = children === undefined || children === null;
  return (
    <button
      type="button"
      {...others}
      ref={buttonRef}
      class={`button ${kind}${only ? " icon-only" : ""}${more ? ` ${more}` : ""}`}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      aria-label={label}
      title={others.title ?? (only ? label : undefined)}
    >
      {icon !== undefined && <Icon name={icon} />}
      {children}
    </button>
  );
}
